// SPDX-License-Identifier: MIT
/* Owns the course of `qcow2frag measure`: find the images, measure each, render all of them. */
#include "cmd.h"

#include "err.h"
#include "find.h"
#include "header.h"
#include "measure.h"
#include "options.h"
#include "output.h"
#include "render.h"
#include "vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct measure {
    const struct options *options;
    const struct cmd_console *console;
    char **paths;
    size_t n_paths, cap_paths;
    struct report_image *images; /* n_paths of them, the first n_images filled */
    size_t n_images;
    bool table; /* not the page for a single image */
    int status;
    time_t shown; /* when the progress line was last renewed */
};

/* ---- what to measure ---- */

static int add_path(void *context, const char *path)
{
    struct measure *measure = context;
    char *copy = strdup(path);

    if (copy == NULL || vec_reserve(measure, paths) < 0) {
        free(copy);
        return -1;
    }
    measure->paths[measure->n_paths++] = copy;
    return 0;
}

static void search_failed(void *context, const char *path, int error)
{
    struct measure *measure = context;

    measure->console->complain(path, strerror(error));
    measure->status = cmd_worse(measure->status, CMD_FAILED);
}

static int search(struct measure *measure, const char *folder)
{
    const struct io_find find = {format_header_probe, add_path, search_failed, measure};
    size_t before = measure->n_paths;
    int ret = io_find(folder, &find);

    if (ret == 0 && measure->n_paths == before)
        measure->console->complain(folder, "no qcow2 image in this directory");
    return ret;
}

static int collect(struct measure *measure)
{
    const struct options *options = measure->options;
    int ret = 0;

    measure->table = options->n_paths > 1 || options->n_columns > 0;
    for (size_t i = 0; i < options->n_paths && ret == 0; i++) {
        struct stat st;
        bool folder = stat(options->paths[i], &st) == 0 && S_ISDIR(st.st_mode);

        measure->table |= folder;
        ret = folder ? search(measure, options->paths[i]) : add_path(measure, options->paths[i]);
    }
    return ret;
}

/* ---- measuring ---- */

/* At most once a second, so that a fast measurement shows nothing at all. */
static void show_progress(void *context, double done)
{
    struct measure *measure = context;
    time_t now = time(NULL);
    char text[96];

    if (measure->shown == 0)
        measure->shown = now;
    if (now == measure->shown)
        return;
    measure->shown = now;
    snprintf(text, sizeof(text), "measuring: %3.0f %% of image %zu of %zu", 100 * done,
             measure->n_images + 1, measure->n_paths);
    measure->console->progress(text);
}

/* In a table there is no room for findings: the first damage is told, and where to read on. */
static void complain_of_damage(const struct measure *measure, const struct report_image *image)
{
    for (size_t i = 0; i < image->findings.n_list; i++) {
        const struct format_finding *finding = &image->findings.list[i];
        char text[512];

        if (format_finding_severity(finding->code) != FORMAT_ERROR)
            continue;
        if (image->findings.total > 1)
            snprintf(text, sizeof(text),
                     "%s: %s (one of %llu findings; measure it alone to see more)", finding->where,
                     finding->message, (unsigned long long)image->findings.total);
        else
            snprintf(text, sizeof(text), "%s: %s", finding->where, finding->message);
        measure->console->complain(image->path, text);
        return;
    }
}

static void judge(struct measure *measure, const struct report_image *image)
{
    if (image->error != NULL) {
        measure->console->complain(image->path, image->error);
        measure->status = cmd_worse(measure->status, CMD_FAILED);
    } else if (format_findings_have_error(&image->findings)) {
        measure->status = cmd_worse(measure->status, CMD_DAMAGED);
        if (measure->options->quiet || measure->table || measure->options->format == OPTIONS_CSV)
            complain_of_damage(measure, image);
    }
}

static int measure_all(struct measure *measure)
{
    const struct options *options = measure->options;
    const struct report_choice choice = {
        .snapshots = options->snapshots,
        .n_snapshots = options->n_snapshots,
        .all_snapshots = options->all_snapshots,
        .progress = {measure->console->progress != NULL ? show_progress : NULL, measure},
    };

    measure->images = calloc(measure->n_paths > 0 ? measure->n_paths : 1, sizeof(*measure->images));
    if (measure->images == NULL)
        return -1;
    for (size_t i = 0; i < measure->n_paths; i++) {
        report_measure(measure->paths[i], &choice, &measure->images[i]);
        measure->n_images++;
        if (measure->console->progress != NULL)
            measure->console->progress(NULL);
        judge(measure, &measure->images[i]);
    }
    return 0;
}

/* ---- showing ---- */

static int render(const struct measure *measure, FILE *stream)
{
    const struct options *options = measure->options;
    const struct render_options how = {
        .bytes = options->bytes,
        .noheadings = options->noheadings,
        .verbose = options->verbose,
        .histogram = options->histogram,
        .columns = options->n_columns > 0 ? options->columns : NULL,
        .n_columns = options->n_columns,
    };

    switch (options->format) {
    case OPTIONS_JSON:
        return render_json(stream, measure->images, measure->n_images);
    case OPTIONS_CSV:
        return render_csv(stream, measure->images, measure->n_images, &how);
    default:
        if (measure->table)
            return render_table(stream, measure->images, measure->n_images, &how);
        return measure->images[0].error == NULL ? render_text(stream, &measure->images[0], &how)
                                                : 0;
    }
}

static int show(const struct measure *measure, struct err *err)
{
    struct io_output output;
    int ret;

    if (measure->options->quiet)
        return 0;
    ret = io_output_open(&output, measure->options->output, err);
    if (ret < 0)
        return ret;
    ret = render(measure, output.stream);
    if (ret < 0) {
        err_set(err, -ret, "cannot print the result: %s", strerror(-ret));
        io_output_abort(&output);
        return ret;
    }
    return io_output_commit(&output, err);
}

static void release(struct measure *measure)
{
    for (size_t i = 0; i < measure->n_images; i++)
        report_image_free(&measure->images[i]);
    for (size_t i = 0; i < measure->n_paths; i++)
        free(measure->paths[i]);
    free(measure->images);
    free(measure->paths);
}

int cmd_measure(const struct options *options, const struct cmd_console *console)
{
    struct measure measure = {.options = options, .console = console};
    struct err err = {0};

    if (collect(&measure) < 0 || measure_all(&measure) < 0)
        err_no_memory(&err);
    else
        show(&measure, &err);
    if (err.code != 0) {
        cmd_complain(console, NULL, &err);
        measure.status = CMD_FAILED;
    }
    release(&measure);
    return measure.status;
}
