// SPDX-License-Identifier: MIT
/* Owns what is told of limits of the command line. The comparison is report/limit.h's. */
#include "thresholds.h"

#include "cmd.h"
#include "options.h"

static int check(const struct report_limit *limit, enum report_limit_kind kind,
                 const struct report_image *image, const struct report_table *table,
                 void (*complain)(const char *path, const char *text))
{
    enum report_level found = report_limit_level(table, kind, limit);
    char text[REPORT_LIMIT_TEXT_MAX];

    if (found == REPORT_OK)
        return CMD_DONE;
    report_limit_text(table, kind, limit, found, text);
    complain(image->path, text);
    return found == REPORT_NOT_KNOWN ? CMD_FAILED : CMD_EXCEEDED;
}

int thresholds_check(const struct options *options, const struct report_image *image,
                     void (*complain)(const char *path, const char *text))
{
    int status = CMD_DONE;

    for (size_t i = 0; i < image->n_tables; i++)
        for (int kind = 0; kind < REPORT_N_LIMITS; kind++)
            status = cmd_worse(status, check(&options->limits[kind], (enum report_limit_kind)kind,
                                             image, &image->tables[i], complain));
    return status;
}
