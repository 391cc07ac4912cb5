/* SPDX-License-Identifier: MIT */
/*
 * The bits of a word as a table: vector code that turns 64 answers into one word loads its bits
 * faster than it shifts them into place.
 */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdint.h>

#define BITS_4(i)                                                                                  \
    UINT64_C(1) << (i), UINT64_C(1) << ((i) + 1), UINT64_C(1) << ((i) + 2), UINT64_C(1) << ((i) + 3)
#define BITS_16(i) BITS_4(i), BITS_4((i) + 4), BITS_4((i) + 8), BITS_4((i) + 12)

static const uint64_t bits_of[64] = {BITS_16(0), BITS_16(16), BITS_16(32), BITS_16(48)};

#endif
