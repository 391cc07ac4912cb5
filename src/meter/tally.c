// SPDX-License-Identifier: MIT
/* Owns the way from slots back to bins. Integers only. */
#include "tally.h"

#include <string.h>

#define ROW 16
#define ROWS (METER_TALLY_SLOTS / ROW)
#define ALL_SLOTS (METER_N_DIRECTIONS * METER_TALLY_SLOTS)

void meter_tally_clear(struct meter_tally *tally)
{
    if (tally->bound > 0)
        memset(tally, 0, sizeof(*tally));
}

/*
 * Rows go by the last bits of a double's exponent: 2^1 is row 0, and 2^0 the last one. Bins are in
 * the same order, but for the distances below 16, which have one each.
 */
static unsigned bin_of(unsigned slot)
{
    unsigned power = (slot / ROW + 1) % ROWS, column = slot % ROW;

    return power < 4 ? (ROW + column) << power >> 4 : ROW * (power - 3) + column;
}

static bool is_empty(const uint64_t count[ROW])
{
    uint64_t any = 0;

    for (unsigned i = 0; i < ROW; i++)
        any |= count[i];
    return any == 0;
}

bool meter_tally_next(const struct meter_tally *tally, unsigned *slot, struct meter_tallied *found)
{
    unsigned i = *slot;
    bool backward;

    while (i < ALL_SLOTS && tally->count[i] == 0)
        i += i % ROW == 0 && is_empty(&tally->count[i]) ? ROW : 1;
    *slot = i + 1;
    if (i >= ALL_SLOTS)
        return false;
    backward = i >= METER_TALLY_SLOTS;
    *found = (struct meter_tallied){.direction = backward ? METER_BACKWARD : METER_FORWARD,
                                    .bin = bin_of(i % METER_TALLY_SLOTS),
                                    .count = tally->count[i],
                                    .sum = backward ? -tally->sum[i] : tally->sum[i]};
    return true;
}
