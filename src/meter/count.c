// SPDX-License-Identifier: MIT
/* Owns the choice between the tally, which is quick, and single jumps. */
#include "count.h"

#include <stdlib.h>

/* So many breaks are worth the memory of a tally, and the look through it at the end. */
#define TALLY_BREAKS_MIN 128

void meter_count_add_tally(struct meter_sparse_jumps moves[METER_N_DIRECTIONS],
                           const struct meter_tally *tally, uint64_t times)
{
    struct meter_tallied found;

    if (tally == NULL || tally->bound == 0)
        return;
    for (unsigned slot = 0; meter_tally_next(tally, &slot, &found);)
        meter_sparse_jumps_add_bin(&moves[found.direction], found.bin, times * found.count,
                                   (unsigned __int128)times * found.sum);
}

void meter_settle(struct meter *meter)
{
    meter_count_add_tally(meter->moves, meter->tally, 1);
    free(meter->tally);
    meter->tally = NULL;
}

bool meter_count_has_room(struct meter *meter, uint64_t most, unsigned words)
{
    if (most >= METER_TALLY_MOST || (meter->tally == NULL && meter->breaks < TALLY_BREAKS_MIN))
        return false;
    if (meter->tally == NULL)
        meter->tally = calloc(1, sizeof(*meter->tally));
    if (meter->tally == NULL)
        return false;
    if (meter_tally_reserve(meter->tally, most * words))
        return true;
    meter_count_add_tally(meter->moves, meter->tally, 1);
    meter_tally_clear(meter->tally);
    return meter_tally_reserve(meter->tally, most * words);
}

void meter_count_gap(struct meter *meter, uint64_t gap)
{
    if ((int64_t)gap < 0)
        meter_sparse_jumps_add(&meter->moves[METER_BACKWARD], -gap, 1);
    else
        meter_sparse_jumps_add(&meter->moves[METER_FORWARD], gap, 1);
}
