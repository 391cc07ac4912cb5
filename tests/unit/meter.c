// SPDX-License-Identifier: MIT
/*
 * Proves each rule for a step from one piece to the next at its exact borders, that a walk may be
 * cut anywhere and merged again, and that both shapes of a batch say the same.
 */
#include "meter.h"

#include "dice.h"
#include "pieces.h"
#include "same_meter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CLUSTER UINT64_C(65536)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct piece standard(uint64_t guest, uint64_t host)
{
    return (struct piece){.kind = PIECE_DATA,
                          .guest_off = guest * CLUSTER,
                          .guest_bytes = CLUSTER,
                          .begin = host * CLUSTER,
                          .end = (host + 1) * CLUSTER,
                          .mapped_bytes = CLUSTER};
}

static struct piece compressed(uint64_t guest, uint64_t begin, uint64_t end)
{
    return (struct piece){.kind = PIECE_COMPRESSED,
                          .guest_off = guest * CLUSTER,
                          .guest_bytes = CLUSTER,
                          .begin = begin,
                          .end = end,
                          .mapped_bytes = CLUSTER,
                          .slack = -end & (CLUSTER - 1)};
}

static struct meter *meter_pieces(const struct piece *pieces, size_t n)
{
    return pieces_metered(CLUSTER, pieces, n);
}

/* ---- one step ---- */

enum step { DENSE, IN_STEP = DENSE, PADDED = DENSE, BACKWARD, FORWARD, NEAR };

struct step_case {
    struct piece before, after;
    enum step step; /* DENSE: no break */
    uint64_t distance;
};

static void check_step(const struct meter *meter, const struct step_case *expected, size_t i)
{
    struct meter_jump_total backward = pieces_jumps(meter, METER_BACKWARD);
    struct meter_jump_total forward = pieces_jumps(meter, METER_FORWARD);
    enum step step = backward.count == 1      ? BACKWARD
                     : forward.count == 0     ? DENSE
                     : meter->near_jumps == 1 ? NEAR
                                              : FORWARD;

    if (step != expected->step)
        fail_msg("case %zu: %d, not %d", i, step, expected->step);
    assert_int_equal(meter->breaks, step != DENSE);
    assert_int_equal(backward.count + forward.count, meter->breaks);
    assert_int_equal(meter->near_jumps, step == NEAR);
    assert_true(backward.sum + forward.sum == expected->distance);
}

/* Each alone, and as one of the many that are judged at a time. */
static void check_steps(const struct step_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct piece pieces[] = {cases[i].before, cases[i].after};
        struct meter *together = meter_pieces(pieces, 2), *alone = meter_pieces(pieces, 1);

        pieces_take(alone, &pieces[1], 1);
        check_step(alone, &cases[i], i);
        check_step(together, &cases[i], i);
        assert_same_meter(together, alone);
        meter_free(alone);
        meter_free(together);
    }
}

static void steps_between_standard_clusters(void **state)
{
    const struct step_case cases[] = {
        {standard(0, 5), standard(1, 6), DENSE, 0},
        {standard(0, 5), standard(9, 6), DENSE, 0},          /* a hole closed up */
        {standard(0, 5), standard(3, 8), IN_STEP, 0},        /* a hole in step */
        {standard(0, 5), standard(3, 7), NEAR, CLUSTER},     /* a hole not in step: less */
        {standard(0, 5), standard(3, 9), NEAR, 3 * CLUSTER}, /* and more */
        {standard(0, 5), standard(1, 7), NEAR, CLUSTER},
        {standard(0, 5), standard(1, 14), NEAR, 8 * CLUSTER}, /* 512 KiB */
        {standard(0, 5), standard(1, 15), FORWARD, 9 * CLUSTER},
        {standard(0, 5), standard(1, 4), BACKWARD, 2 * CLUSTER}, /* from the end */
        {standard(0, 5), standard(1, 5), BACKWARD, CLUSTER},     /* the same cluster again */
        {standard(0, 5), standard(1, 0), BACKWARD, 6 * CLUSTER},
        {standard(0, 5), standard(2, 4), BACKWARD, 2 * CLUSTER}, /* no step is kept going back */
        {standard(0, UINT64_C(1) << 39), standard(1, 1), BACKWARD, (UINT64_C(1) << 55)},
        {standard(0, 1), standard(1, UINT64_C(1) << 39), FORWARD,
         (UINT64_C(1) << 55) - 2 * CLUSTER},
    };

    (void)state;
    check_steps(cases, COUNT(cases));
}

/* A blob at bytes 327,680 to 348,160 of host cluster 5; 393,216 is where cluster 6 begins. */
static void steps_after_a_compressed_cluster(void **state)
{
    const struct piece before = compressed(0, 327680, 348160);
    const struct step_case cases[] = {
        {before, compressed(1, 347648, 360000), PADDED, 0}, /* E - 512 */
        {before, compressed(1, 347647, 360000), NEAR, 513}, /* inside the blob: not that */
        {before, compressed(1, 348160, 360000), PADDED, 0}, /* E */
        {before, compressed(1, 348161, 360000), PADDED, 0}, /* a little further on */
        {before, compressed(1, 393216, 400000), PADDED, 0}, /* E rounded up to a cluster */
        {before, compressed(1, 393217, 400000), NEAR, 393217 - 348160},
        {before, compressed(9, 348160, 360000), PADDED, 0}, /* whatever the guest gap */
        {before, compressed(1, 348160 + 524288, 900000), NEAR, 524288},
        {before, compressed(1, 348160 + 524289, 900000), FORWARD, 524289},
        {before, compressed(1, 327680, 348160), BACKWARD, 20480}, /* the same blob */
        {before, compressed(1, 327681, 348160), NEAR, 348160 - 327681},
        {before, compressed(1, 327679, 340000), BACKWARD, 348160 - 327679},
        {before, standard(1, 6), PADDED, 0},
        {before, standard(1, 7), NEAR, 7 * CLUSTER - 348160},
        {before, standard(1, 5), BACKWARD, 20480},
        {before, standard(3, 8), NEAR, 8 * CLUSTER - 348160}, /* in step is for standard pairs */
    };

    (void)state;
    check_steps(cases, COUNT(cases));
}

static void steps_to_a_compressed_cluster(void **state)
{
    const struct piece before = standard(0, 5); /* ends at 393,216, a cluster's border */
    const struct step_case cases[] = {
        {before, compressed(1, 393216, 400000), PADDED, 0},
        {before, compressed(1, 393216 - 512, 400000), PADDED, 0},
        {before, compressed(1, 393216 - 513, 400000), NEAR, 513},
        {before, compressed(1, 393217, 400000), NEAR, 1}, /* nothing is left to pad */
        {before, compressed(1, 327680, 400000), BACKWARD, CLUSTER},
    };

    (void)state;
    check_steps(cases, COUNT(cases));
}

/* A blob shorter than a sector: the next one must still begin after it. */
static void a_tiny_blob_does_not_make_a_step_back_contiguous(void **state)
{
    const struct piece before = compressed(0, 327700, 328192);
    const struct step_case cases[] = {
        {before, compressed(1, 327701, 328192), PADDED, 0},
        {before, compressed(1, 327700, 328192), BACKWARD, 492},
        {before, compressed(1, 327680, 328192), BACKWARD, 512},
    };

    (void)state;
    check_steps(cases, COUNT(cases));
}

/* ---- runs ---- */

static void check_runs(const struct meter *meter, const struct meter_length *expected, size_t n)
{
    size_t n_runs;
    struct meter_length *runs = meter_runs_sorted(meter, &n_runs);

    assert_int_equal(n_runs, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(runs[i].bytes, expected[i].bytes);
        assert_int_equal(runs[i].count, expected[i].count);
    }
    free(runs);
}

static void no_piece_is_no_run(void **state)
{
    struct meter *meter = meter_new(CLUSTER, PIECES_FILES);

    (void)state;
    check_runs(meter, NULL, 0);
    assert_false(meter->any);
    pieces_take(meter, NULL, 0);
    check_runs(meter, NULL, 0);
    meter_free(meter);
    meter_free(NULL);
}

static void one_piece_is_one_run(void **state)
{
    const struct piece pieces[] = {standard(7, 5)};
    const struct meter_length expected[] = {{CLUSTER, 1}};
    struct meter *meter = meter_pieces(pieces, 1);

    (void)state;
    check_runs(meter, expected, 1);
    assert_int_equal(meter->breaks, 0);
    meter_free(meter);
}

static void the_first_and_the_last_run_count_too(void **state)
{
    const struct piece pieces[] = {
        standard(0, 20), standard(1, 21), standard(2, 22), /* 3 */
        standard(3, 10),                                   /* 1 */
        standard(4, 40), standard(5, 41),                  /* 2 */
        standard(6, 50),                                   /* 1 */
    };
    const struct meter_length expected[] = {{3 * CLUSTER, 1}, {2 * CLUSTER, 1}, {CLUSTER, 2}};
    struct meter *meter = meter_pieces(pieces, COUNT(pieces));

    (void)state;
    assert_int_equal(meter->breaks, 3);
    check_runs(meter, expected, 3);
    meter_free(meter);
}

/* Holes and padding are not part of a run's length; a piece counts with what it maps. */
static void a_run_is_as_long_as_what_it_maps(void **state)
{
    struct piece pieces[] = {standard(0, 5), standard(1, 6), standard(4, 9)};
    const struct meter_length expected[] = {{CLUSTER + 4096 + 2048, 1}};
    struct meter *meter;

    (void)state;
    pieces[1].mapped_bytes = 4096;
    pieces[2].mapped_bytes = 2048;
    meter = meter_pieces(pieces, 3);
    check_runs(meter, expected, 1);
    meter_free(meter);
}

/* Zero clusters, with a host cluster or without, are not read. */
static void pieces_of_zeros_are_passed_over(void **state)
{
    struct piece pieces[] = {standard(0, 0),  standard(1, 5), standard(2, 0),
                             standard(3, 99), standard(4, 8), standard(5, 1)};
    const struct piece data[] = {standard(1, 5), standard(4, 8)};
    struct meter *meter, *alone = meter_pieces(data, 2);

    (void)state;
    pieces[0].kind = pieces[2].kind = PIECE_ZERO;
    pieces[3].kind = pieces[5].kind = PIECE_ZERO_ALLOCATED;
    meter = meter_pieces(pieces, COUNT(pieces));
    assert_int_equal(meter->breaks, 0);
    assert_same_meter(meter, alone);
    meter_free(alone);
    meter_free(meter);
}

static void clearing_forgets_all_pieces(void **state)
{
    const struct piece old[] = {standard(0, 9), standard(1, 5), standard(2, 700), standard(3, 2)};
    const struct piece new[] = {standard(8, 5), standard(9, 6), standard(10, 50)};
    struct meter *meter = meter_pieces(old, 4), *fresh = meter_new(CLUSTER, PIECES_FILES);

    (void)state;
    meter_clear(meter);
    assert_same_meter(meter, fresh);
    pieces_take(meter, new, 3);
    pieces_take(fresh, new, 3);
    assert_same_meter(meter, fresh);
    meter_free(fresh);
    meter_free(meter);
}

/* ---- random walks ---- */

#define MOST 400

/* Pieces of every kind and step; @spread makes distances of every size. */
static size_t random_pieces(struct dice *dice, struct piece pieces[MOST], size_t most)
{
    size_t n = dice_below(dice, most + 1);
    uint64_t guest = dice_below(dice, 5), host = 5 * CLUSTER;

    for (size_t i = 0; i < n; i++) {
        uint64_t gap = dice_once_in(dice, 4) ? dice_below(dice, 6) : 0;
        uint64_t far = UINT64_C(1) << dice_below(dice, 38);

        guest += gap;
        if (dice_once_in(dice, 3))
            host += gap * CLUSTER; /* in step */
        else if (dice_once_in(dice, 3))
            host = (5 + dice_below(dice, far)) * CLUSTER;
        if (dice_once_in(dice, 4)) {
            uint64_t begin = host - dice_below(dice, 700);

            pieces[i] =
                compressed(guest, begin, begin / 512 * 512 + 512 * (1 + dice_below(dice, 128)));
        } else {
            pieces[i] = standard(guest, host / CLUSTER);
            if (dice_once_in(dice, 8))
                pieces[i].mapped_bytes = 2048 * (1 + dice_below(dice, 31));
            if (dice_once_in(dice, 9))
                pieces[i].kind = dice_once_in(dice, 2) ? PIECE_ZERO : PIECE_ZERO_ALLOCATED;
        }
        host = dice_once_in(dice, 9) ? pieces[i].end / CLUSTER * CLUSTER + CLUSTER : pieces[i].end;
        guest++;
    }
    return n;
}

/* Pieces alone are judged one at a time, pieces together 64 at a time. */
static void many_at_a_time_are_as_one_at_a_time(void **state)
{
    struct dice dice = dice_of(37);
    struct piece pieces[MOST];

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        size_t n = random_pieces(&dice, pieces, MOST);
        struct meter *whole = meter_pieces(pieces, n), *single = meter_new(CLUSTER, PIECES_FILES);

        for (size_t i = 0; i < n; i++)
            pieces_take(single, &pieces[i], 1);
        assert_same_meter(single, whole);
        meter_free(single);
        meter_free(whole);
    }
}

/* Where one batch ends and the next begins does not matter. */
static void batches_may_be_of_any_size(void **state)
{
    struct dice dice = dice_of(30);
    struct piece pieces[MOST];

    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        size_t n = random_pieces(&dice, pieces, MOST);
        struct meter *whole = meter_pieces(pieces, n), *parts = meter_new(CLUSTER, PIECES_FILES);

        for (size_t at = 0, step; at < n; at += step) {
            step = 1 + dice_below(&dice, 20);
            step = step < n - at ? step : n - at;
            pieces_take(parts, pieces + at, step);
        }
        assert_same_meter(parts, whole);
        meter_free(parts);
        meter_free(whole);
    }
}

static void a_walk_may_be_cut_at_every_place(void **state)
{
    struct dice dice = dice_of(31);
    struct piece pieces[MOST];

    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        size_t n = random_pieces(&dice, pieces, 60);
        struct meter *whole = meter_pieces(pieces, n);

        for (size_t cut = 0; cut <= n; cut++) {
            struct meter *left = meter_pieces(pieces, cut);
            struct meter *right = meter_pieces(pieces + cut, n - cut);
            struct meter *right_before = meter_pieces(pieces + cut, n - cut);

            meter_merge(left, right);
            assert_same_meter(left, whole);
            assert_same_meter(right, right_before); /* only read */
            meter_free(right_before);
            meter_free(right);
            meter_free(left);
        }
        meter_free(whole);
    }
}

/* (a b) c = a (b c), also when one of them is empty. */
static void merging_is_associative(void **state)
{
    struct dice dice = dice_of(32);
    struct piece pieces[MOST];

    (void)state;
    for (unsigned round = 0; round < 1000; round++) {
        size_t n = random_pieces(&dice, pieces, round < 200 ? 6 : 60);
        size_t first = dice_below(&dice, n + 1), second = first + dice_below(&dice, n + 1 - first);
        struct meter *a = meter_pieces(pieces, first);
        struct meter *a_again = meter_pieces(pieces, first);
        struct meter *b = meter_pieces(pieces + first, second - first);
        struct meter *c = meter_pieces(pieces + second, n - second);

        meter_merge(a, b);
        meter_merge(a, c); /* (a b) c */
        meter_merge(b, c);
        meter_merge(a_again, b); /* a (b c) */
        assert_same_meter(a, a_again);
        meter_free(c);
        meter_free(b);
        meter_free(a_again);
        meter_free(a);
    }
}

static void many_parts_merge_from_left_to_right(void **state)
{
    struct dice dice = dice_of(33);
    struct piece pieces[MOST];

    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        size_t n = random_pieces(&dice, pieces, MOST);
        struct meter *whole = meter_pieces(pieces, n), *sum = meter_new(CLUSTER, PIECES_FILES);

        for (size_t at = 0, step; at < n; at += step) {
            struct meter *part;

            step = 1 + dice_below(&dice, 30);
            step = step < n - at ? step : n - at;
            part = meter_pieces(pieces + at, step);
            meter_merge(sum, part);
            meter_free(part);
        }
        assert_same_meter(sum, whole);
        meter_free(sum);
        meter_free(whole);
    }
}

/* Pieces that go on after a merge see what was merged. */
static void a_merged_meter_takes_further_pieces(void **state)
{
    struct dice dice = dice_of(34);
    struct piece pieces[MOST];

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        size_t n = random_pieces(&dice, pieces, 40);
        size_t first = dice_below(&dice, n + 1), second = first + dice_below(&dice, n + 1 - first);
        struct meter *whole = meter_pieces(pieces, n);
        struct meter *left = meter_pieces(pieces, first);
        struct meter *middle = meter_pieces(pieces + first, second - first);

        meter_merge(left, middle);
        pieces_take(left, pieces + second, n - second);
        assert_same_meter(left, whole);
        meter_free(middle);
        meter_free(left);
        meter_free(whole);
    }
}

/* ---- a part that is met again, further on the guest disk ---- */

/* Its order joined at each place, its inner part added once for all: as if metered each time. */
static void a_part_may_be_joined_at_many_places(void **state)
{
    struct dice dice = dice_of(35);
    struct piece pieces[MOST], moved[MOST];

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        size_t n = random_pieces(&dice, pieces, 40);
        uint64_t shift = dice_below(&dice, 3) * 100 * CLUSTER, times = dice_below(&dice, 6);
        struct meter *part = meter_pieces(pieces, n);
        struct meter *joined = meter_new(CLUSTER, PIECES_FILES),
                     *metered = meter_new(CLUSTER, PIECES_FILES);

        for (uint64_t k = 0; k < times; k++) {
            memcpy(moved, pieces, sizeof(moved));
            for (size_t i = 0; i < n; i++)
                moved[i].guest_off += k * shift;
            pieces_take(metered, moved, n);
            meter_join(joined, part, k * shift);
        }
        meter_add_inner(joined, part, times);
        assert_same_meter(joined, metered);
        meter_free(metered);
        meter_free(joined);
        meter_free(part);
    }
}

/* Metered further on, joined nearer: the shift is modulo 2^64. */
static void a_part_may_be_joined_at_an_earlier_place(void **state)
{
    const struct piece there[] = {standard(100, 8), standard(101, 9), standard(102, 5)};
    const struct piece here[] = {standard(0, 5), standard(3, 8), standard(4, 9), standard(5, 5)};
    struct meter *left = meter_pieces(here, 1), *part = meter_pieces(there, 3);
    struct meter *whole = meter_pieces(here, 4);

    (void)state;
    meter_join(left, part, (uint64_t)0 - 97 * CLUSTER);
    meter_add_inner(left, part, 1);
    assert_same_meter(left, whole); /* 5 to 8 is in step only at the place where it is joined */
    assert_int_equal(left->breaks, 1);
    meter_free(whole);
    meter_free(part);
    meter_free(left);
}

/* ---- the two shapes of a batch ---- */

/* One of several kinds of order, 64 clusters at a time. */
static void random_clusters(struct dice *dice, struct piece *pieces, size_t n)
{
    uint64_t guest = dice_below(dice, 1000), host = 5;

    for (size_t i = 0; i < n; i++) {
        static const uint64_t once_in[] = {1, 2, 10, 1000000};

        if (dice_once_in(dice, once_in[i / 64 % 4]))
            host = 5 + dice_below(dice, UINT64_C(1) << dice_below(dice, 38));
        pieces[i] = standard(guest + i, host);
        host++;
    }
}

static void uniform_batches_say_the_same_as_general_ones(void **state)
{
    struct dice dice = dice_of(36);
    static struct piece pieces[4 * PIECE_BATCH_MAX];

    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        struct meter *uniform = meter_new(CLUSTER, PIECES_FILES), *general;

        random_clusters(&dice, pieces, COUNT(pieces));
        for (size_t at = 0, step; at < COUNT(pieces); at += step) {
            step = 64 * (1 + dice_below(&dice, PIECE_BATCH_MAX / 64));
            step = step < COUNT(pieces) - at ? step : COUNT(pieces) - at;
            if (dice_once_in(&dice, 4))
                pieces_take(uniform, pieces + at, step);
            else
                pieces_take_uniform(uniform, pieces + at, step);
        }
        general = meter_pieces(pieces, COUNT(pieces));
        assert_same_meter(uniform, general);
        meter_free(general);
        meter_free(uniform);
    }
}

/* Whatever is before it: nothing, a cluster, a hole in step, a blob. */
static void the_first_step_of_a_uniform_batch_is_judged_like_any(void **state)
{
    const struct piece before[] = {
        standard(63, 4),
        standard(60, 1),
        standard(60, 2),
        standard(63, 9),
        standard(63, 5),
        compressed(63, 4 * CLUSTER, 4 * CLUSTER + 512),
        compressed(63, 5 * CLUSTER - 512, 5 * CLUSTER + 512),
        compressed(63, 90, 1024),
    };
    static struct piece pieces[1 + 64];

    (void)state;
    for (size_t k = 0; k < COUNT(before); k++) {
        struct meter *uniform = meter_new(CLUSTER, PIECES_FILES), *general;

        pieces[0] = before[k];
        for (uint64_t i = 0; i < 64; i++)
            pieces[1 + i] = standard(64 + i, i < 32 ? 5 + i : 900 - i);
        pieces_take(uniform, pieces, 1);
        pieces_take_uniform(uniform, pieces + 1, 64);
        general = meter_pieces(pieces, 65);
        assert_same_meter(uniform, general);
        meter_free(general);
        meter_free(uniform);
    }
}

/* 64 breaks in a row have a way of their own. */
static void breaks_everywhere_are_counted_one_by_one(void **state)
{
    static struct piece pieces[PIECE_BATCH_MAX];

    (void)state;
    for (int64_t stride = -3; stride <= 20; stride++) {
        struct meter *uniform, *general;

        if (stride == 1)
            continue; /* no break at all */
        uniform = meter_new(CLUSTER, PIECES_FILES);
        for (uint64_t i = 0; i < PIECE_BATCH_MAX; i++)
            pieces[i] = standard(i, (uint64_t)(10000 + (int64_t)i * stride));
        pieces_take_uniform(uniform, pieces, PIECE_BATCH_MAX);
        general = meter_pieces(pieces, PIECE_BATCH_MAX);
        assert_int_equal(uniform->breaks, PIECE_BATCH_MAX - 1);
        assert_int_equal(uniform->near_jumps, stride > 1 && stride <= 9 ? PIECE_BATCH_MAX - 1 : 0);
        assert_same_meter(uniform, general);
        meter_free(general);
        meter_free(uniform);
    }
}

/* Sums of distances beyond 2^64: 4,096 jumps of 2^55 bytes there, and as many back. */
static void sums_of_distances_stay_exact(void **state)
{
    const uint64_t far = UINT64_C(1) << 39;
    static struct piece pieces[PIECE_BATCH_MAX];
    struct meter *uniform = meter_new(CLUSTER, PIECES_FILES),
                 *general = meter_new(CLUSTER, PIECES_FILES);

    (void)state;
    for (uint64_t at = 0; at < 16; at++) {
        for (uint64_t i = 0; i < PIECE_BATCH_MAX; i++)
            pieces[i] = standard(at * PIECE_BATCH_MAX + i, i % 2 == 0 ? 1 : far + i);
        pieces_take_uniform(uniform, pieces, PIECE_BATCH_MAX);
        pieces_take(general, pieces, PIECE_BATCH_MAX);
    }
    assert_same_meter(uniform, general);
    assert_int_equal(pieces_jumps(uniform, METER_FORWARD).count, 4096);
    assert_true(pieces_jumps(uniform, METER_FORWARD).sum > (unsigned __int128)1 << 66);
    meter_free(general);
    meter_free(uniform);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_between_standard_clusters),
        cmocka_unit_test(steps_after_a_compressed_cluster),
        cmocka_unit_test(steps_to_a_compressed_cluster),
        cmocka_unit_test(a_tiny_blob_does_not_make_a_step_back_contiguous),
        cmocka_unit_test(no_piece_is_no_run),
        cmocka_unit_test(one_piece_is_one_run),
        cmocka_unit_test(the_first_and_the_last_run_count_too),
        cmocka_unit_test(a_run_is_as_long_as_what_it_maps),
        cmocka_unit_test(pieces_of_zeros_are_passed_over),
        cmocka_unit_test(clearing_forgets_all_pieces),
        cmocka_unit_test(many_at_a_time_are_as_one_at_a_time),
        cmocka_unit_test(batches_may_be_of_any_size),
        cmocka_unit_test(a_walk_may_be_cut_at_every_place),
        cmocka_unit_test(merging_is_associative),
        cmocka_unit_test(many_parts_merge_from_left_to_right),
        cmocka_unit_test(a_merged_meter_takes_further_pieces),
        cmocka_unit_test(a_part_may_be_joined_at_many_places),
        cmocka_unit_test(a_part_may_be_joined_at_an_earlier_place),
        cmocka_unit_test(uniform_batches_say_the_same_as_general_ones),
        cmocka_unit_test(the_first_step_of_a_uniform_batch_is_judged_like_any),
        cmocka_unit_test(breaks_everywhere_are_counted_one_by_one),
        cmocka_unit_test(sums_of_distances_stay_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
