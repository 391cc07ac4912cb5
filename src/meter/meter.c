// SPDX-License-Identifier: MIT
/*
 * Owns the judgement of each step from one piece to the next. Counts with integers only; knows
 * nothing of entries, tables or files.
 */
#include "meter.h"

#include "clones.h"

#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES 512

struct meter *meter_new(uint64_t cluster_bytes, uint64_t unit_bytes)
{
    struct meter *meter = calloc(1, sizeof(*meter));

    if (meter == NULL)
        return NULL;
    meter->cluster_bytes = cluster_bytes;
    meter_lengths_init(&meter->lengths, (unsigned)__builtin_ctzll(unit_bytes));
    return meter;
}

void meter_free(struct meter *meter)
{
    if (meter == NULL)
        return;
    meter_lengths_free(&meter->lengths);
    free(meter);
}

void meter_clear(struct meter *meter)
{
    meter->any = false;
    meter->breaks = meter->near_jumps = 0;
    meter->first_run_bytes = meter->open_run_bytes = meter->fresh_bound = 0;
    memset(meter->jumps, 0, sizeof(meter->jumps));
    meter_lengths_clear(&meter->lengths);
}

int meter_error(const struct meter *meter)
{
    return meter->lengths.error;
}

/*
 * With a compressed piece on either side equality is not asked: blobs are packed by bytes, may
 * share a sector, and the allocator goes on at the next cluster when it must (padding).
 */
static bool is_contiguous(const struct meter *meter, const struct meter_edge *before,
                          const struct meter_edge *after)
{
    if (before->compressed || after->compressed) {
        uint64_t mask = meter->cluster_bytes - 1;
        uint64_t padded = (before->end + mask) & ~mask;

        return after->position > before->position &&
               after->position + SECTOR_BYTES >= before->end && after->position <= padded;
    }
    return after->position == before->end ||
           (after->position > before->end &&
            after->position - before->end == after->guest_off - before->guest_off);
}

CLONES_PART void close_run(struct meter *meter)
{
    if (meter->breaks == 0)
        meter->first_run_bytes = meter->open_run_bytes;
    else
        meter_lengths_add(&meter->lengths, meter->open_run_bytes, 1);
    meter->breaks++;
    meter->open_run_bytes = 0;
}

CLONES_PART void count_jump(struct meter *meter, uint64_t position_before, uint64_t end_before,
                            uint64_t position)
{
    enum meter_direction direction = position > position_before ? METER_FORWARD : METER_BACKWARD;
    uint64_t distance = position > end_before ? position - end_before : end_before - position;

    meter->near_jumps += direction == METER_FORWARD && distance <= METER_NEAR_BYTES;
    meter_jumps_add(&meter->jumps[direction], distance);
}

/* Judges the step to a piece that begins at @after. */
static void step(struct meter *meter, const struct meter_edge *after)
{
    if (!meter->any) {
        meter->any = true;
        meter->first = *after;
        return;
    }
    if (is_contiguous(meter, &meter->last, after))
        return;
    close_run(meter);
    count_jump(meter, meter->last.position, meter->last.end, after->position);
}

static void take_general(struct meter *meter, const struct run_batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        struct meter_edge edge = {batch->guest_off[i], batch->begin[i], batch->end[i],
                                  batch->kind[i] == RUN_COMPRESSED};

        if (batch->kind[i] != RUN_DATA && batch->kind[i] != RUN_COMPRESSED)
            continue;
        step(meter, &edge);
        meter->open_run_bytes += batch->mapped_bytes[i];
        meter->last = edge;
        meter->last.guest_off += batch->guest_bytes[i];
    }
}

/* 64 distances, none above @all, are about to be added to fresh sums. */
CLONES_PART void make_room(struct meter *meter, uint64_t all)
{
    uint64_t most = all > UINT64_MAX / 64 ? UINT64_MAX : 64 * all;

    if (__builtin_add_overflow(meter->fresh_bound, most, &meter->fresh_bound)) {
        for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
            meter_jumps_fold(&meter->jumps[i]);
        meter->fresh_bound = most;
    }
}

/* Jumps of up to 64 uniform pieces: distances and bins first, in loops for vector units. */
struct jump_block {
    uint64_t distance[64];
    uint64_t slot[64]; /* bin, counted on over both directions */
    uint64_t all;      /* the distances, one or the other */
    uint64_t near_jumps;
};

/*
 * Clusters are aligned, so what is not below the one before is at or behind its end: a negative
 * gap is a step back. Signs instead of comparisons: see run/l2.c.
 */
CLONES_PART void fill_jump_block(struct jump_block *block, const uint64_t *begin, int first,
                                 uint64_t cluster_bytes)
{
    uint64_t all = 0, near_jumps = 0;

    for (int i = first; i < 64; i++) {
        uint64_t gap = begin[i] - begin[i - 1] - cluster_bytes;
        uint64_t backward = 0 - (gap >> 63); /* all ones or zero */

        block->distance[i] = (gap ^ backward) - backward;
        block->slot[i] = METER_JUMP_BINS & ~backward;
        all |= block->distance[i];
        near_jumps += ~(gap | (METER_NEAR_BYTES - gap)) >> 63;
    }
    block->all = all;
    block->near_jumps = near_jumps;
    if (all < METER_JUMP_SHORT)
        for (int i = first; i < 64; i++)
            block->slot[i] += meter_jump_bin_of_short(block->distance[i]);
    else
        for (int i = first; i < 64; i++)
            block->slot[i] += meter_jump_bin_of_long(block->distance[i]);
}

/* Every piece from @first (0 or 1) on breaks: closes the run before them and runs of one cluster.
 */
CLONES_PART void break_everywhere(struct meter *meter, const uint64_t *begin, int first,
                                  uint64_t cluster_bytes)
{
    struct meter_jump_bin *bins = meter->jumps[0].bin; /* both directions, one after the other */
    struct jump_block block;

    meter->open_run_bytes += (uint64_t)first * cluster_bytes;
    close_run(meter);
    meter->breaks += (uint64_t)(63 - first);
    meter_lengths_add(&meter->lengths, cluster_bytes, (uint64_t)(63 - first));
    meter->open_run_bytes = cluster_bytes;

    fill_jump_block(&block, begin, first, cluster_bytes);
    meter->near_jumps += block.near_jumps;
    make_room(meter, block.all);
    for (int i = first; i < 64; i++) {
        bins[block.slot[i]].count++;
        bins[block.slot[i]].fresh += block.distance[i];
    }
}

/* 64 pieces; @begin[-1] is valid unless bit 0 of @breaks is clear. */
CLONES_PART void take_word(struct meter *meter, const uint64_t *begin, uint64_t breaks,
                           uint64_t cluster_bytes)
{
    unsigned run_begin = 0;

    if (breaks == UINT64_MAX) {
        break_everywhere(meter, begin, 0, cluster_bytes);
        return;
    }
    if (breaks == (UINT64_MAX ^ 1)) {
        break_everywhere(meter, begin, 1, cluster_bytes);
        return;
    }
    while (breaks != 0) {
        unsigned i = (unsigned)__builtin_ctzll(breaks);

        breaks &= breaks - 1;
        meter->open_run_bytes += (i - run_begin) * cluster_bytes;
        close_run(meter);
        count_jump(meter, begin[(int)i - 1], begin[(int)i - 1] + cluster_bytes, begin[i]);
        run_begin = i;
    }
    meter->open_run_bytes += (64 - run_begin) * cluster_bytes;
}

CLONES static void take_uniform(struct meter *meter, const struct run_batch *batch)
{
    uint64_t cluster_bytes = batch->cluster_bytes;
    struct meter_edge edge = {batch->guest_first, batch->begin[0], batch->begin[0] + cluster_bytes,
                              false};

    step(meter, &edge);
    for (uint32_t i = 0; i < batch->n; i += 64) {
        uint64_t breaks = batch->breaks[i / 64];

        /* The first step is judged above, by the rule for any two pieces. */
        take_word(meter, &batch->begin[i], i == 0 ? breaks & ~UINT64_C(1) : breaks, cluster_bytes);
    }
    edge.position = batch->begin[batch->n - 1];
    edge.end = edge.position + cluster_bytes;
    edge.guest_off += batch->n * cluster_bytes;
    meter->last = edge;
}

void meter_take(struct meter *meter, const struct run_batch *batch)
{
    if (batch->n == 0)
        return;
    if (batch->uniform)
        take_uniform(meter, batch);
    else
        take_general(meter, batch);
}

void meter_join(struct meter *left, const struct meter *right, uint64_t shift)
{
    struct meter_edge first = right->first;

    if (!right->any)
        return;
    first.guest_off += shift;
    step(left, &first);
    if (right->breaks == 0) {
        left->open_run_bytes += right->open_run_bytes;
    } else {
        left->open_run_bytes += right->first_run_bytes;
        close_run(left);
        left->open_run_bytes = right->open_run_bytes;
        left->breaks += right->breaks - 1;
        left->near_jumps += right->near_jumps;
    }
    left->last = right->last;
    left->last.guest_off += shift;
}

void meter_add_inner(struct meter *left, const struct meter *right, uint64_t times)
{
    if (right->breaks == 0 || times == 0)
        return;
    meter_lengths_merge(&left->lengths, &right->lengths, times);
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        meter_jumps_merge(&left->jumps[i], &right->jumps[i], times);
}

void meter_merge(struct meter *left, const struct meter *right)
{
    meter_join(left, right, 0);
    meter_add_inner(left, right, 1);
}

struct meter_length *meter_runs_sorted(const struct meter *meter, size_t *n)
{
    struct meter_lengths all;
    struct meter_length *sorted;

    meter_lengths_init(&all, meter->lengths.unit_bits);
    meter_lengths_merge(&all, &meter->lengths, 1);
    if (meter->breaks > 0)
        meter_lengths_add(&all, meter->first_run_bytes, 1);
    if (meter->any)
        meter_lengths_add(&all, meter->open_run_bytes, 1);
    sorted = all.error == 0 ? meter_lengths_sorted(&all, n) : NULL;
    if (all.error != 0)
        *n = 1;
    meter_lengths_free(&all);
    return sorted;
}
