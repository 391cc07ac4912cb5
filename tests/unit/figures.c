// SPDX-License-Identifier: MIT
/*
 * Proves the arithmetic from a meter to the figures: sums, means, the half length, the histograms,
 * and what is null, by hand and against a naive way to the same.
 */
#include "figures.h"

#include "dice.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CLUSTER UINT64_C(65536)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A meter as after a walk with these runs, and a jump between each and the next. */
static struct meter *meter_of(const uint64_t *runs, size_t n_runs)
{
    struct meter *meter = meter_new(CLUSTER, 1);

    assert_non_null(meter);
    if (n_runs == 0)
        return meter;
    meter->any = true;
    meter->breaks = n_runs - 1;
    meter->first_run_bytes = runs[0];
    meter->open_run_bytes = runs[n_runs - 1];
    for (size_t i = 1; i + 1 < n_runs; i++)
        meter_lengths_add(&meter->lengths, runs[i], 1);
    return meter;
}

static struct report_walk figures_of(const struct meter *meter, uint64_t mapped_clusters)
{
    struct report_walk walk = {0};

    assert_int_equal(report_figures(meter, mapped_clusters, &walk), 0);
    return walk;
}

static void walk_free(struct report_walk *walk)
{
    free(walk->jump_histogram.list);
    free(walk->run_histogram.list);
}

static void assert_is(struct opt_f64 value, double expected)
{
    assert_true(value.known);
    assert_true(value.value == expected);
}

static void nothing_mapped_gives_nulls_and_zeros(void **state)
{
    struct meter *meter = meter_of(NULL, 0);
    struct report_walk walk = figures_of(meter, 0);

    (void)state;
    assert_int_equal(walk.mapped_bytes, 0);
    assert_int_equal(walk.backward_steps, 0);
    assert_int_equal(walk.forward_jumps, 0);
    assert_int_equal(walk.near_jumps, 0);
    assert_int_equal(walk.file_switches, 0);
    assert_int_equal(walk.breaks, 0);
    assert_int_equal(walk.ascending_runs, 0); /* not 0 + 1 */
    assert_int_equal(walk.contiguous_runs, 0);
    assert_int_equal(walk.jump_histogram.n, 0);
    assert_int_equal(walk.run_histogram.n, 0);
    assert_false(walk.backward_jump_mean_bytes.known);
    assert_false(walk.forward_jump_mean_bytes.known);
    assert_false(walk.fragmentation_score.known);
    assert_false(walk.ascending_run_mean_bytes.known);
    assert_false(walk.contiguous_run_mean_bytes.known);
    assert_false(walk.contiguous_run_half_bytes.known);
    assert_false(walk.contiguous_run_max_bytes.known);
    walk_free(&walk);
    meter_free(meter);
}

static void what_was_there_before_does_not_matter(void **state)
{
    struct meter *meter = meter_of(NULL, 0);
    struct report_walk walk = {
        .mapped_bytes = 42,
        .breaks = 42,
        .file_switches = 42,
        .fragmentation_score = {true, 42},
        .backward_jump_mean_bytes = {true, 42},
        .contiguous_run_mean_bytes = {true, 42},
        .contiguous_run_half_bytes = {true, 42},
        .contiguous_run_max_bytes = {true, 42},
    };

    (void)state;
    assert_int_equal(report_figures(meter, 0, &walk), 0);
    assert_int_equal(walk.mapped_bytes, 0);
    assert_int_equal(walk.breaks, 0);
    assert_int_equal(walk.file_switches, 0);
    assert_false(walk.fragmentation_score.known);
    assert_false(walk.backward_jump_mean_bytes.known);
    assert_false(walk.contiguous_run_mean_bytes.known);
    assert_false(walk.contiguous_run_half_bytes.known);
    assert_false(walk.contiguous_run_max_bytes.known);
    walk_free(&walk);
    meter_free(meter);
}

static void one_run_has_a_score_of_zero(void **state)
{
    const uint64_t runs[] = {3 * CLUSTER};
    struct meter *meter = meter_of(runs, 1);
    struct report_walk walk = figures_of(meter, 3);

    (void)state;
    assert_is(walk.fragmentation_score, 0);
    assert_false(walk.backward_jump_mean_bytes.known);
    assert_false(walk.forward_jump_mean_bytes.known);
    assert_int_equal(walk.mapped_bytes, 3 * CLUSTER);
    assert_int_equal(walk.ascending_runs, 1);
    assert_int_equal(walk.contiguous_runs, 1);
    assert_is(walk.ascending_run_mean_bytes, 3 * CLUSTER);
    assert_is(walk.contiguous_run_mean_bytes, 3 * CLUSTER);
    walk_free(&walk);
    meter_free(meter);
}

static void breaks_are_the_sum_of_both_directions(void **state)
{
    const uint64_t runs[] = {CLUSTER, CLUSTER, CLUSTER, 2 * CLUSTER};
    struct meter *meter = meter_of(runs, 4);
    struct report_walk walk;

    (void)state;
    meter_sparse_jumps_add(&meter->moves[METER_BACKWARD], 100000, 1);
    meter_sparse_jumps_add(&meter->moves[METER_FORWARD], 3000, 1);
    meter_sparse_jumps_add(&meter->moves[METER_FORWARD], 5000000, 1);
    meter->near_jumps = 1;
    walk = figures_of(meter, 5);
    assert_int_equal(walk.breaks, 3);
    assert_int_equal(walk.backward_steps, 1);
    assert_int_equal(walk.forward_jumps, 2);
    assert_int_equal(walk.near_jumps, 1);
    assert_int_equal(walk.file_switches, 0);
    assert_is(walk.backward_jump_mean_bytes, 100000);
    assert_is(walk.forward_jump_mean_bytes, 2501500);
    assert_is(walk.fragmentation_score, 0.2);
    assert_int_equal(walk.ascending_runs, 2);
    assert_is(walk.ascending_run_mean_bytes, 163840);
    assert_int_equal(walk.contiguous_runs, 4);
    assert_is(walk.contiguous_run_mean_bytes, 81920);
    walk_free(&walk);
    meter_free(meter);
}

/* Bins of a power are joined, directions share a class, empty classes are left out. */
static void the_jump_histogram_goes_by_powers_of_two(void **state)
{
    static const struct report_jump_class expected[] = {
        {0, 1, 0}, {1, 0, 1}, {8, 1, 1}, {65536, 3, 2}, {131072, 1, 0}, {UINT64_C(1) << 63, 0, 2},
    };
    const uint64_t runs[] = {CLUSTER};
    struct meter *meter = meter_of(runs, 1);
    struct meter_sparse_jumps *backward = &meter->moves[METER_BACKWARD];
    struct meter_sparse_jumps *forward = &meter->moves[METER_FORWARD];
    struct report_walk walk;

    (void)state;
    meter_sparse_jumps_add(backward, 0, 1);
    meter_sparse_jumps_add(forward, 1, 1);
    meter_sparse_jumps_add(backward, 8, 1);
    meter_sparse_jumps_add(forward, 15, 1);
    meter_sparse_jumps_add(backward, 65536, 1);
    meter_sparse_jumps_add(backward, 80000, 1);
    meter_sparse_jumps_add(backward, 131071, 1);
    meter_sparse_jumps_add(forward, 65536, 1);
    meter_sparse_jumps_add(forward, 100000, 1);
    meter_sparse_jumps_add(backward, 131072, 1);
    meter_sparse_jumps_add(forward, UINT64_C(1) << 63, 1);
    meter_sparse_jumps_add(forward, UINT64_MAX, 1);
    walk = figures_of(meter, 1);
    assert_int_equal(walk.jump_histogram.n, COUNT(expected));
    assert_memory_equal(walk.jump_histogram.list, expected, sizeof(expected));
    walk_free(&walk);
    meter_free(meter);
}

static void the_run_histogram_goes_by_powers_of_two(void **state)
{
    static const struct report_run_class expected[] = {
        {2048, 1, 2048},
        {4096, 1, 6144},
        {65536, 2, 131072},
        {131072, 2, 131072 + 196608},
        {UINT64_C(1) << 40, 1, UINT64_C(1) << 40},
    };
    const uint64_t runs[] = {CLUSTER,           3 * CLUSTER, 6144,   2 * CLUSTER,
                             UINT64_C(1) << 40, 2048,        CLUSTER};
    struct meter *meter = meter_of(runs, COUNT(runs));
    struct report_walk walk = figures_of(meter, 10);

    (void)state;
    assert_int_equal(walk.run_histogram.n, COUNT(expected));
    assert_memory_equal(walk.run_histogram.list, expected, sizeof(expected));
    walk_free(&walk);
    meter_free(meter);
}

static void all_classes_find_room(void **state)
{
    uint64_t runs[45];
    struct meter *meter;
    struct report_walk walk;

    (void)state;
    for (unsigned i = 0; i < COUNT(runs); i++)
        runs[i] = UINT64_C(1) << (9 + i);
    meter = meter_of(runs, COUNT(runs));
    meter_sparse_jumps_add(&meter->moves[METER_FORWARD], 0, 1);
    for (unsigned i = 0; i < 64; i++)
        meter_sparse_jumps_add(&meter->moves[METER_FORWARD], UINT64_C(1) << i, 1);
    walk = figures_of(meter, 1);
    assert_int_equal(walk.run_histogram.n, COUNT(runs));
    assert_int_equal(walk.jump_histogram.n, 65);
    assert_int_equal(walk.jump_histogram.list[64].from_bytes, UINT64_C(1) << 63);
    walk_free(&walk);
    meter_free(meter);
}

static void the_half_length_by_hand(void **state)
{
    static const struct {
        uint64_t runs[6]; /* clusters; 0: no more */
        uint64_t half;
    } cases[] = {
        {{1}, 1},
        {{1, 1}, 1},
        {{5, 3, 1, 1}, 5},    /* exactly half is enough */
        {{4, 3, 1, 1, 1}, 3}, /* 4 of 10 are not */
        {{5, 3, 1, 1, 1}, 3},
        {{2, 1, 2}, 2},
        {{1, 2, 3, 4, 5, 6}, 5},
        {{8, 24, 8, 24}, 24},
        {{1, 1, 1, 1, 100}, 100},
        {{300, 300, 1}, 300},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t runs[6], total = 0;
        struct meter *meter;
        struct report_walk walk;
        size_t n = 0;

        for (; n < 6 && cases[i].runs[n] != 0; n++) {
            runs[n] = cases[i].runs[n] * CLUSTER;
            total += cases[i].runs[n];
        }
        meter = meter_of(runs, n);
        walk = figures_of(meter, total);
        assert_true(walk.contiguous_run_half_bytes.known);
        assert_int_equal(walk.contiguous_run_half_bytes.value, cases[i].half * CLUSTER);
        walk_free(&walk);
        meter_free(meter);
    }
}

/* Up to the largest disk of the format, 2 EiB, and beyond: twice the sum exceeds 64 bits. */
static void large_sums_do_not_wrap(void **state)
{
    const uint64_t eib = UINT64_C(1) << 60;
    const uint64_t runs[] = {4 * eib, 5 * eib, 6 * eib};
    struct meter *meter = meter_of(runs, 3);
    struct report_walk walk = figures_of(meter, 1);

    (void)state;
    assert_int_equal(walk.mapped_bytes, 15 * eib);
    assert_int_equal(walk.contiguous_run_half_bytes.value, 5 * eib);
    assert_int_equal(walk.contiguous_run_max_bytes.value, 6 * eib);
    walk_free(&walk);
    meter_free(meter);
}

static void a_mean_of_distances_beyond_64_bits(void **state)
{
    const uint64_t runs[] = {CLUSTER};
    struct meter *meter = meter_of(runs, 1);
    struct report_walk walk;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        meter_sparse_jumps_add(&meter->moves[METER_BACKWARD], UINT64_C(3) << 62, 1);
    walk = figures_of(meter, 1);
    assert_is(walk.backward_jump_mean_bytes, 0x3p62);
    walk_free(&walk);
    meter_free(meter);
}

/* From the definition: the largest L such that runs of at least L hold at least half. */
static uint64_t naive_half(const uint64_t *runs, size_t n)
{
    uint64_t total = 0, best = 0;

    for (size_t i = 0; i < n; i++)
        total += runs[i];
    for (size_t i = 0; i < n; i++) {
        uint64_t held = 0;

        for (size_t k = 0; k < n; k++)
            held += runs[k] >= runs[i] ? runs[k] : 0;
        if (2 * held >= total && runs[i] > best)
            best = runs[i];
    }
    return best;
}

static void random_runs_agree_with_the_definitions(void **state)
{
    struct dice dice = dice_of(40);

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t runs[60], total = 0, longest = 0, in_classes = 0, runs_in_classes = 0;
        size_t n = 1 + dice_below(&dice, COUNT(runs));
        struct meter *meter;
        struct report_walk walk;

        for (size_t i = 0; i < n; i++) {
            runs[i] = 2048 * (1 + dice_below(&dice, UINT64_C(1) << dice_below(&dice, 16)));
            total += runs[i];
            longest = runs[i] > longest ? runs[i] : longest;
        }
        meter = meter_of(runs, n);
        walk = figures_of(meter, 7);
        assert_int_equal(walk.mapped_bytes, total);
        assert_int_equal(walk.contiguous_runs, n);
        assert_int_equal(walk.contiguous_run_half_bytes.value, naive_half(runs, n));
        assert_int_equal(walk.contiguous_run_max_bytes.value, longest);
        for (size_t i = 0; i < walk.run_histogram.n; i++) {
            uint64_t from = walk.run_histogram.list[i].from_bytes, expected = 0;

            if (i > 0)
                assert_true(from > walk.run_histogram.list[i - 1].from_bytes);
            for (size_t k = 0; k < n; k++)
                expected += runs[k] >= from && runs[k] < 2 * from;
            assert_int_equal(walk.run_histogram.list[i].runs, expected);
            in_classes += walk.run_histogram.list[i].bytes;
            runs_in_classes += expected;
        }
        assert_int_equal(in_classes, total);
        assert_int_equal(runs_in_classes, n);
        walk_free(&walk);
        meter_free(meter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_mapped_gives_nulls_and_zeros),
        cmocka_unit_test(what_was_there_before_does_not_matter),
        cmocka_unit_test(one_run_has_a_score_of_zero),
        cmocka_unit_test(breaks_are_the_sum_of_both_directions),
        cmocka_unit_test(the_jump_histogram_goes_by_powers_of_two),
        cmocka_unit_test(the_run_histogram_goes_by_powers_of_two),
        cmocka_unit_test(all_classes_find_room),
        cmocka_unit_test(the_half_length_by_hand),
        cmocka_unit_test(large_sums_do_not_wrap),
        cmocka_unit_test(a_mean_of_distances_beyond_64_bits),
        cmocka_unit_test(random_runs_agree_with_the_definitions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
