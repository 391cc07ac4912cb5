/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on numbers that come from outside: every sum of two on-disk fields goes through here.
 * All functions are pure.
 */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* *sum = a + b; false (and *sum unspecified) when that exceeds 2^64 - 1. */
static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

/* *product = a * b; false (and *product unspecified) when that exceeds 2^64 - 1. */
static inline bool checked_mul(uint64_t a, uint64_t b, uint64_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* Does [off, off + len) lie inside [0, end)? Cannot overflow. */
static inline bool checked_inside(uint64_t off, uint64_t len, uint64_t end)
{
    return off <= end && len <= end - off;
}

static inline uint64_t div_round_up(uint64_t n, uint64_t divisor)
{
    return n / divisor + (n % divisor != 0);
}

/* @align is a power of two. False when the result exceeds 2^64 - 1. */
static inline bool checked_round_up(uint64_t n, uint64_t align, uint64_t *rounded)
{
    if (!checked_add(n, align - 1, rounded))
        return false;
    *rounded &= ~(align - 1);
    return true;
}

static inline bool is_aligned(uint64_t n, uint64_t align)
{
    return (n & (align - 1)) == 0;
}

#endif
