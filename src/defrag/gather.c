// SPDX-License-Identifier: MIT
/* Owns the requests, and the room for what is read over. */
#include "gather.h"

#include "clock.h"
#include "err.h"
#include "io.h"
#include "large.h"
#include "parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READS_MAX 64
#define SCRATCH_BYTES (UINT64_C(4) << 20)
#define GROUP_BYTES_MAX (UINT64_C(1) << 20) /* read at once, gaps and all */
#define CACHED_GAP_BYTES 4096               /* the same of what is in memory */
#define CACHED_BYTES_MAX (UINT64_C(128) << 10)

/* Parts [first, end) that are read at once: into their place if they are one, else into scratch. */
struct group {
    size_t first, end;
    uint64_t from, bytes;
    unsigned char *scratch; /* NULL: into their place */
};

/* Groups that are read side by side. */
struct batch {
    struct group groups[READS_MAX];
    struct io_request requests[READS_MAX];
    size_t n;
    uint64_t scratch_bytes; /* in use */
};

static bool is_stopped(const struct defrag_gather *gather)
{
    return gather->stop != NULL && gather->stop(gather->context);
}

/* ---- groups ---- */

static size_t next_waiting(const struct defrag_parts *parts, size_t i)
{
    while (i < parts->n_list && !parts->list[i].waits)
        i++;
    return i;
}

/* From @first on: each part begins where the one before ends, or a gap behind that. */
static struct group group_from(const struct defrag_parts *parts, size_t first, uint64_t gap_bytes,
                               uint64_t most_bytes)
{
    const struct defrag_part *part = &parts->list[first];
    struct group group = {first, first + 1, part->from, part->bytes, NULL};

    for (size_t i = next_waiting(parts, first + 1); i < parts->n_list;
         i = next_waiting(parts, i + 1)) {
        uint64_t end = group.from + group.bytes;

        part = &parts->list[i];
        if (part->from < end || part->from - end > gap_bytes ||
            part->place - parts->list[first].place != part->from - group.from ||
            part->from + part->bytes - group.from > most_bytes)
            break;
        group.bytes = part->from + part->bytes - group.from;
        group.end = i + 1;
    }
    return group;
}

/* In both files one behind the other? Then they need no scratch. */
static bool is_one(const struct defrag_parts *parts, const struct group *group)
{
    const struct defrag_part *first = &parts->list[group->first];
    uint64_t bytes = 0;

    for (size_t i = group->first; i < group->end; i++) {
        if (parts->list[i].at - first->at != parts->list[i].from - first->from ||
            parts->list[i].from - first->from != bytes)
            return false;
        bytes += parts->list[i].bytes;
    }
    return true;
}

/* Each to its place. */
static void distribute(const struct defrag_parts *parts, const struct group *group,
                       unsigned char *window)
{
    for (size_t i = group->first; i < group->end && group->scratch != NULL; i++) {
        const struct defrag_part *part = &parts->list[i];

        if (part->waits)
            memcpy(window + part->at, group->scratch + (part->from - group->from), part->bytes);
    }
}

static void add_group(struct defrag_gather *gather, const struct defrag_parts *parts,
                      struct batch *batch, struct group group, unsigned char *window)
{
    unsigned char *bytes = window + parts->list[group.first].at;

    if (!is_one(parts, &group)) {
        bytes = group.scratch = gather->scratch + batch->scratch_bytes;
        batch->scratch_bytes += group.bytes;
    }
    batch->groups[batch->n] = group;
    batch->requests[batch->n++] =
        (struct io_request){.off = group.from, .len = (size_t)group.bytes, .buf = bytes};
}

static bool is_full(const struct batch *batch)
{
    return batch->n == READS_MAX || batch->scratch_bytes + GROUP_BYTES_MAX > SCRATCH_BYTES;
}

/* ---- what is in memory ---- */

static void take(struct defrag_gather *gather, struct defrag_parts *parts,
                 const struct group *group, unsigned char *window)
{
    distribute(parts, group, window);
    for (size_t i = group->first; i < group->end; i++) {
        parts->list[i].waits = false;
        gather->read_bytes += parts->list[i].bytes;
    }
}

static void take_batch(struct defrag_gather *gather, struct defrag_parts *parts,
                       struct batch *batch, unsigned char *window)
{
    io_read_cached(gather->source, batch->requests, batch->n);
    for (size_t i = 0; i < batch->n; i++)
        if (batch->requests[i].got == batch->requests[i].len)
            take(gather, parts, &batch->groups[i], window);
    *batch = (struct batch){.n = 0};
}

/* Those that are not are left to wait. To read over a small gap is cheaper than a call of the
 * kernel. */
static void take_cached(struct defrag_gather *gather, struct defrag_parts *parts,
                        unsigned char *window)
{
    struct batch batch = {.n = 0};

    for (size_t i = 0; i < parts->n_list; i++)
        parts->list[i].waits = true;
    for (size_t i = 0; i < parts->n_list && !is_stopped(gather);) {
        struct group group = group_from(parts, i, CACHED_GAP_BYTES, CACHED_BYTES_MAX);

        add_group(gather, parts, &batch, group, window);
        i = group.end;
        if (is_full(&batch) || i == parts->n_list)
            take_batch(gather, parts, &batch, window);
    }
}

/* ---- what is not ---- */

static int read_batch(struct defrag_gather *gather, struct defrag_parts *parts, struct batch *batch,
                      unsigned char *window, struct err *err)
{
    double began = clock_seconds();
    int ret = io_read_batch(gather->source, batch->requests, batch->n, err);

    gather->waited_seconds += clock_seconds() - began;
    for (size_t i = 0; i < batch->n && ret == 0; i++) {
        const struct io_request *request = &batch->requests[i];

        if (request->got < request->len) /* behind the end of the file */
            memset((char *)request->buf + request->got, 0, request->len - request->got);
        distribute(parts, &batch->groups[i], window);
        gather->read_bytes += request->len;
        gather->waited_bytes += request->len;
    }
    batch->n = 0;
    batch->scratch_bytes = 0;
    return ret;
}

static int read_waiting(struct defrag_gather *gather, struct defrag_parts *parts,
                        unsigned char *window, struct err *err)
{
    struct batch batch = {.n = 0};
    int ret = 0;

    for (size_t i = next_waiting(parts, 0); i < parts->n_list && ret == 0;) {
        struct group group = group_from(parts, i, gather->gap_bytes, GROUP_BYTES_MAX);

        if (is_stopped(gather))
            return -EINTR;
        add_group(gather, parts, &batch, group, window);
        i = next_waiting(parts, group.end);
        if (is_full(&batch) || i == parts->n_list)
            ret = read_batch(gather, parts, &batch, window, err);
    }
    return ret;
}

int defrag_gather(struct defrag_gather *gather, struct defrag_parts *parts, unsigned char *window,
                  struct err *err)
{
    if (gather->scratch == NULL)
        gather->scratch = defrag_large_new(SCRATCH_BYTES);
    if (gather->scratch == NULL)
        return err_no_memory(err);
    defrag_parts_sort_by_place(parts);
    take_cached(gather, parts, window);
    return is_stopped(gather) ? -EINTR : read_waiting(gather, parts, window, err);
}

void defrag_gather_free(struct defrag_gather *gather)
{
    free(gather->scratch);
    gather->scratch = NULL;
}
