/* SPDX-License-Identifier: MIT */
/* Answers as words, for loops that compilers make vector code of. */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include "clones.h"

#include <stdbool.h>
#include <stdint.h>

/* A word of ones, or of zeros. */
CLONES_PART uint64_t all_if(bool condition)
{
    return 0 - (uint64_t)condition;
}

/*
 * An answer for many numbers, kept in the sign of one: compilers make vector code of additions and
 * ORs, and no branch or comparison is needed. What is added up stays below 2^62.
 */
#define IS_NEGATIVE(n) ((int64_t)(n) < 0)

#define BITS_4(i)                                                                                  \
    UINT64_C(1) << (i), UINT64_C(1) << ((i) + 1), UINT64_C(1) << ((i) + 2), UINT64_C(1) << ((i) + 3)
#define BITS_16(i) BITS_4(i), BITS_4((i) + 4), BITS_4((i) + 8), BITS_4((i) + 12)

/* 64 answers make a word: and here vector code loads its bits faster than it shifts them into
 * place. */
static const uint64_t bits_of[64] = {BITS_16(0), BITS_16(16), BITS_16(32), BITS_16(48)};

#endif
