// SPDX-License-Identifier: MIT
/*
 * Proves that moves count like the flat bins, in any order and any number of parts, and that what
 * is taken back is gone, even before it came.
 */
#include "sparse_jumps.h"

#include "dice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_poured(const struct meter_sparse_jumps *moves,
                          const struct meter_jumps *expected)
{
    static struct meter_jumps jumps;

    memset(&jumps, 0, sizeof(jumps));
    meter_sparse_jumps_pour(moves, &jumps);
    assert_int_equal(moves->error, 0);
    for (unsigned bin = 0; bin < METER_JUMP_BINS; bin++) {
        assert_int_equal(jumps.bin[bin].count, expected->bin[bin].count);
        assert_true(jumps.bin[bin].sum == expected->bin[bin].sum);
    }
}

static uint64_t random_distance(struct dice *dice)
{
    return dice_u64(dice) >> dice_below(dice, 64);
}

static void merging_is_counting_all(void **state)
{
    struct meter_sparse_jumps left = {0}, right = {0};
    static struct meter_jumps whole;
    struct dice dice = dice_of(5);

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t distance = random_distance(&dice);
        bool to_right = dice_once_in(&dice, 2);

        meter_sparse_jumps_add(to_right ? &right : &left, distance, 1);
        for (unsigned k = 0; k < (to_right ? 3 : 1); k++)
            meter_jumps_add(&whole, distance);
    }
    meter_sparse_jumps_merge(&left, &right, 3);
    assert_poured(&left, &whole);
    meter_sparse_jumps_free(&right);
    meter_sparse_jumps_free(&left);
}

static void what_is_taken_back_is_gone(void **state)
{
    struct meter_sparse_jumps moves = {0};
    static struct meter_jumps expected;
    struct dice dice = dice_of(6), again = dice_of(6);

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        meter_sparse_jumps_add(&moves, random_distance(&dice), -1);
    for (unsigned i = 0; i < 1000; i++)
        meter_sparse_jumps_add(&moves, random_distance(&again), 1);
    assert_poured(&moves, &expected);
    meter_sparse_jumps_add(&moves, 4096, 1);
    meter_jumps_add(&expected, 4096);
    assert_poured(&moves, &expected);
    meter_sparse_jumps_free(&moves);
}

static void many_of_a_bin_are_added_at_once(void **state)
{
    struct meter_sparse_jumps moves = {0};
    static struct meter_jumps expected;

    (void)state;
    meter_sparse_jumps_add_bin(&moves, meter_jump_bin_of(65536), 3, 3 * 65536);
    for (unsigned i = 0; i < 3; i++)
        meter_jumps_add(&expected, 65536);
    assert_poured(&moves, &expected);
    meter_sparse_jumps_free(&moves);
}

static void clearing_forgets_all(void **state)
{
    struct meter_sparse_jumps moves = {0};
    static const struct meter_jumps nothing;

    (void)state;
    meter_sparse_jumps_add(&moves, 1, 1);
    meter_sparse_jumps_add(&moves, UINT64_MAX, 1);
    meter_sparse_jumps_clear(&moves);
    assert_poured(&moves, &nothing);
    meter_sparse_jumps_free(&moves);
}

static void a_lack_of_memory_is_not_forgotten(void **state)
{
    struct meter_sparse_jumps left = {0}, right = {.error = -ENOMEM};

    (void)state;
    meter_sparse_jumps_merge(&left, &right, 1);
    assert_int_equal(left.error, -ENOMEM);
    right.error = 0;
    meter_sparse_jumps_merge(&left, &right, 1);
    assert_int_equal(left.error, -ENOMEM);
    meter_sparse_jumps_free(&right);
    meter_sparse_jumps_free(&left);
}

/* Those that hold something, in rising order, whichever rows and bins they are in. */
static void the_bins_in_use_come_one_after_the_other(void **state)
{
    static const unsigned bins[] = {0, 15, 16, 200, METER_JUMP_BINS - 1};
    struct meter_sparse_jumps moves = {0};
    struct meter_sparse_jumps_bin bin = METER_SPARSE_JUMPS_FIRST;

    (void)state;
    assert_false(meter_sparse_jumps_next(&moves, &bin));
    for (unsigned i = 0; i < 5; i++)
        meter_sparse_jumps_add_bin(&moves, bins[4 - i], 5 - i, 100 * (5 - i));
    meter_sparse_jumps_add_bin(&moves, 17, 3, 30);
    meter_sparse_jumps_add_bin(&moves, 17, (uint64_t)-3, -(unsigned __int128)30); /* taken back */
    for (unsigned i = 0; i < 5; i++) {
        assert_true(meter_sparse_jumps_next(&moves, &bin));
        assert_int_equal(bin.bin, bins[i]);
        assert_int_equal(bin.count, i + 1);
        assert_true(bin.sum == 100 * (i + 1));
    }
    assert_false(meter_sparse_jumps_next(&moves, &bin));
    meter_sparse_jumps_free(&moves);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lack_of_memory_is_not_forgotten),
        cmocka_unit_test(merging_is_counting_all),
        cmocka_unit_test(what_is_taken_back_is_gone),
        cmocka_unit_test(many_of_a_bin_are_added_at_once),
        cmocka_unit_test(clearing_forgets_all),
        cmocka_unit_test(the_bins_in_use_come_one_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
