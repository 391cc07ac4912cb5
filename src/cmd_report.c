// SPDX-License-Identifier: MIT
/* Owns the course of `qcow2frag report`: one image, two, or a folder of them become a page. */
#include "cmd.h"

#include "cleanup.h"
#include "err.h"
#include "measure.h"
#include "options.h"
#include "output.h"
#include "render_fleet.h"
#include "render_html.h"
#include "report.h"
#include "survey.h"
#include "targets.h"
#include "uri.h"
#include "workers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Whose space is looked at unasked: of a longer file that takes several times as long as the rest,
 * and so it may of a remote one. */
#define SPACE_UNASKED_BYTES (UINT64_C(64) << 30)

struct report {
    const struct options *options;
    const struct cmd_console *console;
    struct workers workers;
    struct report_image images[2]; /* one, or before and after */
    struct targets targets;        /* or those of a folder, */
    struct render_fleet fleet;
    struct report_image *kept; /* whole, if they are few */
    size_t n_finished;
    bool no_memory;
    time_t shown; /* when the progress line was last renewed */
    int status;
};

/* ---- measuring ---- */

static void show_progress(void *context, double done)
{
    struct report *report = context;

    cmd_show_measuring(report->console, &report->shown, done);
}

static bool wants_space(const struct options *options, const char *path)
{
    struct stat st;

    return options->space || (!io_uri_is(path) && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
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

static int render(void *context, FILE *memory)
{
    struct report *report = context;

    if (report->fleet.rows != NULL)
        return render_fleet(memory, &report->fleet);
    return render_html(memory, &report->images[0],
                       report->options->n_paths > 1 ? &report->images[1] : NULL, NULL);
}

static int measure_images(struct report *report)
{
    int ret = 0;

    for (size_t i = 0; i < report->options->n_paths && ret == 0; i++)
        ret = measure(report, i);
    return ret;
}

/* ---- a folder ---- */

#define FLEET_IMAGES_MAX 100 /* that are kept whole, for the JSON */

/* What is wrong with one of many is told in a line. */
static void judge(struct report *report, const struct report_image *image)
{
    if (image->error != NULL) {
        report->console->complain(image->path, image->error);
        report->status = cmd_worse(report->status, CMD_FAILED);
    } else if (format_findings_have_error(&image->findings)) {
        report->console->complain(image->path, "is damaged; measure it alone to see more");
        report->status = cmd_worse(report->status, CMD_DAMAGED);
    }
}

static void finished(void *context, size_t i, struct report_image *image)
{
    struct report *report = context;

    if (report->console->progress != NULL && image->error != NULL)
        report->console->progress(NULL);
    judge(report, image);
    report->no_memory |= render_fleet_row(image, &report->fleet.rows[i]) < 0;
    report->n_finished++;
    show_progress(report, (double)report->n_finished / (double)report->targets.n_list);
    if (report->kept != NULL)
        report->kept[i] = *image; /* with all that it holds */
    else
        report_image_free(image);
    free(image);
}

static int measure_folder(struct report *report, struct err *err)
{
    const struct options *options = report->options;
    struct survey survey = {.targets = &report->targets,
                            .choice = {.device = options->device,
                                       .no_host = options->no_host,
                                       .chain = options->chain,
                                       .picture = &render_fleet_picture},
                            .n_threads = cmd_threads(options),
                            .finished = finished,
                            .context = report};
    size_t n;

    if (targets_collect(&report->targets, options, true, report->console, &report->status) < 0)
        return err_no_memory(err);
    n = report->targets.n_list;
    if (n == 0)
        return -ENOENT; /* which was told */
    report->fleet =
        (struct render_fleet){.folder = options->paths[0], .n_rows = n, .measured_at = time(NULL)};
    report->fleet.rows = calloc(n, sizeof(*report->fleet.rows));
    if (n <= FLEET_IMAGES_MAX)
        report->kept = calloc(n, sizeof(*report->kept));
    if (report->fleet.rows == NULL || survey_measure(&survey) < 0 || report->no_memory)
        return err_no_memory(err);
    report->fleet.images = report->kept;
    report->fleet.n_images = n;
    if (report->console->progress != NULL)
        report->console->progress(NULL);
    return 0;
}

/* ---- the whole course ---- */

static bool is_folder(const char *path)
{
    struct stat st;

    return !io_uri_is(path) && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int check(const struct options *options, struct err *err)
{
    if (options->output == NULL && isatty(STDOUT_FILENO))
        return err_set(err, EINVAL,
                       "a page for a browser is nothing for a terminal: give --output FILE");
    for (size_t i = 0; i < options->n_paths; i++)
        if (is_folder(options->paths[i]) && (options->n_paths > 1 || options->n_snapshots > 0 ||
                                             options->has_range || options->space))
            return err_set(
                err, EINVAL,
                "a directory goes alone with report, without --snapshot, --range and --space");
    return 0;
}

static int measure_and_render(struct report *report, struct io_output *output, struct err *err)
{
    int ret =
        is_folder(report->options->paths[0]) ? measure_folder(report, err) : measure_images(report);

    if (ret == 0)
        ret = io_output_check(output, err);
    if (ret == 0 && cmd_print_whole(output->stream, render, report) < 0)
        ret = err_no_memory(err);
    if (ret == 0)
        return io_output_commit(output, err);
    io_output_abort(output);
    return ret;
}

static void release(struct report *report)
{
    for (size_t i = 0; report->kept != NULL && i < report->targets.n_list; i++)
        report_image_free(&report->kept[i]);
    for (size_t i = 0; i < 2; i++)
        report_image_free(&report->images[i]);
    targets_free(&report->targets);
    free(report->fleet.rows);
    free(report->kept);
}

int cmd_report(const struct options *options, const struct cmd_console *console)
{
    struct report report = {.options = options, .console = console};
    struct io_output output;
    struct err err = {0};

    workers_init(&report.workers, cmd_threads(options));
    if (check(options, &err) < 0 || io_output_open(&output, options->output, &err) < 0 ||
        measure_and_render(&report, &output, &err) < 0)
        report.status = CMD_FAILED;
    cmd_complain(console, NULL, &err);
    release(&report);
    return report.status;
}
