// SPDX-License-Identifier: MIT
/* Owns the course of `qcow2frag measure`: find the images, measure each, render all of them. */
#include "cmd.h"

#include "err.h"
#include "facts.h"
#include "find.h"
#include "header.h"
#include "measure.h"
#include "options.h"
#include "output.h"
#include "render.h"
#include "thresholds.h"
#include "vec.h"
#include "workers.h"

#include <pthread.h>
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
    bool table; /* not the page for a single image */
    int status;

    struct host_facts_memory *host_memory; /* for many images */
    struct workers workers;
    pthread_mutex_t lock;        /* over all below, while threads are at work */
    struct report_image *images; /* n_paths of them, as the next */
    bool *finished;
    size_t next;     /* image that nobody has taken yet */
    size_t n_images; /* all before this one are finished and judged */
    time_t shown;    /* when the progress line was last renewed */
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

    if (ret == 0 && measure->n_paths == before) {
        measure->console->complain(folder, "no qcow2 image in this directory");
        measure->status = cmd_worse(measure->status, CMD_FAILED);
    }
    return ret;
}

static int collect(struct measure *measure)
{
    const struct options *options = measure->options;
    int ret = 0;

    measure->table = options->n_paths > 1 || options->n_columns > 0 || options->sort != NULL;
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
static void show_progress(struct measure *measure, double done)
{
    time_t now = time(NULL);
    char text[96];

    if (measure->console->progress == NULL || now == measure->shown)
        return;
    if (measure->shown != 0) {
        if (measure->n_paths == 1)
            snprintf(text, sizeof(text), "measuring: %3.0f %%", 100 * done);
        else
            snprintf(text, sizeof(text), "measuring: %zu of %zu images", measure->n_images,
                     measure->n_paths);
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

/* Images are judged in their order, whichever was finished first. The lock is held. */
static void judge_finished(struct measure *measure)
{
    while (measure->n_images < measure->n_paths && measure->finished[measure->n_images]) {
        const struct report_image *image = &measure->images[measure->n_images++];

        if (measure->console->progress != NULL && (image->error != NULL || image->findings.total))
            measure->console->progress(NULL);
        judge(measure, image);
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
    while (measure->next < measure->n_paths) {
        size_t i = measure->next++;

        pthread_mutex_unlock(&measure->lock);
        report_measure(measure->paths[i], &choice, &measure->images[i]);
        pthread_mutex_lock(&measure->lock);
        measure->finished[i] = true;
        judge_finished(measure);
    }
    pthread_mutex_unlock(&measure->lock);
    return NULL;
}

static int measure_all(struct measure *measure)
{
    int n_threads =
        measure->options->threads > 0 ? measure->options->threads : workers_processors();
    pthread_t *threads = calloc((size_t)n_threads, sizeof(*threads));
    int n_started = 0;

    measure->images = calloc(measure->n_paths + 1, sizeof(*measure->images));
    measure->finished = calloc(measure->n_paths + 1, sizeof(*measure->finished));
    if (measure->n_paths > 1)
        measure->host_memory = host_facts_memory_new();
    if (measure->images == NULL || measure->finished == NULL || threads == NULL ||
        (measure->n_paths > 1 && measure->host_memory == NULL)) {
        free(threads);
        return -1;
    }
    workers_init(&measure->workers, n_threads);
    while ((size_t)n_started + 1 < measure->n_paths && workers_try_take(&measure->workers)) {
        if (pthread_create(&threads[n_started], NULL, measure_images, measure) != 0) {
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
    free(threads);
    if (measure->console->progress != NULL)
        measure->console->progress(NULL);
    return 0;
}

/* ---- showing ---- */

static bool is_page(const struct measure *measure)
{
    return measure->options->format == OPTIONS_TEXT && !measure->table;
}

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
        .snapshots = options->all_snapshots || options->n_snapshots > 0,
        .sort = options->sort,
        .sort_reversed = options->sort_reversed,
    };

    switch (options->format) {
    case OPTIONS_JSON:
        return render_json(stream, measure->images, measure->n_images);
    case OPTIONS_CSV:
        return render_csv(stream, measure->images, measure->n_images, &how);
    default:
        return measure->table ? render_table(stream, measure->images, measure->n_images, &how)
                              : render_text(stream, &measure->images[0], &how);
    }
}

static int show(const struct measure *measure, struct err *err)
{
    struct io_output output;
    int ret;

    if (measure->options->quiet || (is_page(measure) && measure->images[0].error != NULL))
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
    host_facts_memory_free(measure->host_memory);
    free(measure->images);
    free(measure->finished);
    free(measure->paths);
}

int cmd_measure(const struct options *options, const struct cmd_console *console)
{
    struct measure measure = {
        .options = options, .console = console, .lock = PTHREAD_MUTEX_INITIALIZER};
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
