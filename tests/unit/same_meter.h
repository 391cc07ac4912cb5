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

#include <cmocka.h>

static inline void assert_same_edge(const struct meter_edge *a, const struct meter_edge *b)
{
    assert_int_equal(a->guest_off, b->guest_off);
    assert_int_equal(a->position, b->position);
    assert_int_equal(a->end, b->end);
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
        assert_true(meter_jump_sum(&a->bin[i]) == meter_jump_sum(&b->bin[i]));
    }
}

static inline void assert_same_meter(const struct meter *a, const struct meter *b)
{
    assert_int_equal(a->any, b->any);
    assert_int_equal(a->breaks, b->breaks);
    assert_int_equal(a->near_jumps, b->near_jumps);
    assert_int_equal(a->open_run_bytes, b->open_run_bytes);
    if (a->breaks > 0)
        assert_int_equal(a->first_run_bytes, b->first_run_bytes);
    if (a->any) {
        assert_same_edge(&a->first, &b->first);
        assert_same_edge(&a->last, &b->last);
    }
    for (unsigned direction = 0; direction < METER_N_DIRECTIONS; direction++)
        assert_same_jumps(&a->jumps[direction], &b->jumps[direction]);
    assert_same_runs(a, b);
    assert_int_equal(meter_error(a), 0);
    assert_int_equal(meter_error(b), 0);
}

#endif
