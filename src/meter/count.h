/* SPDX-License-Identifier: MIT */
/*
 * Counting the breaks of many steps at once: the runs that end there, and the jumps. Parts of the
 * functions that take batches, compiled for the same processor as these.
 */
#ifndef METER_COUNT_H
#define METER_COUNT_H

#include "clones.h"
#include "meter.h"
#include "steps.h"
#include "tally.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Is there a tally with room for @words times 64 gaps, none further from 0 than @most? Else, with
 * too few breaks so far to be worth its memory, or too long jumps, they are counted one by one.
 */
bool meter_count_has_room(struct meter *meter, uint64_t most, unsigned words);

/* Adds what is in @tally, which may be NULL, @times times. */
void meter_count_add_tally(struct meter_sparse_jumps moves[METER_N_DIRECTIONS],
                           const struct meter_tally *tally, uint64_t times);

/* One jump, without a tally. */
void meter_count_gap(struct meter *meter, uint64_t gap);

/* A break: the run before it has ended, and none of the next has been seen. */
CLONES_PART void meter_count_break(struct meter *meter)
{
    if (meter->breaks == 0)
        meter->first_run_bytes = meter->open_run_bytes;
    else
        meter_lengths_add(&meter->lengths, meter->open_run_bytes, 1);
    meter->breaks++;
    meter->open_run_bytes = 0;
}

/* The jumps at the @breaks among @steps. */
CLONES_PART void meter_count_jumps(struct meter *meter, const struct meter_steps *steps,
                                   uint64_t breaks)
{
    meter->near_jumps += (uint64_t)__builtin_popcountll(steps->near & breaks);
    if (!meter_count_has_room(meter, steps->most, 1)) {
        for (; breaks != 0; breaks &= breaks - 1)
            meter_count_gap(meter, steps->gap[__builtin_ctzll(breaks)]);
        return;
    }
    for (; breaks != 0; breaks &= breaks - 1) {
        unsigned i = (unsigned)__builtin_ctzll(breaks);

        meter_tally_add(meter->tally, steps->slot[i], steps->gap[i]);
    }
}

/* Guest bytes of the pieces before piece @i; without @mapped they are clusters. */
CLONES_PART uint64_t meter_count_bytes_before(const uint64_t *mapped, uint64_t cluster_bytes,
                                              unsigned i)
{
    return mapped != NULL ? mapped[i] : i * cluster_bytes;
}

/* The runs that end before the @breaks among @n pieces, and the begin of the next. */
CLONES_PART void meter_count_runs(struct meter *meter, uint64_t breaks, unsigned n,
                                  const uint64_t *mapped, uint64_t cluster_bytes)
{
    uint64_t begin;

    if (breaks == 0) {
        meter->open_run_bytes += meter_count_bytes_before(mapped, cluster_bytes, n);
        return;
    }
    begin = meter_count_bytes_before(mapped, cluster_bytes, (unsigned)__builtin_ctzll(breaks));
    meter->open_run_bytes += begin;
    meter_count_break(meter);
    breaks &= breaks - 1;
    meter->breaks += (unsigned)__builtin_popcountll(breaks);
    for (; breaks != 0; breaks &= breaks - 1) {
        uint64_t end =
            meter_count_bytes_before(mapped, cluster_bytes, (unsigned)__builtin_ctzll(breaks));

        meter_lengths_add(&meter->lengths, end - begin, 1);
        begin = end;
    }
    meter->open_run_bytes = meter_count_bytes_before(mapped, cluster_bytes, n) - begin;
}

#endif
