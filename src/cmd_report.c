// SPDX-License-Identifier: MIT
/* Owns the course of `qcow2frag report`: one image, or two, become a page. */
#include "cmd.h"

#include "cleanup.h"
#include "err.h"
#include "measure.h"
#include "options.h"
#include "output.h"
#include "render_html.h"
#include "report.h"
#include "workers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Whose space is looked at unasked: of a longer file that takes several times as long as the rest.
 */
#define SPACE_UNASKED_BYTES (UINT64_C(64) << 30)

struct report {
    const struct options *options;
    const struct cmd_console *console;
    struct workers workers;
    struct report_image images[2];
    time_t shown; /* when the progress line was last renewed */
    int status;
};

/* ---- measuring ---- */

/* At most once a second, so that a fast measurement shows nothing at all. */
static void show_progress(void *context, double done)
{
    struct report *report = context;
    time_t now = time(NULL);
    char text[64];

    if (report->console->progress == NULL || now == report->shown)
        return;
    if (report->shown != 0) {
        snprintf(text, sizeof(text), "measuring: %3.0f %%", 100 * done);
        report->console->progress(text);
    }
    report->shown = now;
}

static bool wants_space(const struct options *options, const char *path)
{
    struct stat st;

    return options->space || (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
                              (uint64_t)st.st_size <= SPACE_UNASKED_BYTES);
}

static int measure(struct report *report, size_t i)
{
    const struct options *options = report->options;
    struct report_image *image = &report->images[i];
    const struct report_choice choice = {
        .snapshots = options->snapshots,
        .n_snapshots = options->n_snapshots,
        .all_snapshots = options->n_snapshots == 0,
        .chain = options->chain,
        .device = options->device,
        .no_host = options->no_host,
        .space = wants_space(options, options->paths[i]),
        .picture = &render_html_pictures,
        .walk = {.workers = &report->workers,
                 .span = options->has_range ? &options->range : NULL,
                 .progress = show_progress,
                 .context = report},
    };

    report_measure(options->paths[i], &choice, image);
    if (report->console->progress != NULL)
        report->console->progress(NULL);
    if (image->error != NULL) {
        report->console->complain(options->paths[i], image->error);
        return -EIO;
    }
    if (format_findings_have_error(&image->findings)) {
        report->status = CMD_DAMAGED;
        report->console->complain(options->paths[i], "is damaged; the page says where");
    }
    return 0;
}

/* ---- the page ---- */

/* First into memory, lest half of a page is seen. */
static int render(const struct report *report, FILE *stream)
{
    CLEANUP_FREE char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);
    int ret;

    if (memory == NULL)
        return -ENOMEM;
    ret = render_html(memory, &report->images[0],
                      report->options->n_paths > 1 ? &report->images[1] : NULL, NULL);
    if (fflush(memory) != 0 || ferror(memory))
        ret = -ENOMEM;
    fclose(memory);
    if (ret == 0)
        fwrite(text, 1, len, stream);
    return ret;
}

static int measure_and_render(struct report *report, struct io_output *output, struct err *err)
{
    int ret = 0;

    for (size_t i = 0; i < report->options->n_paths && ret == 0; i++)
        ret = measure(report, i);
    if (ret == 0)
        ret = io_output_check(output, err);
    if (ret == 0 && render(report, output->stream) < 0)
        ret = err_no_memory(err);
    if (ret == 0)
        return io_output_commit(output, err);
    io_output_abort(output);
    return ret;
}

int cmd_report(const struct options *options, const struct cmd_console *console)
{
    struct report report = {.options = options, .console = console};
    struct io_output output;
    struct err err = {0};

    if (options->output == NULL && isatty(STDOUT_FILENO)) {
        console->complain(NULL,
                          "a page for a browser is nothing for a terminal: give --output FILE");
        return CMD_FAILED;
    }
    workers_init(&report.workers, options->threads > 0 ? options->threads : workers_processors());
    if (io_output_open(&output, options->output, &err) < 0 ||
        measure_and_render(&report, &output, &err) < 0)
        report.status = CMD_FAILED;
    cmd_complain(console, NULL, &err);
    for (size_t i = 0; i < 2; i++)
        report_image_free(&report.images[i]);
    return report.status;
}
