/* SPDX-License-Identifier: MIT */
/*
 * 64 entries of an L2 table, decoded into columns: in plain loops, without a decision per entry.
 * For blocks without damage; any other is for the classifier of format/entry.h, whose rules these
 * are.
 */
#ifndef TABLES_BLOCK_H
#define TABLES_BLOCK_H

#include "entry.h"

#include <stdbool.h>
#include <stdint.h>

#define TABLES_BLOCK_ENTRIES 64

/* A set of entries is a word: bit i is entry i. */
struct tables_block {
    uint64_t begin[TABLES_BLOCK_ENTRIES]; /* of the host cluster, or of the blob */
    uint64_t end[TABLES_BLOCK_ENTRIES];
    uint32_t
        alloc[TABLES_BLOCK_ENTRIES]; /* parts of a standard cluster or of a blob that are held */
    uint64_t standard, compressed;   /* mapped */
    uint64_t zero;                   /* reads as zeros */
    uint64_t host;                   /* has a host cluster of its own, whatever it reads as */
    uint64_t touches;                /* begins where the entry before it ends. Bit 0 is 0 */
};

/*
 * Decodes the entries at @raw, as they lie in the file. False if a look at each of them is needed:
 * what is then in @block means nothing.
 */
bool tables_block_decode(struct tables_block *block, const struct format_entry_rules *rules,
                         const uint64_t *raw);

#endif
