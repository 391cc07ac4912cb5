// SPDX-License-Identifier: MIT
/* Owns the windows and the pace. */
#include "copy.h"

#include "clock.h"
#include "counts.h"
#include "err.h"
#include "gather.h"
#include "large.h"
#include "map.h"
#include "new_file.h"
#include "plan.h"
#include "planned.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WINDOWS_MAX 4
#define MEMORY_OF_FAST (UINT64_C(64) << 20) /* more is of no use where nothing is sorted */
#define PARTS_MAX ((size_t)1 << 19)         /* of all windows: 12 MiB */

/* A gap that takes as long to be read over as a seek takes at least, or a command. */
#define GAP_SPINNING (UINT64_C(768) << 10)
#define GAP_FAST (UINT64_C(16) << 10)
_Static_assert(GAP_SPINNING >= PIECE_READ_OVER_BYTES, "what the disk reads over is read");

/* So much has been waited for, at less than so many bytes a second: then the disk may spin. */
#define JUDGED_BYTES (UINT64_C(16) << 20)
#define SLOW_RATE 100e6

struct copy {
    struct defrag_plan *plan;
    struct io *source, *planned;
    struct store_new_file *file;
    const struct defrag_copy_options *options;
    struct err *err;

    unsigned char *memory;
    struct defrag_window windows[WINDOWS_MAX];
    size_t n_windows;
    uint64_t step; /* the bytes of a window, at most */
    bool settled;  /* it is known what kind of disk it is */
    struct host_map *map;

    struct defrag_parts_cursor cursor;
    struct defrag_gather gather;
    struct defrag_crew crew;
    struct defrag_lay lay;
    double began;
};

/* ---- windows ---- */

static uint64_t blocks(uint64_t bytes)
{
    return bytes > DEFRAG_BLOCK_BYTES ? bytes / DEFRAG_BLOCK_BYTES * DEFRAG_BLOCK_BYTES
                                      : DEFRAG_BLOCK_BYTES;
}

/* No more than the whole file needs. All windows are their owner's, and hold nothing. */
static int divide_memory(struct copy *copy, uint64_t bytes, size_t n_windows)
{
    uint64_t all = copy->plan->file_bytes + n_windows * DEFRAG_BLOCK_BYTES;
    uint64_t rate = copy->options->rate;

    copy->n_windows = n_windows;
    copy->step = blocks((bytes < all ? bytes : all) / n_windows);
    if (rate > 0 && copy->step > rate) /* a second's worth, for a steady flow */
        copy->step = blocks(rate);
    copy->cursor.most = PARTS_MAX / n_windows;
    free(copy->memory);
    copy->memory = defrag_large_new(n_windows * copy->step);
    if (copy->memory == NULL)
        return err_no_memory(copy->err);
    for (size_t i = 0; i < n_windows; i++)
        copy->windows[i].bytes = copy->memory + i * copy->step;
    return 0;
}

/* Several small windows, of which one is read while others are written. */
static int take_as_fast(struct copy *copy)
{
    uint64_t bytes = copy->options->memory_bytes;

    if (copy->options->disk == DEFRAG_DISK_UNKNOWN && bytes > MEMORY_OF_FAST)
        bytes = MEMORY_OF_FAST;
    copy->gather.gap_bytes = GAP_FAST;
    return divide_memory(copy, bytes, copy->options->rate > 0 ? 1 : WINDOWS_MAX);
}

/* One large window: a head does not go to and fro between both files, and has short ways. */
static int take_as_spinning(struct copy *copy)
{
    struct err ignored = {.code = 0};
    int ret = host_map_open(copy->source, HOST_SEGMENTS_MAX, &copy->map, &ignored);

    if (ret == -ENOMEM)
        return err_no_memory(copy->err);
    copy->cursor.map = ret == 0 ? copy->map : NULL;
    copy->gather.gap_bytes = GAP_SPINNING;
    copy->settled = true;
    return divide_memory(copy, copy->options->memory_bytes, 1);
}

static bool is_slow(const struct copy *copy)
{
    const struct defrag_gather *gather = &copy->gather;

    return gather->waited_bytes >= JUDGED_BYTES &&
           (double)gather->waited_bytes < SLOW_RATE * gather->waited_seconds;
}

/* ---- pace ---- */

static bool is_stopped(const struct copy *copy)
{
    const struct defrag_watch *watch = &copy->options->watch;

    return watch->stop != NULL && watch->stop(watch->context);
}

/* Waits until so many bytes may have been written; a signal wakes it up at once. */
static void keep_to_rate(const struct copy *copy)
{
    while (copy->options->rate > 0 && !is_stopped(copy)) {
        double due = (double)atomic_load(&copy->lay.written_bytes) / (double)copy->options->rate;
        double left = due - (clock_seconds() - copy->began);
        double step = left < 0.1 ? left : 0.1;
        struct timespec pause = {0, (long)(step * 1e9)};

        if (left <= 0)
            return;
        nanosleep(&pause, NULL);
    }
}

/* Waits until the window is written, if it is not yet. */
static int finish(struct copy *copy, struct defrag_window *window)
{
    const struct defrag_watch *watch = &copy->options->watch;
    int ret = defrag_crew_wait(&copy->crew, window);

    if (ret < 0 || window->begin == window->end)
        return ret;
    store_new_file_begin_sync(copy->file, window->begin, window->end - window->begin);
    if (watch->progress != NULL)
        watch->progress(watch->context, "copied", window->end, copy->plan->file_bytes);
    keep_to_rate(copy);
    window->begin = window->end;
    return 0;
}

/* From the one that was given first; @next would be given next. */
static int finish_all(struct copy *copy, size_t next)
{
    int ret = 0;

    for (size_t i = 0; i < copy->n_windows && ret == 0; i++)
        ret = finish(copy, &copy->windows[(next + i) % copy->n_windows]);
    return ret;
}

/* ---- the way through the file ---- */

/* To the end of what there is nothing in, in whole blocks: those keep an empty hash. */
static uint64_t pass_over_nothing(const struct copy *copy, uint64_t begin)
{
    uint64_t next = defrag_parts_next(&copy->cursor);
    struct defrag_extent extent;

    if (defrag_planned_next(copy->planned, begin, &extent) && extent.begin < next)
        next = extent.begin;
    if (next >= copy->plan->file_bytes)
        return copy->plan->file_bytes;
    next &= ~(DEFRAG_BLOCK_BYTES - 1);
    return next > begin ? next : begin;
}

static int fill(struct copy *copy, struct defrag_window *window, uint64_t begin)
{
    uint64_t end = copy->plan->file_bytes, to = end - begin < copy->step ? end : begin + copy->step;
    int ret = defrag_parts_find(&window->parts, &copy->cursor, begin, &to, copy->err);

    if (ret == 0)
        ret = defrag_gather(&copy->gather, &window->parts, window->bytes, copy->err);
    if (ret < 0)
        return ret;
    defrag_parts_sort_by_at(&window->parts);
    window->begin = begin;
    window->end = to;
    return 0;
}

static int copy_all(struct copy *copy)
{
    size_t next = 0; /* window */
    uint64_t begin = 0;
    int ret = 0;

    for (;;) {
        struct defrag_window *window = &copy->windows[next];

        ret = is_stopped(copy) ? -EINTR : finish(copy, window);
        if (ret < 0)
            return ret;
        begin = pass_over_nothing(copy, begin);
        if (begin == copy->plan->file_bytes)
            break;
        ret = fill(copy, window, begin);
        if (ret < 0)
            return ret;
        begin = window->end;
        defrag_crew_give(&copy->crew, window);
        next = (next + 1) % copy->n_windows;
        if (!copy->settled && is_slow(copy)) {
            ret = finish_all(copy, next);
            if (ret == 0)
                ret = take_as_spinning(copy);
            next = 0;
        }
        if (ret < 0)
            return ret;
    }
    ret = finish_all(copy, next);
    return ret == 0 && is_stopped(copy) ? -EINTR : ret;
}

static int prepare(struct copy *copy, struct defrag_copied *copied)
{
    const struct defrag_copy_options *options = copy->options;
    uint64_t all = copy->plan->file_bytes + DEFRAG_BLOCK_BYTES - 1;

    if (options->hash) {
        copied->hashes.n_list = (size_t)(all / DEFRAG_BLOCK_BYTES);
        copied->hashes.list = calloc(copied->hashes.n_list + 1, sizeof(*copied->hashes.list));
    }
    copy->lay.hashes = copied->hashes.list;
    if (options->hash && copied->hashes.list == NULL)
        return err_no_memory(copy->err);
    copy->settled = options->disk == DEFRAG_DISK_FAST;
    return options->disk == DEFRAG_DISK_SPINS ? take_as_spinning(copy) : take_as_fast(copy);
}

static void release(struct copy *copy)
{
    for (size_t i = 0; i < WINDOWS_MAX; i++)
        defrag_parts_free(&copy->windows[i].parts);
    defrag_gather_free(&copy->gather);
    host_map_free(copy->map);
    free(copy->memory);
}

int defrag_copy(struct defrag_plan *plan, struct io *source, struct io *planned,
                struct store_new_file *file, const struct defrag_copy_options *options,
                struct defrag_copied *copied, struct err *err)
{
    struct copy copy = {.plan = plan,
                        .source = source,
                        .planned = planned,
                        .file = file,
                        .options = options,
                        .err = err,
                        .cursor = {.plan = plan},
                        .gather = {.source = source,
                                   .stop = options->watch.stop,
                                   .context = options->watch.context},
                        .lay = {.source = source, .planned = planned, .file = file}};
    int ret;

    *copied = (struct defrag_copied){.read_bytes = 0};
    ret = prepare(&copy, copied);
    if (ret == 0) {
        copy.began = clock_seconds();
        defrag_crew_begin(&copy.crew, defrag_lay, &copy.lay);
        ret = copy_all(&copy);
        ret = defrag_crew_end(&copy.crew, ret, err);
    }
    copied->read_bytes = copy.gather.read_bytes;
    copied->written_bytes = atomic_load(&copy.lay.written_bytes);
    release(&copy);
    return ret;
}
