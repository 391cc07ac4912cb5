/* SPDX-License-Identifier: MIT */
/* Are two meters the same, in every figure and in all that a further piece could need? */
#ifndef UNIT_SAME_METER_H
#define UNIT_SAME_METER_H

#include "meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline void assert_same_edge(const struct meter_edge *a, const struct meter_edge *b)
{
    assert_int_equal(a->guest_off, b->guest_off);
    assert_int_equal(a->position, b->position);
    assert_int_equal(a->end, b->end);
    assert_int_equal(a->read_begin, b->read_begin);
    assert_int_equal(a->read_end, b->read_end);
    assert_int_equal(a->source, b->source);
    assert_int_equal(a->slack, b->slack);
    assert_int_equal(a->compressed, b->compressed);
}

static inline void assert_same_runs(const struct meter *a, const struct meter *b)
{
    size_t n_a, n_b;
    struct meter_length *runs_a = meter_runs_sorted(a, &n_a);
    struct meter_length *runs_b = meter_runs_sorted(b, &n_b);

    assert_int_equal(n_a, n_b);
    for (size_t i = 0; i < n_a; i++) {
        assert_int_equal(runs_a[i].bytes, runs_b[i].bytes);
        assert_int_equal(runs_a[i].count, runs_b[i].count);
    }
    free(runs_a);
    free(runs_b);
}

static inline void assert_same_jumps(const struct meter_jumps *a, const struct meter_jumps *b)
{
    for (unsigned i = 0; i < METER_JUMP_BINS; i++) {
        assert_int_equal(a->bin[i].count, b->bin[i].count);
        assert_true(a->bin[i].sum == b->bin[i].sum);
    }
}

static inline void assert_same_moves(const struct meter_sparse_jumps *a,
                                     const struct meter_sparse_jumps *b)
{
    static struct meter_jumps all_a, all_b;

    memset(&all_a, 0, sizeof(all_a));
    memset(&all_b, 0, sizeof(all_b));
    meter_sparse_jumps_pour(a, &all_a);
    meter_sparse_jumps_pour(b, &all_b);
    assert_same_jumps(&all_a, &all_b);
}

static inline void assert_same_steps(const struct meter *a, const struct meter *b)
{
    static struct meter_jumps all_a[METER_N_DIRECTIONS], all_b[METER_N_DIRECTIONS];

    memset(all_a, 0, sizeof(all_a));
    memset(all_b, 0, sizeof(all_b));
    meter_pour_jumps(a, all_a);
    meter_pour_jumps(b, all_b);
    for (unsigned direction = 0; direction < METER_N_DIRECTIONS; direction++)
        assert_same_jumps(&all_a[direction], &all_b[direction]);
}

static inline void assert_same_head(const struct meter_head *a, const struct meter_head *b)
{
    assert_int_equal(a->any, b->any);
    if (a->any) {
        assert_int_equal(a->first.file, b->first.file);
        assert_int_equal(a->first.off, b->first.off);
        assert_int_equal(a->at.file, b->at.file);
        assert_int_equal(a->at.off, b->at.off);
    }
    assert_int_equal(a->led, b->led);
    assert_int_equal(a->strayed, b->strayed);
    assert_int_equal(a->read_bytes, b->read_bytes);
    assert_int_equal(a->l2_bytes, b->l2_bytes);
    assert_int_equal(a->again_bytes, b->again_bytes);
    assert_int_equal(a->missing_bytes, b->missing_bytes);
    assert_int_equal(a->ways, b->ways);
    assert_int_equal(a->switches, b->switches);
    for (unsigned direction = 0; direction < METER_N_DIRECTIONS; direction++)
        assert_same_moves(&a->detours[direction], &b->detours[direction]);
    assert_same_moves(&a->gaps, &b->gaps);
    assert_same_moves(&a->again, &b->again);
}

static inline void assert_same_meter(const struct meter *a, const struct meter *b)
{
    assert_int_equal(a->any, b->any);
    assert_int_equal(a->breaks, b->breaks);
    assert_int_equal(a->near_jumps, b->near_jumps);
    assert_int_equal(a->open_run_bytes, b->open_run_bytes);
    if (a->breaks > 0)
        assert_int_equal(a->first_run_bytes, b->first_run_bytes);
    assert_int_equal(a->file_switches, b->file_switches);
    assert_int_equal(a->hole_bytes, b->hole_bytes);
    assert_int_equal(a->compared, b->compared);
    assert_int_equal(a->splits, b->splits);
    if (a->any) {
        assert_int_equal(a->first_file, b->first_file);
        assert_int_equal(a->last_file, b->last_file);
    }
    assert_int_equal(a->n_files, b->n_files);
    for (unsigned i = 0; i < a->n_files; i++) {
        assert_int_equal(a->files[i].seen, b->files[i].seen);
        assert_int_equal(a->files[i].runs, b->files[i].runs);
        assert_int_equal(a->files[i].bytes, b->files[i].bytes);
        if (!a->files[i].seen)
            continue;
        assert_same_edge(&a->files[i].first, &b->files[i].first);
        assert_same_edge(&a->files[i].last, &b->files[i].last);
    }
    assert_same_head(&a->head, &b->head);
    assert_same_steps(a, b);
    assert_same_runs(a, b);
    assert_int_equal(meter_error(a), 0);
    assert_int_equal(meter_error(b), 0);
}

#endif
