/* SPDX-License-Identifier: MIT */
/*
 * Bins like those of jumps.h, but with memory only for the powers of two that occur. Jumps can also
 * be taken back, in any order: only the sum over all parts of a walk means something.
 */
#ifndef METER_SPARSE_JUMPS_H
#define METER_SPARSE_JUMPS_H

#include "jumps.h"

#include <stdbool.h>
#include <stdint.h>

#define METER_SPARSE_JUMP_ROWS (METER_JUMP_BINS / 16)

_Static_assert(METER_SPARSE_JUMP_ROWS <= 64, "a word has a bit for each row");

/* Modulo 2^64 and 2^128: what was taken back before it was added is nothing special. */
struct meter_sparse_jumps_row {
    uint32_t used; /* bits of the bins that something was added to; the others are 0 */
    uint64_t count[16];
    unsigned __int128 sum[16]; /* of the distances in bytes */
};

struct meter_sparse_jumps {
    uint64_t made; /* bits of the rows that there are, */
    uint64_t used; /* and of those with something in them */
    struct meter_sparse_jumps_row *row[METER_SPARSE_JUMP_ROWS]; /* [bin / 16] */
    int error;                                                  /* -ENOMEM, once it has happened */
};

void meter_sparse_jumps_free(struct meter_sparse_jumps *moves);

/* Forgets all, keeps the memory. Like merging it takes as long as there is something in it. */
void meter_sparse_jumps_clear(struct meter_sparse_jumps *moves);

/* Adds @count jumps of one bin, @sum bytes in all. */
void meter_sparse_jumps_add_bin(struct meter_sparse_jumps *moves, unsigned bin, uint64_t count,
                                unsigned __int128 sum);

/* Adds a jump, or with @times -1 takes one back. */
static inline void meter_sparse_jumps_add(struct meter_sparse_jumps *moves, uint64_t distance,
                                          int times)
{
    uint32_t bin = meter_jump_bin_of(distance);
    unsigned __int128 sum = times < 0 ? -(unsigned __int128)distance : distance;
    struct meter_sparse_jumps_row *row = moves->row[bin / 16];

    if ((moves->used >> bin / 16 & 1) == 0 || (row->used >> bin % 16 & 1) == 0) {
        meter_sparse_jumps_add_bin(moves, bin, (uint64_t)times, sum);
        return;
    }
    row->count[bin % 16] += (uint64_t)times;
    row->sum[bin % 16] += sum;
}

/* Adds @more @times times. */
void meter_sparse_jumps_merge(struct meter_sparse_jumps *sum, const struct meter_sparse_jumps *more,
                              uint64_t times);

/* A bin that holds something. */
struct meter_sparse_jumps_bin {
    int bin;
    uint64_t count; /* not 0 */
    unsigned __int128 sum;
};

#define METER_SPARSE_JUMPS_FIRST                                                                   \
    {                                                                                              \
        .bin = -1                                                                                  \
    }

/* The next one, in rising order; false behind the last. */
bool meter_sparse_jumps_next(const struct meter_sparse_jumps *moves,
                             struct meter_sparse_jumps_bin *bin);

/* Adds all of @moves to ordinary bins. */
void meter_sparse_jumps_pour(const struct meter_sparse_jumps *moves, struct meter_jumps *jumps);

#endif
