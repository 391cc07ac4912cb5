// SPDX-License-Identifier: MIT
/* Owns the course of `qcow2frag measure`: images are measured side by side, and judged in their
 * order. */
#include "cmd.h"

#include "arena.h"
#include "err.h"
#include "measure.h"
#include "options.h"
#include "output.h"
#include "pack.h"
#include "report.h"
#include "show.h"
#include "survey.h"
#include "targets.h"
#include "thresholds.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIM_IMAGES 64
#define FINDINGS_MAX 20000 /* in one document: 6 MiB, and more than 100 of the worst images */

struct measure {
    const struct options *options;
    const struct cmd_console *console;
    struct targets targets;
    bool table; /* not the page for a single image */
    int status;
    enum report_level level; /* in its place with --format nagios */

    struct show_image *images; /* one for each target */
    size_t n_images;           /* all before this one are finished and judged */
    time_t shown;              /* when the progress line was last renewed */
    struct arena packed;       /* what images that are done with are packed in, */
    size_t room_bytes;         /* and the most that it takes to unpack one */
    size_t findings_left;      /* to be kept whole */
};

/* ---- measuring ---- */

static void show_progress(void *context, double done)
{
    struct measure *measure = context;
    char text[96];

    if (measure->targets.n_list == 1) {
        cmd_show_measuring(measure->console, &measure->shown, done);
        return;
    }
    if (measure->console->progress == NULL || !cmd_progress_is_due(&measure->shown))
        return;
    snprintf(text, sizeof(text), "measuring: %zu of %zu images", measure->n_images,
             measure->targets.n_list);
    measure->console->progress(text);
}

/* In a table there is no room for findings: the first damage is told, and where to read on. */
static void complain_of_damage(const struct measure *measure, const struct report_image *image)
{
    const struct format_finding *finding = format_findings_first_error(&image->findings);
    char text[512];

    if (finding == NULL)
        return;
    if (image->findings.total > 1)
        snprintf(text, sizeof(text), "%s: %s (one of %llu findings; measure it alone to see more)",
                 finding->where, finding->message, (unsigned long long)image->findings.total);
    else
        snprintf(text, sizeof(text), "%s: %s", finding->where, finding->message);
    measure->console->complain(image->path, text);
}

/* The page and the document of a single image say what its findings are. */
static bool shows_findings(const struct measure *measure)
{
    return !measure->options->quiet && !measure->table &&
           (measure->options->format == OPTIONS_JSON || measure->options->format == OPTIONS_TEXT);
}

/* As a monitoring system wants it: all is said in the line. */
static void rate(struct measure *measure, const struct report_image *image)
{
    measure->level =
        report_level_worse(measure->level, report_limits_level(image, measure->options->limits));
}

static void judge(struct measure *measure, const struct report_image *image)
{
    if (measure->options->format == OPTIONS_NAGIOS) {
        rate(measure, image);
        return;
    }
    if (image->error != NULL) {
        measure->console->complain(image->path, image->error);
        measure->status = cmd_worse(measure->status, CMD_FAILED);
    } else if (format_findings_have_error(&image->findings)) {
        measure->status = cmd_worse(measure->status, CMD_DAMAGED);
        if (!shows_findings(measure))
            complain_of_damage(measure, image);
    }
    measure->status = cmd_worse(
        measure->status, thresholds_check(measure->options, image, measure->console->complain));
}

/*
 * What is not printed is not kept: a folder may have very many images. Of the document's findings
 * the first so many are, and then the first of each image.
 */
static void shorten(struct measure *measure, struct show_image *done)
{
    bool row_only = measure->options->quiet || measure->options->format != OPTIONS_JSON;
    struct format_findings *findings = &done->image->findings;

    if (measure->targets.n_list == 1)
        return;
    if (findings->n_list > measure->findings_left)
        format_findings_shorten(findings, 1);
    else
        measure->findings_left -= findings->n_list;
    done->packed = report_pack(done->image, row_only, &measure->packed);
    if (done->packed == NULL)
        return;
    free(done->image);
    done->image = NULL;
    if (report_packed_room(done->packed) > measure->room_bytes)
        measure->room_bytes = report_packed_room(done->packed);
}

/* The little that is kept of each image lies between what was large and is free again: the
 * allocator would take new memory for the next one. */
static void trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

/* Images are judged in their order, whichever was finished first. */
static void judge_finished(struct measure *measure)
{
    while (measure->n_images < measure->targets.n_list &&
           measure->images[measure->n_images].finished) {
        struct show_image *done = &measure->images[measure->n_images++];
        const struct report_image *image = done->image;

        if (measure->console->progress != NULL && (image->error != NULL || image->findings.total))
            measure->console->progress(NULL);
        judge(measure, image);
        shorten(measure, done);
        if (measure->n_images % TRIM_IMAGES == 0)
            trim();
    }
    show_progress(measure, 1);
}

static void finished(void *context, size_t i, struct report_image *image)
{
    struct measure *measure = context;

    measure->images[i].image = image;
    measure->images[i].finished = true;
    judge_finished(measure);
}

static int measure_all(struct measure *measure)
{
    const struct options *options = measure->options;
    struct survey survey = {
        .targets = &measure->targets,
        .choice = {.snapshots = options->snapshots,
                   .n_snapshots = options->n_snapshots,
                   .all_snapshots = options->all_snapshots,
                   .chain = options->chain,
                   .device = options->device,
                   .no_host = options->no_host,
                   .space = options->space,
                   .walk = {.span = options->has_range ? &options->range : NULL}},
        .n_threads = cmd_threads(options),
        .finished = finished,
        .progress = show_progress,
        .context = measure,
    };
    int ret;

    measure->images = calloc(measure->targets.n_list + 1, sizeof(*measure->images));
    if (measure->images == NULL)
        return -ENOMEM;
    ret = survey_measure(&survey);
    if (measure->console->progress != NULL)
        measure->console->progress(NULL);
    return ret;
}

/* ---- the whole course ---- */

/* The line for monitoring says what could not be searched. */
static void say_nothing(const char *path, const char *text)
{
    (void)path;
    (void)text;
}

static int collect(struct measure *measure)
{
    const struct options *options = measure->options;
    struct cmd_console quiet = *measure->console;
    bool in_line = options->format == OPTIONS_NAGIOS;
    int ret;

    quiet.complain = say_nothing;
    ret = targets_collect(&measure->targets, options, true, in_line ? &quiet : measure->console,
                          &measure->status);
    if (measure->targets.n_errors > 0)
        measure->level = REPORT_NOT_KNOWN;
    measure->table = options->n_paths > 1 || options->n_columns > 0 || options->sort != NULL ||
                     measure->targets.has_folder || measure->targets.has_list || options->libvirt ||
                     options->top > 0;
    return ret;
}

static int show(const struct measure *measure, struct io_output *output, struct err *err)
{
    const struct show show = {.options = measure->options,
                              .table = measure->table,
                              .images = measure->images,
                              .n_images = measure->n_images,
                              .domains = &measure->targets.domains,
                              .room_bytes = measure->room_bytes,
                              .search_errors = measure->targets.n_errors,
                              .search_error = measure->targets.first_error,
                              .level = measure->level};

    return show_reports(&show, output, err);
}

/* The output is there before the first image is opened, so that it is none of them. */
static int measure_and_show(struct measure *measure, struct err *err)
{
    const bool shown = !measure->options->quiet;
    struct io_output output;
    int ret = shown ? io_output_open(&output, measure->options->output, err) : 0;

    if (ret < 0)
        return ret;
    if (collect(measure) < 0)
        ret = err_no_memory(err);
    if (ret == 0 && shown)
        ret = io_output_check(&output, err);
    if (ret == 0 && measure_all(measure) < 0)
        ret = err_no_memory(err);
    if (ret == 0 && shown)
        return show(measure, &output, err);
    if (shown)
        io_output_abort(&output);
    return ret;
}

static void release(struct measure *measure)
{
    for (size_t i = 0; measure->images != NULL && i < measure->targets.n_list; i++) {
        if (measure->images[i].image != NULL)
            report_image_free(measure->images[i].image);
        free(measure->images[i].image);
    }
    targets_free(&measure->targets);
    arena_free(&measure->packed);
    free(measure->images);
}

int cmd_measure(const struct options *options, const struct cmd_console *console)
{
    struct measure measure = {
        .options = options, .console = console, .findings_left = FINDINGS_MAX};
    struct err err = {0};

    if (measure_and_show(&measure, &err) < 0) {
        cmd_complain(console, NULL, &err);
        measure.status = CMD_FAILED;
        measure.level = REPORT_NOT_KNOWN;
    }
    release(&measure);
    return options->format == OPTIONS_NAGIOS ? (int)measure.level : measure.status;
}
