/* SPDX-License-Identifier: MIT */
/* Numbers that look random and are the same in every run (xorshift64*). */
#ifndef UNIT_DICE_H
#define UNIT_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state; /* never 0 */
};

static inline struct dice dice_of(uint64_t seed)
{
    return (struct dice){seed * UINT64_C(0x9e3779b97f4a7c15) | 1};
}

static inline uint64_t dice_u64(struct dice *dice)
{
    dice->state ^= dice->state >> 12;
    dice->state ^= dice->state << 25;
    dice->state ^= dice->state >> 27;
    return dice->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 .. n - 1 */
static inline uint64_t dice_below(struct dice *dice, uint64_t n)
{
    return (dice_u64(dice) >> 11) % n;
}

/* True once in n times. */
static inline bool dice_once_in(struct dice *dice, uint64_t n)
{
    return dice_below(dice, n) == 0;
}

#endif
