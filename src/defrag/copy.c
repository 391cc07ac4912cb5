// SPDX-License-Identifier: MIT
/*
 * Owns the window. Never trusts what the source says of its holes: all that is mapped is read, and
 * a hole is left only where what was read is zeros, too.
 */
#include "copy.h"

#include "err.h"
#include "io.h"
#include "moves.h"
#include "new_file.h"
#include "plan.h"
#include "planned.h"
#include "vec.h"
#include "zeros.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <xxhash.h>

#define READ_BYTES_MAX (UINT64_C(1) << 20)
#define SCRATCH_BYTES (UINT64_C(4) << 20)
#define READS_MAX 64
#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)

/* A part of the window: where it comes from. */
struct part {
    uint64_t from;
    uint32_t at, bytes; /* in the window */
    bool hole;          /* of the source, as the file system says */
};

struct window {
    const struct defrag_plan *plan;
    struct io *source, *planned;
    struct store_new_file *file;
    const struct defrag_copy_options *options;
    struct defrag_copied *copied;
    struct err *err;

    unsigned char *bytes; /* step of them */
    uint64_t step;
    uint64_t begin, end; /* of the window in the new file */
    struct part *parts;  /* in the order of the new file; sorted for reading, and back */
    size_t n_parts, cap_parts;
    size_t next_cluster, next_blob; /* of the plan's moves */
    unsigned char *scratch;
    uint64_t extent_begin, extent_end; /* of the source: a stretch of data, or a hole */
    bool extent_hole;
    struct timespec began;
};

/* ---- what is in the window ---- */

/* How much from @from on is alike: data, or a hole. */
static uint64_t alike(struct window *window, uint64_t from, uint64_t most)
{
    if (from < window->extent_begin || from >= window->extent_end) {
        uint64_t data = io_next_data(window->source, from);

        window->extent_begin = from;
        window->extent_hole = data > from;
        window->extent_end = data > from ? data : io_next_hole(window->source, from);
        if (window->extent_end <= from) /* a file that changes */
            window->extent_end = from + 1;
    }
    return window->extent_end - from < most ? window->extent_end - from : most;
}

static int add_part(struct window *window, uint64_t from, uint64_t to, uint64_t bytes)
{
    while (bytes > 0) {
        uint64_t most = bytes < READ_BYTES_MAX ? bytes : READ_BYTES_MAX;
        uint64_t n = alike(window, from, most);

        if (vec_reserve(window, parts) < 0)
            return err_no_memory(window->err);
        window->parts[window->n_parts++] =
            (struct part){from, (uint32_t)(to - window->begin), (uint32_t)n, window->extent_hole};
        from += n;
        to += n;
        bytes -= n;
    }
    return 0;
}

/* What of these moves goes into the window; *@next is where those begin that may. */
static int find_parts_of(struct window *window, const struct defrag_moves *moves, size_t *next)
{
    for (; *next < moves->n_list; (*next)++) {
        struct defrag_move move = defrag_moves_at(moves, *next);
        uint64_t begin = move.to > window->begin ? move.to : window->begin;
        uint64_t end = move.to + move.bytes;
        int ret;

        if (begin >= window->end)
            break;
        end = end < window->end ? end : window->end;
        ret = add_part(window, move.from + (begin - move.to), begin, end - begin);
        if (ret < 0)
            return ret;
        if (move.to + move.bytes > window->end) /* it goes on in the next window */
            break;
    }
    return 0;
}

static int find_parts(struct window *window)
{
    int ret;

    window->n_parts = 0;
    ret = find_parts_of(window, &window->plan->data, &window->next_cluster);
    return ret < 0 ? ret : find_parts_of(window, &window->plan->blobs, &window->next_blob);
}

/* ---- reading ---- */

static int by_from(const void *a, const void *b)
{
    const struct part *left = a, *right = b;

    if (left->from != right->from)
        return left->from < right->from ? -1 : 1;
    return (left->at > right->at) - (left->at < right->at);
}

static int by_at(const void *a, const void *b)
{
    const struct part *left = a, *right = b;

    return (left->at > right->at) - (left->at < right->at);
}

/* Parts [first, end) that lie close together: one read of all between them, then each to its place.
 */
static int read_over(struct window *window, size_t first, size_t end)
{
    const struct part *last = &window->parts[end - 1];
    uint64_t from = window->parts[first].from;
    size_t len = (size_t)(last->from + last->bytes - from);
    int ret = io_read(window->source, from, window->scratch, len, window->err);

    window->copied->read_bytes += len;
    for (size_t i = first; i < end && ret == 0; i++)
        memcpy(window->bytes + window->parts[i].at,
               window->scratch + (window->parts[i].from - from), window->parts[i].bytes);
    return ret;
}

/* How many parts from @first on one read is to take: each begins a little behind the one before. */
static size_t group_end(const struct window *window, size_t first)
{
    uint64_t begin = window->parts[first].from, end = begin + window->parts[first].bytes;
    size_t i = first + 1;

    for (; i < window->n_parts; i++) {
        const struct part *part = &window->parts[i];

        if (part->from > end + window->options->gap_bytes || part->from < end ||
            part->from + part->bytes - begin > SCRATCH_BYTES)
            break;
        end = part->from + part->bytes;
    }
    return i;
}

static int read_parts(struct window *window)
{
    struct io_request requests[READS_MAX];
    size_t n = 0;
    int ret = 0;

    qsort(window->parts, window->n_parts, sizeof(*window->parts), by_from);
    for (size_t i = 0, end; i < window->n_parts && ret == 0; i = end) {
        const struct part *part = &window->parts[i];

        end = group_end(window, i);
        if (end - i == 1) {
            requests[n++] = (struct io_request){
                .off = part->from, .len = part->bytes, .buf = window->bytes + part->at};
            window->copied->read_bytes += part->bytes;
        }
        if (n == READS_MAX || (n > 0 && (end - i > 1 || end == window->n_parts))) {
            ret = io_read_batch(window->source, requests, n, window->err);
            for (size_t k = 0; k < n && ret == 0; k++) /* behind the end of the file are zeros */
                memset((char *)requests[k].buf + requests[k].got, 0,
                       requests[k].len - requests[k].got);
            n = 0;
        }
        if (ret == 0 && end - i > 1)
            ret = read_over(window, i, end);
    }
    return ret;
}

/* ---- writing ---- */

static int write_range(struct window *window, uint64_t begin, uint64_t end)
{
    if (begin >= end)
        return 0;
    window->copied->written_bytes += end - begin;
    return store_new_file_write(window->file, window->begin + begin, window->bytes + begin,
                                (size_t)(end - begin), window->err);
}

/* Parts side by side become one write; those that are holes, and zeros, none. */
static int write_parts(struct window *window)
{
    uint64_t begin = 0, end = 0;
    int ret = 0;

    for (size_t i = 0; i < window->n_parts && ret == 0; i++) {
        const struct part *part = &window->parts[i];

        if (part->hole && is_zeros(window->bytes + part->at, part->bytes))
            continue;
        if (part->at > end) {
            ret = write_range(window, begin, end);
            begin = part->at;
        }
        if ((uint64_t)part->at + part->bytes > end)
            end = (uint64_t)part->at + part->bytes;
    }
    return ret < 0 ? ret : write_range(window, begin, end);
}

/* What no part fills is zeros, or metadata. The parts are in the order of the window. */
static void clear_gaps(struct window *window)
{
    uint64_t end = 0;

    for (size_t i = 0; i < window->n_parts; i++) {
        const struct part *part = &window->parts[i];

        if (part->at > end)
            memset(window->bytes + end, 0, (size_t)(part->at - end));
        if ((uint64_t)part->at + part->bytes > end)
            end = (uint64_t)part->at + part->bytes;
    }
    memset(window->bytes + end, 0, (size_t)(window->end - window->begin - end));
}

/* The metadata that lie in the window, as the file has them: for its hashes. */
static int read_metadata(struct window *window)
{
    struct defrag_extent extent = {.end = window->begin};

    while (defrag_planned_next(window->planned, extent.end, &extent) &&
           extent.begin < window->end) {
        uint64_t begin = extent.begin > window->begin ? extent.begin : window->begin;
        uint64_t end = extent.end < window->end ? extent.end : window->end;
        int ret = store_new_file_read(window->file, begin, window->bytes + (begin - window->begin),
                                      (size_t)(end - begin), window->err);

        if (ret < 0)
            return ret;
    }
    return 0;
}

static void hash_window(struct window *window)
{
    for (uint64_t at = window->begin; at < window->end; at += DEFRAG_BLOCK_BYTES) {
        uint64_t left = window->end - at;
        size_t len = left < DEFRAG_BLOCK_BYTES ? (size_t)left : DEFRAG_BLOCK_BYTES;
        const unsigned char *block = window->bytes + (at - window->begin);
        XXH128_hash_t hash;

        if (is_zeros(block, len)) /* most often where nothing is */
            continue;
        hash = XXH3_128bits(block, len);
        window->copied->hashes.list[at / DEFRAG_BLOCK_BYTES] =
            (struct defrag_hash){hash.low64, hash.high64};
    }
}

/* ---- the way through the file ---- */

static double seconds_since(const struct timespec *began)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - began->tv_sec) + (double)(now.tv_nsec - began->tv_nsec) / 1e9;
}

static bool is_stopped(const struct window *window)
{
    const struct defrag_watch *watch = &window->options->watch;

    return watch->stop != NULL && watch->stop(watch->context);
}

/* Waits until so many bytes may have been written; a signal wakes it up at once. */
static void keep_to_rate(const struct window *window)
{
    while (window->options->rate > 0 && !is_stopped(window)) {
        double due = (double)window->copied->written_bytes / (double)window->options->rate;
        double left = due - seconds_since(&window->began);
        double step = left < 0.1 ? left : 0.1;
        struct timespec pause = {0, (long)(step * 1e9)};

        if (left <= 0)
            return;
        nanosleep(&pause, NULL);
    }
}

/* Where the next thing of the new file begins that is not behind @to; its end if there is none. */
static uint64_t next_thing(const struct window *window, uint64_t to)
{
    const struct defrag_moves *lists[] = {&window->plan->data, &window->plan->blobs};
    const size_t nexts[] = {window->next_cluster, window->next_blob};
    uint64_t next = window->plan->file_bytes;
    struct defrag_extent extent;

    for (size_t i = 0; i < 2; i++) {
        struct defrag_move move;

        if (nexts[i] == lists[i]->n_list)
            continue;
        move = defrag_moves_at(lists[i], nexts[i]);
        next = move.to < next ? move.to : next;
    }
    if (defrag_planned_next(window->planned, to, &extent) && extent.begin < next)
        next = extent.begin;
    return next > to ? next : to;
}

/* To the end of what there is nothing in, in whole blocks: those keep an empty hash. */
static void pass_over_nothing(struct window *window)
{
    uint64_t next = next_thing(window, window->begin);

    if (next < window->plan->file_bytes)
        next &= ~(DEFRAG_BLOCK_BYTES - 1);
    if (next > window->begin)
        window->begin = next;
}

static int copy_window(struct window *window)
{
    int ret;

    ret = find_parts(window);
    if (ret == 0)
        ret = read_parts(window);
    qsort(window->parts, window->n_parts, sizeof(*window->parts), by_at);
    if (ret == 0)
        ret = write_parts(window);
    if (ret == 0 && window->options->hash) {
        clear_gaps(window);
        ret = read_metadata(window);
    }
    if (ret == 0 && window->options->hash)
        hash_window(window);
    return ret;
}

static int copy_all(struct window *window)
{
    const struct defrag_watch *watch = &window->options->watch;
    uint64_t end = window->plan->file_bytes, step = window->step;

    clock_gettime(CLOCK_MONOTONIC, &window->began);
    for (; window->begin < end; window->begin = window->end) {
        int ret;

        if (is_stopped(window))
            return -EINTR;
        pass_over_nothing(window);
        if (window->begin == end)
            break;
        window->end = end - window->begin < step ? end : window->begin + step;
        ret = copy_window(window);
        if (ret < 0)
            return ret;
        store_new_file_begin_sync(window->file, window->begin, window->end - window->begin);
        if (watch->progress != NULL)
            watch->progress(watch->context, "copied", window->end, end);
        keep_to_rate(window);
    }
    return is_stopped(window) ? -EINTR : 0;
}

/* Large pages, where the system has them: a window may be a quarter of a million small ones. */
static void *window_new(uint64_t bytes)
{
    void *window =
        aligned_alloc(HUGE_PAGE_BYTES, (bytes + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1));

    if (window != NULL)
        madvise(window, bytes, MADV_HUGEPAGE);
    return window;
}

int defrag_copy(struct defrag_plan *plan, struct io *source, struct io *planned,
                struct store_new_file *file, const struct defrag_copy_options *options,
                struct defrag_copied *copied, struct err *err)
{
    struct window window = {.plan = plan,
                            .source = source,
                            .planned = planned,
                            .file = file,
                            .options = options,
                            .copied = copied,
                            .err = err};
    int ret = 0;

    *copied = (struct defrag_copied){.read_bytes = 0};
    window.step = (plan->file_bytes + DEFRAG_BLOCK_BYTES - 1) & ~(DEFRAG_BLOCK_BYTES - 1);
    if (window.step > options->memory_bytes)
        window.step = options->memory_bytes;
    if (options->rate > 0 && window.step > options->rate) /* a second's worth, for a steady flow */
        window.step = options->rate > DEFRAG_BLOCK_BYTES ? options->rate & ~(DEFRAG_BLOCK_BYTES - 1)
                                                         : DEFRAG_BLOCK_BYTES;
    window.bytes = window_new(window.step);
    window.scratch = malloc(SCRATCH_BYTES);
    if (options->hash) {
        copied->hashes.n_list =
            (size_t)((plan->file_bytes + DEFRAG_BLOCK_BYTES - 1) / DEFRAG_BLOCK_BYTES);
        copied->hashes.list = calloc(copied->hashes.n_list + 1, sizeof(*copied->hashes.list));
    }
    if (window.bytes == NULL || window.scratch == NULL ||
        (options->hash && copied->hashes.list == NULL))
        ret = err_no_memory(err);
    if (ret == 0)
        ret = copy_all(&window);
    free(window.bytes);
    free(window.scratch);
    free(window.parts);
    return ret;
}
