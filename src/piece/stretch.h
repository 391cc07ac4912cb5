/* SPDX-License-Identifier: MIT */
/*
 * The 32 parts of a cluster, as stretches of those that are alike by an entry's two bits for each.
 * Of a piece, the parts that are held: see piece_next_held in batch.h.
 */
#ifndef PIECE_STRETCH_H
#define PIECE_STRETCH_H

#include "batch.h"

#include <stdbool.h>
#include <stdint.h>

/* Parts [first, end). */
struct piece_stretch {
    unsigned first, end;
    bool alloc, zero;
};

/*
 * The next stretch, of which bits of @alloc and @zero are alike; begin with one of all zeros. False
 * behind the last one.
 */
static inline bool piece_next_stretch(uint32_t alloc, uint32_t zero, struct piece_stretch *stretch)
{
    unsigned first = stretch->end;
    uint64_t differ;

    if (first == PIECE_SUBCLUSTERS)
        return false;
    stretch->first = first;
    stretch->alloc = alloc >> first & 1;
    stretch->zero = zero >> first & 1;
    /* Bit i: subcluster first + i is of another kind. One behind the last ends them all. */
    differ = ((uint64_t)(stretch->alloc ? ~alloc : alloc) | (stretch->zero ? ~zero : zero)) |
             UINT64_C(1) << PIECE_SUBCLUSTERS;
    stretch->end = first + (unsigned)__builtin_ctzll(differ >> first);
    return true;
}

#endif
