// SPDX-License-Identifier: MIT
/* Owns what is odd about pieces: blobs, parts that are missing, zeros, several files. */
#include "general.h"

#include "clones.h"
#include "count.h"
#include "meter.h"
#include "step.h"
#include "steps.h"

/* The gaps between those that are held; and what is not read. */
CLONES_PART void skip_missing(struct meter_head *head, uint32_t missing, uint64_t part_bytes)
{
    unsigned first = (unsigned)__builtin_ctz(~missing);
    uint64_t inner = (missing & (UINT32_MAX >> __builtin_clz(~missing))) >> first;

    head->read_bytes -= (unsigned)__builtin_popcount(missing) * part_bytes;
    head->missing_bytes += (unsigned)__builtin_popcount(missing) * part_bytes;
    while (inner != 0) {
        unsigned n;

        inner >>= __builtin_ctzll(inner);
        n = (unsigned)__builtin_ctzll(~inner);
        meter_sparse_jumps_add(&head->gaps, n * part_bytes, 1);
        inner >>= n;
    }
}

static void arrive_at(struct meter *meter, const struct piece_batch *batch, uint32_t i)
{
    struct meter_edge edge = meter_edge_of_piece(batch, i);

    if (i == batch->n - 1)
        edge.source = batch->source_end;
    meter_step_arrive(meter, edge, batch->guest_bytes[i]);
}

static void take_piece(struct meter *meter, const struct piece_batch *batch, uint32_t i)
{
    struct meter_edge edge = meter_edge_of_piece(batch, i);

    if (i == 0)
        edge.source = batch->source_begin;
    if (batch->missing[i] != 0)
        skip_missing(&meter->head, batch->missing[i],
                     (edge.end - edge.position) / PIECE_SUBCLUSTERS);
    meter_step_to(meter, &edge, batch->files[i], false);
    arrive_at(meter, batch, i);
    meter->open_run_bytes += batch->mapped_bytes[i];
    meter->files[batch->files[i]].bytes += batch->mapped_bytes[i];
    meter->head.read_bytes += edge.end - edge.position;
}

/*
 * Step @k of @steps, to piece @i, for the head: between what it reads of the two pieces is more
 * than the gap, or the gap leads back into the piece before.
 */
CLONES_PART void step_head(struct meter *meter, const struct piece_batch *batch, uint32_t i,
                           const struct meter_steps *steps, unsigned k)
{
    struct meter_head *head = &meter->head;
    struct meter_edge from = meter_edge_of_piece(batch, i - 1), to = meter_edge_of_piece(batch, i);
    uint64_t gap = steps->gap[k], way = to.read_begin - from.read_end;
    bool inside = steps->inside >> k & 1;

    if (batch->missing[i] != 0)
        skip_missing(head, batch->missing[i], (to.end - to.position) / PIECE_SUBCLUSTERS);
    if (!(steps->breaks >> k & 1)) {
        if ((int64_t)way > 0)
            meter_sparse_jumps_add(&head->gaps, way, 1);
        else
            head->read_bytes -= meter_head_buffered(-way, to.read_end - to.read_begin);
    } else if (inside || way != gap) {
        bool backward = (int64_t)gap < 0;

        meter_head_take_back(head, backward && !inside ? METER_BACKWARD : METER_FORWARD,
                             backward ? -gap : gap);
        head->at.off = from.read_end;
        meter_head_move(head, (struct meter_place){batch->files[i], to.read_begin},
                        to.read_end - to.read_begin);
    } else if ((int64_t)way < 0) {
        meter_head_step_back(head, -way, to.read_end - to.read_begin);
    }
}

/* The head's part of the steps to pieces [first, first + n). */
CLONES_PART void move_along(struct meter *meter, const struct piece_batch *batch, uint32_t first,
                            const struct meter_steps *steps)
{
    uint64_t odd = steps->partial | steps->inside | steps->buffered;

    meter->head.read_bytes += steps->read_bytes;
    for (uint64_t over = steps->over & ~odd; over != 0; over &= over - 1)
        meter_sparse_jumps_add(&meter->head.gaps, steps->gap[__builtin_ctzll(over)], 1);
    for (; odd != 0; odd &= odd - 1) {
        unsigned k = (unsigned)__builtin_ctzll(odd);

        step_head(meter, batch, first + k, steps, k);
    }
}

/* Pieces [first, first + n), like the one before them of data, and of one file with it. */
CLONES static void take_alike(struct meter *meter, const struct piece_batch *batch, uint32_t first,
                              unsigned n)
{
    struct meter_file *file = &meter->files[batch->files[first]];
    struct meter_steps steps;

    meter_steps_judge(&steps, batch, first, n);
    file->runs += (uint64_t)__builtin_popcountll(steps.breaks);
    file->bytes += steps.mapped[n];
    meter_count_runs(meter, steps.breaks, n, steps.mapped, 0);
    if (steps.breaks != steps.inside)
        meter_count_jumps(meter, &steps, steps.breaks & ~steps.inside);
    for (uint64_t inside = steps.inside; inside != 0; inside &= inside - 1) {
        uint32_t i = first + (uint32_t)__builtin_ctzll(inside);

        meter_step_count_jump(
            meter, meter_step_jump(batch->begin[i - 1], batch->end[i - 1], batch->begin[i]));
    }
    move_along(meter, batch, first, &steps);
}

/* How many pieces from @first on are data of one file. */
static uint32_t count_alike(const struct piece_batch *batch, uint32_t first)
{
    uint32_t i = first;

    while (i < batch->n && piece_is_mapped(batch->kind[i]) &&
           batch->files[i] == batch->files[first])
        i++;
    return i - first;
}

void meter_general_take(struct meter *meter, const struct piece_batch *batch)
{
    uint32_t i = 0;

    while (i < batch->n) {
        uint32_t n = count_alike(batch, i), end = i + n;

        if (n == 0) { /* zeros */
            i++;
            continue;
        }
        take_piece(meter, batch, i);
        for (i++; i < end; i += n) {
            n = end - i < METER_STEPS_MAX ? end - i : METER_STEPS_MAX;
            take_alike(meter, batch, i, n);
        }
        arrive_at(meter, batch, end - 1);
    }
}
