/* SPDX-License-Identifier: MIT */
/* Sets of numbers below a limit, a bit each. The owner keeps the limit, and frees with free(). */
#ifndef BASE_BITSET_H
#define BASE_BITSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline size_t bitset_bytes(size_t n)
{
    return (n / 64 + 1) * sizeof(uint64_t);
}

/* Of the numbers below @n, none is in it. NULL without memory. */
static inline uint64_t *bitset_new(size_t n)
{
    return calloc(1, bitset_bytes(n));
}

static inline void bitset_clear(uint64_t *set, size_t n)
{
    memset(set, 0, bitset_bytes(n));
}

static inline bool bitset_has(const uint64_t *set, uint64_t i)
{
    return set[i / 64] >> (i % 64) & 1;
}

static inline void bitset_add(uint64_t *set, uint64_t i)
{
    set[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void bitset_remove(uint64_t *set, uint64_t i)
{
    set[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

#endif
