// SPDX-License-Identifier: MIT
/* Owns the course of `qcow2frag measure`, and its threads: images are measured side by side, and
 * judged in their order. */
#include "cmd.h"

#include "arena.h"
#include "cleanup.h"
#include "err.h"
#include "facts.h"
#include "measure.h"
#include "options.h"
#include "output.h"
#include "pack.h"
#include "report.h"
#include "show.h"
#include "targets.h"
#include "thresholds.h"
#include "workers.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
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

    struct host_facts_memory *host_memory; /* for many images */
    struct workers workers;
    pthread_mutex_t lock;      /* over all below, while threads are at work */
    struct show_image *images; /* one for each target */
    size_t next;               /* image that nobody has taken yet */
    bool no_memory;            /* for one of them */
    size_t n_images;           /* all before this one are finished and judged */
    time_t shown;              /* when the progress line was last renewed */
    struct arena packed;       /* what images that are done with are packed in, */
    size_t room_bytes;         /* and the most that it takes to unpack one */
    size_t findings_left;      /* to be kept whole */
};

/* ---- measuring ---- */

/* At most once a second, so that a fast measurement shows nothing at all. */
static void show_progress(struct measure *measure, double done)
{
    time_t now = time(NULL);
    char text[96];

    if (measure->console->progress == NULL || now == measure->shown)
        return;
    if (measure->shown != 0) {
        if (measure->targets.n_list == 1)
            snprintf(text, sizeof(text), "measuring: %3.0f %%", 100 * done);
        else
            snprintf(text, sizeof(text), "measuring: %zu of %zu images", measure->n_images,
                     measure->targets.n_list);
        measure->console->progress(text);
    }
    measure->shown = now;
}

static void image_progress(void *context, double done)
{
    struct measure *measure = context;

    pthread_mutex_lock(&measure->lock);
    show_progress(measure, done);
    pthread_mutex_unlock(&measure->lock);
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

/* Images are judged in their order, whichever was finished first. The lock is held. */
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

/* A thread takes image after image; while one is measured, its walk may take further threads. */
static void *measure_images(void *context)
{
    struct measure *measure = context;
    const struct options *options = measure->options;
    const struct report_choice choice = {
        .snapshots = options->snapshots,
        .n_snapshots = options->n_snapshots,
        .all_snapshots = options->all_snapshots,
        .chain = options->chain,
        .device = options->device,
        .no_host = options->no_host,
        .host_memory = measure->host_memory,
        .space = options->space,
        .walk = {.workers = &measure->workers,
                 .span = options->has_range ? &options->range : NULL,
                 .progress = image_progress,
                 .context = measure},
    };

    pthread_mutex_lock(&measure->lock);
    while (measure->next < measure->targets.n_list && !measure->no_memory) {
        size_t i = measure->next++;
        struct report_image *image = calloc(1, sizeof(*image));

        measure->images[i].image = image;
        measure->no_memory = image == NULL;
        if (image == NULL)
            break;
        pthread_mutex_unlock(&measure->lock);
        targets_measure(&measure->targets, i, &choice, image);
        pthread_mutex_lock(&measure->lock);
        measure->images[i].finished = true;
        judge_finished(measure);
    }
    pthread_mutex_unlock(&measure->lock);
    return NULL;
}

static int measure_all(struct measure *measure)
{
    int n_threads =
        measure->options->threads > 0 ? measure->options->threads : workers_processors();
    CLEANUP_FREE pthread_t *threads = calloc((size_t)n_threads, sizeof(*threads));
    int n_started = 0;

    measure->images = calloc(measure->targets.n_list + 1, sizeof(*measure->images));
    if (measure->targets.n_list > 1)
        measure->host_memory = host_facts_memory_new();
    if (measure->images == NULL || threads == NULL ||
        (measure->targets.n_list > 1 && measure->host_memory == NULL))
        return -1;
    workers_init(&measure->workers, n_threads);
    while ((size_t)n_started + 1 < measure->targets.n_list && workers_try_take(&measure->workers)) {
        if (workers_start(&threads[n_started], measure_images, measure) != 0) {
            workers_give(&measure->workers);
            break;
        }
        n_started++;
    }
    measure_images(measure);
    for (int i = 0; i < n_started; i++) {
        pthread_join(threads[i], NULL);
        workers_give(&measure->workers); /* those still at work on an image may use it */
    }
    if (measure->console->progress != NULL)
        measure->console->progress(NULL);
    return measure->no_memory ? -1 : 0;
}

/* ---- the whole course ---- */

static int collect(struct measure *measure)
{
    const struct options *options = measure->options;
    int ret = targets_collect(&measure->targets, options, measure->console, &measure->status);

    measure->table = options->n_paths > 1 || options->n_columns > 0 || options->sort != NULL ||
                     measure->targets.has_folder;
    return ret;
}

static int show(const struct measure *measure, struct io_output *output, struct err *err)
{
    const struct show show = {.options = measure->options,
                              .table = measure->table,
                              .images = measure->images,
                              .n_images = measure->n_images,
                              .room_bytes = measure->room_bytes};

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
    host_facts_memory_free(measure->host_memory);
    arena_free(&measure->packed);
    free(measure->images);
}

int cmd_measure(const struct options *options, const struct cmd_console *console)
{
    struct measure measure = {.options = options,
                              .console = console,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .findings_left = FINDINGS_MAX};
    struct err err = {0};

    if (measure_and_show(&measure, &err) < 0) {
        cmd_complain(console, NULL, &err);
        measure.status = CMD_FAILED;
    }
    release(&measure);
    return measure.status;
}
