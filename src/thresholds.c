// SPDX-License-Identifier: MIT
/* Owns the comparison of figures with the limits of the command line. Computes no figure. */
#include "thresholds.h"

#include "cmd.h"
#include "options.h"
#include "seconds.h"
#include "size.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>

static struct opt_f64 figure_of(const struct report_table *table, enum options_limit limit)
{
    const struct opt_u64 *half_bytes = &table->walk.contiguous_run_half_bytes;
    struct report_seconds seconds = report_seconds_of(table);

    switch (limit) {
    case OPTIONS_MAX_SCORE:
        return table->walk.fragmentation_score;
    case OPTIONS_MIN_RUN:
        return (struct opt_f64){half_bytes->known, (double)half_bytes->value};
    default:
        return (struct opt_f64){seconds.known, seconds.slowdown_low};
    }
}

static void limit_text(enum options_limit limit, double value, char text[SIZE_TEXT_MAX])
{
    if (limit == OPTIONS_MAX_SCORE)
        snprintf(text, SIZE_TEXT_MAX, "%.4g %%", 100 * value);
    else if (limit == OPTIONS_MIN_RUN)
        size_format_mean(text, value);
    else
        snprintf(text, SIZE_TEXT_MAX, "%.4g", value);
}

/* The state that a message is about: a table shows several. */
static void name_table(const struct report_table *table, char *text, size_t size)
{
    char *id = table->is_snapshot ? text_escape(table->id.bytes, table->id.len) : NULL;

    snprintf(text, size, "%s%s%s", table->is_snapshot ? "snapshot " : "", id != NULL ? id : "",
             table->is_snapshot ? ": " : "");
    free(id);
}

static int check(const struct options *options, const struct report_image *image,
                 const struct report_table *table, enum options_limit limit,
                 void (*complain)(const char *path, const char *text))
{
    static const char *const names[] = {"the fragmentation score", "the half length",
                                        "the slowdown"};
    const struct options_threshold *threshold = &options->thresholds[limit];
    struct opt_f64 figure = figure_of(table, limit);
    bool below = limit == OPTIONS_MIN_RUN;
    char state[64], is[SIZE_TEXT_MAX], most[SIZE_TEXT_MAX], text[256];
    double worst = threshold->warning;
    bool critical;

    if (!threshold->given)
        return CMD_DONE;
    name_table(table, state, sizeof(state));
    if (table->measured && !figure.known)
        return CMD_DONE; /* no data: nothing is worse than anything */
    if (!figure.known) {
        snprintf(text, sizeof(text), "%s%s is not known, so it cannot be compared with the limit",
                 state, names[limit]);
        complain(image->path, text);
        return CMD_FAILED;
    }
    critical = threshold->has_critical &&
               (below ? figure.value < threshold->critical : figure.value > threshold->critical);
    if (critical)
        worst = threshold->critical;
    if (!critical && !(below ? figure.value < worst : figure.value > worst))
        return CMD_DONE;
    limit_text(limit, figure.value, is);
    limit_text(limit, worst, most);
    snprintf(text, sizeof(text), "%s%s is %s, %s the %slimit of %s", state, names[limit], is,
             below ? "below" : "above", critical ? "critical " : "", most);
    complain(image->path, text);
    return CMD_EXCEEDED;
}

int thresholds_check(const struct options *options, const struct report_image *image,
                     void (*complain)(const char *path, const char *text))
{
    int status = CMD_DONE;

    for (size_t i = 0; i < image->n_tables; i++)
        for (int limit = 0; limit < OPTIONS_N_LIMITS; limit++)
            status = cmd_worse(status, check(options, image, &image->tables[i],
                                             (enum options_limit)limit, complain));
    return status;
}
