// SPDX-License-Identifier: MIT
/* Owns the course of `qcow2frag measure`: find the images, measure each, render all of them. */
#include "cmd.h"

#include "arena.h"
#include "err.h"
#include "facts.h"
#include "find.h"
#include "folder.h"
#include "header.h"
#include "measure.h"
#include "options.h"
#include "output.h"
#include "render.h"
#include "terminal.h"
#include "thresholds.h"
#include "vec.h"
#include "workers.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* An image to measure. */
struct target {
    char *path;
    size_t folder;   /* that it was found in, or NAMED: by the user himself */
    size_t relative; /* where the rest of the path begins */
};

#define NAMED SIZE_MAX

#define TRIM_IMAGES 64
#define FINDINGS_MAX 20000 /* in one document: 6 MiB, and more than 100 of the worst images */

struct measure {
    const struct options *options;
    const struct cmd_console *console;
    struct target *targets;
    size_t n_targets, cap_targets;
    struct io_folder *folders; /* named by the user, open until all is measured */
    size_t n_folders, cap_folders;
    bool table; /* not the page for a single image */
    int status;

    struct host_facts_memory *host_memory; /* for many images */
    struct workers workers;
    pthread_mutex_t lock;        /* over all below, while threads are at work */
    struct report_image *images; /* n_targets of them, as the next */
    bool *finished;
    size_t next;          /* image that nobody has taken yet */
    size_t n_images;      /* all before this one are finished and judged */
    time_t shown;         /* when the progress line was last renewed */
    struct arena packed;  /* images that are done with, but for their rows */
    size_t findings_left; /* to be kept whole */
};

/* ---- what to measure ---- */

static int add_target(struct measure *measure, const char *path, size_t folder, size_t relative)
{
    char *copy = strdup(path);

    if (copy == NULL || vec_reserve(measure, targets) < 0) {
        free(copy);
        return -ENOMEM;
    }
    measure->targets[measure->n_targets++] = (struct target){copy, folder, relative};
    return 0;
}

static int found(void *context, const char *path, const char *relative)
{
    struct measure *measure = context;

    return add_target(measure, path, measure->n_folders - 1, (size_t)(relative - path));
}

static void search_failed(void *context, const char *path, int error)
{
    struct measure *measure = context;

    measure->console->complain(path, strerror(error));
    measure->status = cmd_worse(measure->status, CMD_FAILED);
}

static int search(struct measure *measure, const char *path)
{
    const struct io_find find = {.wanted = format_header_probe,
                                 .found = found,
                                 .failed = search_failed,
                                 .context = measure,
                                 .one_file_system = measure->options->one_file_system};
    size_t before = measure->n_targets;
    struct err err = {0};
    int ret;

    if (vec_reserve(measure, folders) < 0)
        return -ENOMEM;
    ret = io_folder_open(path, &measure->folders[measure->n_folders], &err);
    if (ret < 0) {
        cmd_complain(measure->console, path, &err);
        measure->status = cmd_worse(measure->status, CMD_FAILED);
        return ret == -ENOMEM ? ret : 0;
    }
    measure->n_folders++;
    ret = io_find(&measure->folders[measure->n_folders - 1], &find);
    if (ret == 0 && measure->n_targets == before) {
        measure->console->complain(path, "no qcow2 image in this directory");
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
        const char *path = options->paths[i];
        struct stat st;
        bool found = stat(path, &st) == 0, folder = found && S_ISDIR(st.st_mode);

        if (found)
            io_output_spare(&st);
        measure->table |= folder;
        ret = folder ? search(measure, path) : add_target(measure, path, NAMED, 0);
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
        if (measure->n_targets == 1)
            snprintf(text, sizeof(text), "measuring: %3.0f %%", 100 * done);
        else
            snprintf(text, sizeof(text), "measuring: %zu of %zu images", measure->n_images,
                     measure->n_targets);
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
static void shorten(struct measure *measure, struct report_image *image)
{
    if (measure->n_targets == 1)
        return;
    if (measure->options->quiet || measure->options->format != OPTIONS_JSON) {
        report_image_pack(image, &measure->packed);
        return;
    }
    if (image->findings.n_list > measure->findings_left)
        format_findings_shorten(&image->findings, 1);
    else
        measure->findings_left -= image->findings.n_list;
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
    while (measure->n_images < measure->n_targets && measure->finished[measure->n_images]) {
        struct report_image *image = &measure->images[measure->n_images++];

        if (measure->console->progress != NULL && (image->error != NULL || image->findings.total))
            measure->console->progress(NULL);
        judge(measure, image);
        shorten(measure, image);
        if (measure->n_images % TRIM_IMAGES == 0)
            trim();
    }
    show_progress(measure, 1);
}

/* What was found in a folder is opened from there, whatever its path leads to by now. */
static void measure_target(const struct measure *measure, const struct target *target,
                           const struct report_choice *choice, struct report_image *image)
{
    struct err err = {0};
    struct io *io;

    if (target->folder == NAMED)
        report_measure(target->path, choice, image);
    else if (io_folder_open_file(&measure->folders[target->folder], target->path + target->relative,
                                 &io, &err) == 0)
        report_measure_io(io, target->path, choice, image);
    else
        report_not_opened(target->path, &err, image);
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
    while (measure->next < measure->n_targets) {
        size_t i = measure->next++;

        pthread_mutex_unlock(&measure->lock);
        measure_target(measure, &measure->targets[i], &choice, &measure->images[i]);
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

    measure->images = calloc(measure->n_targets + 1, sizeof(*measure->images));
    measure->finished = calloc(measure->n_targets + 1, sizeof(*measure->finished));
    if (measure->n_targets > 1)
        measure->host_memory = host_facts_memory_new();
    if (measure->images == NULL || measure->finished == NULL || threads == NULL ||
        (measure->n_targets > 1 && measure->host_memory == NULL)) {
        free(threads);
        return -1;
    }
    workers_init(&measure->workers, n_threads);
    while ((size_t)n_started + 1 < measure->n_targets && workers_try_take(&measure->workers)) {
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

/* @width: of the terminal that will show it, or 0. */
static int render(const struct measure *measure, FILE *stream, unsigned width)
{
    const struct options *options = measure->options;
    const struct render_options how = {
        .bytes = options->bytes,
        .noheadings = options->noheadings,
        .verbose = options->verbose,
        .histogram = options->histogram,
        .width = width,
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

/*
 * Page and table ask for memory while they are printed: so first into memory, lest half of one is
 * seen. The others, which may be large, ask for none.
 */
static int render_whole(const struct measure *measure, FILE *stream)
{
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *memory;
    int ret;

    if (measure->options->format != OPTIONS_TEXT)
        return render(measure, stream, 0);
    memory = open_memstream(&text, &text_bytes);
    if (memory == NULL)
        return -ENOMEM;
    ret = render(measure, memory, terminal_width(stream));
    if (fflush(memory) != 0 || ferror(memory))
        ret = -ENOMEM;
    fclose(memory);
    if (ret == 0 && text == NULL)
        ret = -ENOMEM;
    if (ret == 0)
        fwrite(text, 1, text_bytes, stream);
    free(text);
    return ret;
}

/* Releases @output. */
static int show(const struct measure *measure, struct io_output *output, struct err *err)
{
    int ret = io_output_check(output, err);

    if (ret < 0 || (is_page(measure) && measure->images[0].error != NULL)) {
        io_output_abort(output);
        return ret;
    }
    ret = render_whole(measure, output->stream);
    if (ret < 0) {
        err_set(err, -ret, "cannot print the result: %s", strerror(-ret));
        io_output_abort(output);
        return ret;
    }
    return io_output_commit(output, err);
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
    for (size_t i = 0; i < measure->n_images; i++)
        report_image_free(&measure->images[i]);
    for (size_t i = 0; i < measure->n_targets; i++)
        free(measure->targets[i].path);
    for (size_t i = 0; i < measure->n_folders; i++)
        io_folder_close(&measure->folders[i]);
    host_facts_memory_free(measure->host_memory);
    arena_free(&measure->packed);
    free(measure->images);
    free(measure->finished);
    free(measure->targets);
    free(measure->folders);
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
