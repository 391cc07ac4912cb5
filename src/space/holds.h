/* SPDX-License-Identifier: MIT */
/*
 * The raw bytes of an L2 table to the clusters of the file that its entries hold. Unlike l2.h it
 * does not ask what an entry means to the guest. Reads nothing.
 */
#ifndef SPACE_HOLDS_H
#define SPACE_HOLDS_H

#include "entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPACE_HOLDS_BATCH 256 /* a multiple of 64, and far more than one entry can hold */

/* Clusters, by number, in the order of the entries. An entry may hold several, or a part of one. */
struct space_holds_batch {
    size_t n;
    uint64_t clusters[SPACE_HOLDS_BATCH];
    bool dense; /* clusters[i] is held by entry first + i, and entries[] is not filled */
    uint32_t first;
    uint32_t entries[SPACE_HOLDS_BATCH]; /* in the table */
};

static inline uint32_t space_holds_entry(const struct space_holds_batch *batch, size_t i)
{
    return batch->dense ? batch->first + (uint32_t)i : batch->entries[i];
}

struct space_holds {
    const struct format_entry_rules *rules; /* not with an external data file */
    void (*take)(void *context, const struct space_holds_batch *batch);
    void *context;
};

/*
 * @len_bytes of a table, whole entries, the first of which is number @first in it; 8-byte aligned.
 * Returns how many of them are damaged so that what they hold is not known, or not in full.
 */
uint64_t space_holds_chunk(const struct space_holds *holds, const uint64_t *raw, size_t len_bytes,
                           uint32_t first);

#endif
