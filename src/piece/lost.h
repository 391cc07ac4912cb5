/* SPDX-License-Identifier: MIT */
/*
 * What of a guest disk cannot be read since a table or an entry is damaged: ranges in guest order,
 * those side by side as one. Only the first few are kept, since a hostile image has millions.
 *
 * Two lists can be merged in the order of the disk, as findings can: parts that are read apart give
 * the list of one reading.
 */
#ifndef PIECE_LOST_H
#define PIECE_LOST_H

#include <stddef.h>
#include <stdint.h>

#define PIECE_LOST_MAX 10

struct piece_lost_range {
    uint64_t begin, end; /* guest offsets, half open */
};

struct piece_lost {
    uint64_t bytes, ranges; /* of all, also those that are not kept */
    uint64_t end;           /* of the last one */
    struct piece_lost_range list[PIECE_LOST_MAX];
};

static inline size_t piece_lost_kept(const struct piece_lost *lost)
{
    return lost->ranges < PIECE_LOST_MAX ? (size_t)lost->ranges : PIECE_LOST_MAX;
}

/* @begin is not before the end of the last one. An empty range is none. */
static inline void piece_lost_add(struct piece_lost *lost, uint64_t begin, uint64_t end)
{
    if (begin >= end)
        return;
    if (lost->ranges == 0 || begin != lost->end) {
        if (lost->ranges < PIECE_LOST_MAX)
            lost->list[lost->ranges].begin = begin;
        lost->ranges++;
    }
    if (lost->ranges <= PIECE_LOST_MAX)
        lost->list[lost->ranges - 1].end = end;
    lost->bytes += end - begin;
    lost->end = end;
}

/* @right, which comes after @left, as if it lay @shift bytes further on. */
static inline void piece_lost_merge(struct piece_lost *left, const struct piece_lost *right,
                                    uint64_t shift)
{
    size_t n_kept = piece_lost_kept(right);
    uint64_t bytes = left->bytes + right->bytes;

    for (size_t i = 0; i < n_kept; i++)
        piece_lost_add(left, right->list[i].begin + shift, right->list[i].end + shift);
    if (right->ranges > n_kept) { /* then the list of @left is full, too */
        left->ranges += right->ranges - n_kept;
        left->end = right->end + shift;
    }
    left->bytes = bytes;
}

#endif
