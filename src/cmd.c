// SPDX-License-Identifier: MIT
/* Owns what commands have in common: how many threads, when a line of progress is renewed, and that
 * no half of a page is seen. */
#include "cmd.h"

#include "cleanup.h"
#include "options.h"
#include "printed.h"
#include "workers.h"

#include <stdio.h>
#include <stdlib.h>

int cmd_threads(const struct options *options)
{
    return options->threads > 0 ? options->threads : workers_processors();
}

bool cmd_progress_is_due(time_t *shown)
{
    time_t now = time(NULL), before = *shown;

    *shown = now;
    return before != 0 && before != now;
}

void cmd_show_measuring(const struct cmd_console *console, time_t *shown, double done)
{
    char text[64];

    if (console->progress == NULL || !cmd_progress_is_due(shown))
        return;
    snprintf(text, sizeof(text), "measuring: %3.0f %%", 100 * done);
    console->progress(text);
}

int cmd_print_whole(FILE *stream, int (*render)(void *context, FILE *memory), void *context)
{
    struct printed printed;
    FILE *memory = printed_open(&printed);
    CLEANUP_FREE char *text = NULL;
    size_t len;
    int ret;

    if (memory == NULL)
        return -ENOMEM;
    ret = render(context, memory);
    text = printed_take(&printed, &len);
    if (text == NULL)
        return -ENOMEM;
    if (ret == 0)
        fwrite(text, 1, len, stream);
    return ret;
}
