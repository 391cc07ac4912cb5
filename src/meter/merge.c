// SPDX-License-Identifier: MIT
/* Owns the merging of meters: what depends on the order, and what does not. */
#include "count.h"
#include "meter.h"
#include "step.h"

static struct meter_edge shifted(struct meter_edge edge, uint64_t shift)
{
    edge.guest_off += shift;
    return edge;
}

static void join_runs(struct meter *left, const struct meter *right)
{
    if (right->breaks == 0) {
        left->open_run_bytes += right->open_run_bytes;
        return;
    }
    left->open_run_bytes += right->first_run_bytes;
    meter_count_break(left);
    left->open_run_bytes = right->open_run_bytes;
    left->breaks += right->breaks - 1;
    left->near_jumps += right->near_jumps;
    left->file_switches += right->file_switches;
}

/*
 * The first piece of @right in a file other than that of its first piece at all: before it there is
 * a switch, where a run has ended and the head came from elsewhere. If it is a jump in its own file
 * as well, there is nothing between the two breaks.
 */
static void join_file(struct meter *left, const struct meter_edge *first, unsigned number)
{
    struct meter_file *file = &left->files[number];
    struct meter_step step = meter_step_judge(file, first);

    if (step.kind == METER_STEP_JUMP) {
        left->breaks++;
        meter_lengths_add(&left->lengths, 0, 1);
        meter_step_count_jump(left, step);
        meter_head_take_back(&left->head, step.direction, step.distance);
    } else if (step.kind == METER_STEP_FIRST) {
        file->seen = true;
        file->first = *first;
    }
}

static void join_pieces(struct meter *left, const struct meter *right, uint64_t shift)
{
    struct meter_edge first = shifted(right->files[right->first_file].first, shift);

    meter_step_to(left, &first, right->first_file, right->head.led);
    join_runs(left, right);
    for (unsigned i = 0; i < right->n_files; i++) {
        if (!right->files[i].seen)
            continue;
        first = shifted(right->files[i].first, shift);
        if (i != right->first_file)
            join_file(left, &first, i);
        left->files[i].last = shifted(right->files[i].last, shift);
        /* The step to the first piece of all has been judged, and counted, again. */
        left->files[i].runs += right->files[i].runs - (i == right->first_file);
        left->files[i].bytes += right->files[i].bytes;
    }
    left->last_file = right->last_file;
}

void meter_join(struct meter *left, const struct meter *right, uint64_t shift)
{
    left->hole_bytes += right->hole_bytes;
    left->compared += right->compared;
    left->splits += right->splits;
    if (!right->head.any)
        return;
    if (right->head.led || !right->any) { /* it begins with a table */
        meter_head_move(&left->head, right->head.first, right->head.first_bytes);
        left->head.strayed = true;
    }
    if (right->any)
        join_pieces(left, right, shift);
    meter_head_join(&left->head, &right->head);
}

void meter_add_inner(struct meter *left, const struct meter *right, uint64_t times)
{
    if (times == 0)
        return;
    meter_head_add_inner(&left->head, &right->head, times);
    if (right->breaks == 0)
        return;
    meter_lengths_merge(&left->lengths, &right->lengths, times);
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        meter_sparse_jumps_merge(&left->moves[i], &right->moves[i], times);
    meter_count_add_tally(left->moves, right->tally, times);
}

void meter_merge(struct meter *left, const struct meter *right)
{
    meter_join(left, right, 0);
    meter_add_inner(left, right, 1);
}
