/* SPDX-License-Identifier: MIT */
/*
 * What moves into a window of the new file: parts, each from one place of the source. They are
 * found in the order of the new file, and put into the order in which they lie on the disk to be
 * read.
 */
#ifndef DEFRAG_PARTS_H
#define DEFRAG_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct defrag_plan;
struct err;
struct host_map;

/* Of the new file: no part reaches over the end of one, and each has a hash. */
#define DEFRAG_BLOCK_BYTES (UINT64_C(1) << 20)

/* A window may have half a million of them, so they are small. */
struct defrag_part {
    uint64_t from;       /* in the source */
    uint64_t place;      /* on the disk of the source; where that is not known, @from */
    uint64_t at : 42;    /* in the window */
    uint64_t bytes : 21; /* at most a block */
    bool waits : 1;      /* for who reads: it is still to be read */
};

_Static_assert(sizeof(struct defrag_part) == 24, "no more than is counted on");

/* Release with defrag_parts_free. */
struct defrag_parts {
    struct defrag_part *list;
    size_t n_list, cap_list;
};

/* How far the moves of a plan have been gone through. Filled by the caller; the indices begin at 0.
 */
struct defrag_parts_cursor {
    const struct defrag_plan *plan; /* sorted by where things go */
    const struct host_map *map;     /* of the source; NULL: not known */
    size_t most;                    /* parts; a block may have more */
    size_t next_cluster, next_blob;
};

/*
 * All parts of [begin, *end), in the order of the new file but for blobs, which come last. *end
 * becomes less where there are more parts than the cursor allows: begin is a multiple of a block,
 * and *end one or the end of the file. 0 or -ENOMEM.
 */
int defrag_parts_find(struct defrag_parts *parts, struct defrag_parts_cursor *cursor,
                      uint64_t begin, uint64_t *end, struct err *err);

/* Where the next move goes that has not been gone through; UINT64_MAX: none is left. */
uint64_t defrag_parts_next(const struct defrag_parts_cursor *cursor);

void defrag_parts_sort_by_place(struct defrag_parts *parts);
void defrag_parts_sort_by_at(struct defrag_parts *parts);

/* After sorting by at: the first part from @at on, or n_list. */
size_t defrag_parts_first_at(const struct defrag_parts *parts, uint64_t at);

void defrag_parts_free(struct defrag_parts *parts);

#endif
