/* SPDX-License-Identifier: MIT */
/*
 * Where jumps that come one after the other are counted quickly: flat arrays, and sums of 64 bits.
 * What is in them is taken over elsewhere before a sum could overflow.
 *
 * A jump is its gap: from the end of one piece to the begin of the next, below 0 if that is a step
 * back. Both directions have their slots; the gaps of a slot are all of one bin of jumps.h.
 */
#ifndef METER_TALLY_H
#define METER_TALLY_H

#include "jumps.h"

#include <stdbool.h>
#include <stdint.h>

#define METER_TALLY_SLOTS 1024 /* for each direction */

/* Gaps of at least this, one way or the other, have no slot. */
#define METER_TALLY_MOST (UINT64_C(1) << 51)

struct meter_tally {
    uint64_t count[METER_N_DIRECTIONS * METER_TALLY_SLOTS];
    uint64_t bound; /* no sum is further from 0 than this; 0: nothing is counted */
    uint64_t sum[METER_N_DIRECTIONS * METER_TALLY_SLOTS]; /* of gaps, modulo 2^64 */
};

/*
 * The slot of a gap other than 0, in a form that vector units can do: added to the bits of the
 * double 1.5 * 2^52 it is a number, and less that number the gap itself, exactly. Its sign, the
 * last bits of its exponent and the first ones of its mantissa are the slot.
 */
static inline uint64_t meter_tally_slot(uint64_t gap)
{
    union {
        uint64_t bits;
        double value;
    } number = {.bits = gap + UINT64_C(0x4338000000000000)};

    number.value -= 0x1.8p52;
    return (number.bits >> 48 & (METER_TALLY_SLOTS - 1)) | (number.bits >> 53 & METER_TALLY_SLOTS);
}

static inline void meter_tally_add(struct meter_tally *tally, uint64_t slot, uint64_t gap)
{
    tally->count[slot]++;
    tally->sum[slot] += gap;
}

/*
 * Up to 64 gaps are about to be added, none further from 0 than @most, which is below
 * METER_TALLY_MOST. False if there is no room for them: take over what is there, and clear it.
 */
static inline bool meter_tally_reserve(struct meter_tally *tally, uint64_t most)
{
    if (tally->bound > INT64_MAX - 64 * most)
        return false;
    tally->bound += 64 * most;
    return true;
}

void meter_tally_clear(struct meter_tally *tally);

/* What is counted in one slot: jumps of one bin of jumps.h. */
struct meter_tallied {
    enum meter_direction direction;
    unsigned bin;
    uint64_t count;
    uint64_t sum; /* of the distances in bytes */
};

/* The next slot with something in it, from @slot on (begin with 0). False: there is none left. */
bool meter_tally_next(const struct meter_tally *tally, unsigned *slot, struct meter_tallied *found);

#endif
