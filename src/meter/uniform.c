// SPDX-License-Identifier: MIT
/* Owns the quick ways: words of 64 clusters of which few break, or many, or all. */
#include "uniform.h"

#include "bits.h"
#include "clones.h"
#include "count.h"
#include "meter.h"
#include "step.h"
#include "steps.h"
#include "tally.h"

/* Fewer breaks than this among 64 pieces are measured one by one. */
#define MANY_BREAKS 12

/* ---- clusters of which each breaks ---- */

/* Words of breaks from @first on in which all bits are set, but that of the batch's first step. */
static uint32_t count_scattered(const struct piece_batch *batch, uint32_t first)
{
    uint32_t i = first;

    while (i < batch->n && (batch->breaks[i / 64] | (i == 0)) == UINT64_MAX)
        i += 64;
    return i - first;
}

/* The gaps before clusters of a batch: [i] is the one before cluster i. */
struct gaps {
    uint64_t gap[PIECE_BATCH_MAX], slot[PIECE_BATCH_MAX];
    uint64_t most; /* none is further from 0 */
    uint64_t near; /* so many are near jumps */
};

CLONES_PART void measure_gaps(struct gaps *gaps, const struct piece_batch *batch, uint32_t begin,
                              uint32_t end)
{
    const uint64_t cluster_bytes = batch->cluster_bytes;
    uint64_t most = 0, near = 0;

    for (uint32_t i = begin; i < end; i++) {
        uint64_t gap = batch->begin[i] - batch->begin[i - 1] - cluster_bytes;

        gaps->gap[i] = gap;
        gaps->slot[i] = meter_tally_slot(gap);
        most |= gap ^ (uint64_t)((int64_t)gap >> 63);
        near += all_if(gap - 1 < METER_NEAR_BYTES) & 1;
    }
    gaps->most = most + 1; /* of a gap below 0 the turned bits are one less than its distance */
    gaps->near = near;
}

CLONES_PART void count_gaps(struct meter *meter, const struct gaps *gaps, uint32_t begin,
                            uint32_t end)
{
    meter->near_jumps += gaps->near;
    if (meter_count_has_room(meter, gaps->most, (end - begin + 63) / 64)) {
        for (uint32_t i = begin; i < end; i++)
            meter_tally_add(meter->tally, gaps->slot[i], gaps->gap[i]);
    } else {
        for (uint32_t i = begin; i < end; i++)
            meter_count_gap(meter, gaps->gap[i]);
    }
}

/*
 * Clusters [first, end), each of which is a run of its own: what take_word does, for as many words
 * as there are. The step to the batch's first one is not looked at; that one goes to the open run.
 */
CLONES_PART void take_words_of_breaks(struct meter *meter, const struct piece_batch *batch,
                                      uint32_t first, uint32_t end)
{
    const uint64_t cluster_bytes = batch->cluster_bytes;
    uint32_t begin = first;
    struct gaps gaps;

    if (first == 0) {
        meter->open_run_bytes += cluster_bytes;
        begin = 1;
    }
    measure_gaps(&gaps, batch, begin, end);
    count_gaps(meter, &gaps, begin, end);
    meter_count_break(meter); /* the open run ends, */
    meter->breaks += end - begin - 1;
    meter_lengths_add(&meter->lengths, cluster_bytes, end - begin - 1);
    meter->open_run_bytes = cluster_bytes; /* and the last cluster begins the next */
}

/* ---- any clusters ---- */

/* 64 pieces; @begin[-1] is valid unless bit 0 of @breaks is clear. */
CLONES_PART void take_word(struct meter *meter, const uint64_t *begin, uint64_t breaks,
                           uint64_t cluster_bytes)
{
    struct meter_steps steps;

    if (breaks == 0) {
        meter->open_run_bytes += 64 * cluster_bytes;
        return;
    }
    if (__builtin_popcountll(breaks) < MANY_BREAKS)
        meter_steps_measure_few(&steps, begin, breaks, cluster_bytes);
    else
        meter_steps_measure(&steps, begin, breaks, cluster_bytes);
    meter_count_jumps(meter, &steps, breaks);
    meter_count_runs(meter, breaks, 64, NULL, cluster_bytes);
}

/* Clusters that are the one before them: of 512 bytes, they are still in the buffer. */
static void step_on_the_spot(struct meter *meter, const struct piece_batch *batch)
{
    for (uint32_t i = 1; i < batch->n; i++)
        if (batch->begin[i] == batch->begin[i - 1])
            meter_head_step_back(&meter->head, batch->cluster_bytes, batch->cluster_bytes);
}

/* The first step is judged by the rule for any two pieces, the others by the word, or many words.
 */
CLONES void meter_uniform_take(struct meter *meter, const struct piece_batch *batch)
{
    const uint64_t cluster_bytes = batch->cluster_bytes;
    struct meter_edge first = meter_edge_of_cluster(batch, 0);
    struct meter_edge last = meter_edge_of_cluster(batch, batch->n - 1);
    struct meter_file *file = &meter->files[batch->file];
    uint64_t breaks_before;

    first.source = batch->source_begin;
    last.source = batch->source_end;
    meter_step_to(meter, &first, batch->file, false);
    breaks_before = meter->breaks;
    for (uint32_t i = 0; i < batch->n;) {
        uint32_t n_scattered = count_scattered(batch, i);

        if (n_scattered > 0) {
            take_words_of_breaks(meter, batch, i, i + n_scattered);
            i += n_scattered;
        } else {
            uint64_t breaks = batch->breaks[i / 64];

            take_word(meter, &batch->begin[i], i == 0 ? breaks & ~UINT64_C(1) : breaks,
                      cluster_bytes);
            i += 64;
        }
    }
    meter_step_arrive(meter, last, cluster_bytes);
    file->runs += meter->breaks - breaks_before;
    file->bytes += batch->n * cluster_bytes;
    meter->head.read_bytes += batch->n * cluster_bytes;
    if (cluster_bytes <= METER_HEAD_BUFFER_BYTES)
        step_on_the_spot(meter, batch);
}
