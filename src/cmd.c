// SPDX-License-Identifier: MIT
/* Owns what commands have in common: how many threads, when a line of progress is renewed, and that
 * no half of a page is seen. */
#include "cmd.h"

#include "options.h"
#include "vec.h"
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

/* Not open_memstream: where that finds no memory in the middle, it goes on without the bytes, and
 * nobody is told. */
struct whole {
    char *text;
    size_t n_text, cap_text;
    bool failed;
};

static ssize_t gather(void *context, const char *bytes, size_t len)
{
    struct whole *whole = context;

    for (size_t i = 0; i < len && !whole->failed; i++) {
        whole->failed = vec_reserve(whole, text) < 0;
        if (!whole->failed)
            whole->text[whole->n_text++] = bytes[i];
    }
    return whole->failed ? 0 : (ssize_t)len;
}

int cmd_print_whole(FILE *stream, int (*render)(void *context, FILE *memory), void *context)
{
    struct whole whole = {NULL, 0, 0, false};
    FILE *memory = fopencookie(&whole, "w", (cookie_io_functions_t){.write = gather});
    int ret;

    if (memory == NULL)
        return -ENOMEM;
    ret = render(context, memory);
    if (fclose(memory) != 0 || whole.failed)
        ret = -ENOMEM;
    if (ret == 0)
        fwrite(whole.text, 1, whole.n_text, stream);
    free(whole.text);
    return ret;
}
