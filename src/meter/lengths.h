/* SPDX-License-Identifier: MIT */
/*
 * How many contiguous runs there are of each length. Exact and small: runs over n clusters have at
 * most sqrt(2 n) different lengths.
 */
#ifndef METER_LENGTHS_H
#define METER_LENGTHS_H

#include "hash.h"

#include <stddef.h>
#include <stdint.h>

/* Lengths of up to this many units are counted in a plain array, the rest in a list. */
#define METER_LENGTHS_SHORT 256

struct meter_length {
    uint64_t bytes;
    uint64_t count;
};

struct meter_lengths {
    unsigned unit_bits;                /* log2 of the unit in bytes: a cluster or a subcluster */
    uint64_t few[METER_LENGTHS_SHORT]; /* [i]: runs of i units */
    struct meter_length *list;         /* the longer ones, in any order */
    size_t n_list, cap_list;
    struct hash places; /* where in the list each is */
    int error; /* -ENOMEM, once it has happened: the counts are then incomplete */
};

void meter_lengths_init(struct meter_lengths *lengths, unsigned unit_bits);
void meter_lengths_free(struct meter_lengths *lengths);

/* Out of line part of meter_lengths_add. */
void meter_lengths_add_long(struct meter_lengths *lengths, uint64_t bytes, uint64_t count);

/* @count runs of @bytes each; running out of memory is kept in error. */
static inline void meter_lengths_add(struct meter_lengths *lengths, uint64_t bytes, uint64_t count)
{
    uint64_t units = bytes >> lengths->unit_bits;

    if (units < METER_LENGTHS_SHORT && units << lengths->unit_bits == bytes)
        lengths->few[units] += count;
    else
        meter_lengths_add_long(lengths, bytes, count);
}

/* Adds @more @times times. Both must have the same unit. */
void meter_lengths_merge(struct meter_lengths *sum, const struct meter_lengths *more,
                         uint64_t times);

/* Forgets all counts, keeps the memory. */
void meter_lengths_clear(struct meter_lengths *lengths);

/*
 * All lengths, the longest first, in a new array (free it) of *@n. Returns NULL with *@n = 0 when
 * there are none, and NULL with *@n > 0 without memory.
 */
struct meter_length *meter_lengths_sorted(const struct meter_lengths *lengths, size_t *n);

#endif
