// SPDX-License-Identifier: MIT
/*
 * Owns the loops over steps. No branch depends on a single step: the answers are words of ones or
 * zeros, which compilers make vector code of.
 */
#include "steps.h"

#include "bits.h"
#include "clones.h"
#include "head.h"
#include "jumps.h"
#include "sector.h"
#include "tally.h"

#include <stddef.h>


CLONES_PART void measure_gaps(struct meter_steps *steps, unsigned first, unsigned n)
{
    uint64_t most = 0, near = 0;

    for (unsigned i = first; i < n; i++) {
        uint64_t gap = steps->gap[i];

        steps->slot[i] = meter_tally_slot(gap);
        most |= gap ^ (uint64_t)((int64_t)gap >> 63);
        near |= bits_of[i] & all_if(gap - 1 < METER_NEAR_BYTES);
    }
    steps->most = most + 1; /* of a gap below 0 the turned bits are one less than its distance */
    steps->near = near;
}

CLONES void meter_steps_measure(struct meter_steps *steps, const uint64_t *begin, uint64_t breaks,
                                uint64_t cluster_bytes)
{
    unsigned first = breaks & 1 ? 0 : 1;

    for (unsigned i = first; i < METER_STEPS_MAX; i++)
        steps->gap[i] = begin[i] - begin[(int)i - 1] - cluster_bytes;
    measure_gaps(steps, first, METER_STEPS_MAX);
    steps->n = METER_STEPS_MAX;
    steps->breaks = breaks;
    steps->inside = steps->over = steps->partial = steps->buffered = 0;
}

void meter_steps_measure_few(struct meter_steps *steps, const uint64_t *begin, uint64_t breaks,
                             uint64_t cluster_bytes)
{
    uint64_t most = 0, near = 0;

    steps->n = METER_STEPS_MAX;
    steps->breaks = breaks;
    for (; breaks != 0; breaks &= breaks - 1) {
        int i = __builtin_ctzll(breaks);
        uint64_t gap = begin[i] - begin[i - 1] - cluster_bytes;

        steps->gap[i] = gap;
        steps->slot[i] = meter_tally_slot(gap);
        most |= gap ^ (uint64_t)((int64_t)gap >> 63);
        near |= (uint64_t)(gap - 1 < METER_NEAR_BYTES) << i;
    }
    steps->most = most + 1;
    steps->near = near;
    steps->inside = steps->over = steps->partial = steps->buffered = 0;
}

CLONES_PART void judge(struct meter_steps *restrict steps, const struct piece_batch *restrict batch,
                       uint32_t first, unsigned n)
{
    uint64_t breaks = 0, inside = 0, over = 0, partial = 0, buffered = 0, read_bytes = 0;

    for (unsigned i = 0; i < n; i++) {
        size_t to = (size_t)first + i, from = to - 1;
        uint64_t begin = batch->begin[to], gap = begin - batch->end[from];
        uint64_t guest_gap =
            batch->guest_off[to] - batch->guest_off[from] - batch->guest_bytes[from];
        uint64_t blobs = (batch->kind[to] | batch->kind[from]) & PIECE_COMPRESSED;
        uint64_t missing = batch->missing[to] | batch->missing[from];
        uint64_t slack = batch->slack[from];

        uint64_t rises = all_if(begin > batch->begin[from]);
        uint64_t behind = all_if((int64_t)gap < 0);
        uint64_t packed = rises & all_if(gap + SECTOR_BYTES <= slack + SECTOR_BYTES);
        uint64_t in_step = all_if(gap == 0) | all_if(gap == guest_gap);
        uint64_t on = (packed & all_if(blobs != 0)) | (in_step & all_if(blobs == 0));
        uint64_t into = ~on & rises & behind;
        uint64_t partly = all_if(missing != 0);
        uint64_t near = all_if(gap + METER_HEAD_BUFFER_BYTES < METER_HEAD_BUFFER_BYTES);
        uint64_t bytes = batch->end[to] - begin, shared = -gap;

        shared = (shared < bytes ? shared : bytes) & on & behind & ~partly;
        steps->gap[i] = gap;
        breaks |= bits_of[i] & ~on;
        inside |= bits_of[i] & into;
        over |= bits_of[i] & on & ~behind & all_if(gap != 0);
        partial |= bits_of[i] & partly;
        buffered |= bits_of[i] & ~on & ~rises & near;
        read_bytes += bytes - shared;
    }
    steps->breaks = breaks;
    steps->inside = inside;
    steps->over = over;
    steps->partial = partial;
    steps->buffered = buffered;
    steps->read_bytes = read_bytes;
}

CLONES void meter_steps_judge(struct meter_steps *steps, const struct piece_batch *batch,
                              uint32_t first, unsigned n)
{
    uint64_t mapped = 0;

    steps->n = n;
    judge(steps, batch, first, n);
    if (steps->breaks != 0)
        measure_gaps(steps, 0, n);
    for (unsigned i = 0; i < n; i++) {
        steps->mapped[i] = mapped;
        mapped += batch->mapped_bytes[first + i];
    }
    steps->mapped[n] = mapped;
}
