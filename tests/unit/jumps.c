// SPDX-License-Identifier: MIT
/*
 * Proves that each distance, from 0 to 2^64 - 1, has one bin, that a bin knows its power of two,
 * and that the sums stay exact beyond 2^64.
 */
#include "jumps.h"

#include "dice.h"

#include <inttypes.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static struct meter_jumps *new_jumps(void)
{
    struct meter_jumps *jumps = calloc(1, sizeof(*jumps));

    assert_non_null(jumps);
    return jumps;
}

static void distances_below_16_have_a_bin_each(void **state)
{
    (void)state;
    for (uint64_t distance = 0; distance < 16; distance++)
        assert_int_equal(meter_jump_bin_of(distance), distance);
}

static void bins_by_hand(void **state)
{
    static const struct {
        uint64_t distance;
        unsigned bin;
    } cases[] = {
        {16, 16}, /* 2^4: one number a bin */
        {31, 31},
        {32, 32}, /* 2^5: two numbers a bin */
        {33, 32},
        {34, 33},
        {63, 47},
        {64, 48},
        {512 << 10, 16 * (19 - 3)}, /* 2^19 */
        {(512 << 10) - 1, 16 * (19 - 3) - 1},
        {(512 << 10) + (32 << 10), 16 * (19 - 3) + 1},
        {UINT64_C(1) << 63, 16 * 60},
        {UINT64_MAX, METER_JUMP_BINS - 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(meter_jump_bin_of(cases[i].distance), cases[i].bin);
}

/* 16 equal parts from each power to the next: the first number of a bin, and the last one before.
 */
static void every_border_of_every_bin(void **state)
{
    unsigned expected = 16;

    (void)state;
    for (unsigned power = 4; power < 64; power++)
        for (uint64_t part = 16; part < 32; part++, expected++) {
            uint64_t first = part << (power - 4);

            assert_int_equal(meter_jump_bin_of(first), expected);
            assert_int_equal(meter_jump_bin_of(first - 1), expected - 1);
            assert_int_equal(meter_jump_bin_of(first + ((UINT64_C(1) << (power - 4)) - 1)),
                             expected);
        }
    assert_int_equal(expected, METER_JUMP_BINS);
}

static void a_bin_knows_its_power_of_two(void **state)
{
    struct dice dice = dice_of(4);

    (void)state;
    assert_int_equal(meter_jump_bin_power(0), 0);
    for (unsigned power = 0; power < 64; power++) {
        uint64_t first = UINT64_C(1) << power;

        assert_int_equal(meter_jump_bin_power(meter_jump_bin_of(first)), first);
        assert_int_equal(meter_jump_bin_power(meter_jump_bin_of(first + (first - 1))), first);
    }
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t distance = dice_u64(&dice) >> dice_below(&dice, 64);
        uint64_t power = meter_jump_bin_power(meter_jump_bin_of(distance));

        if (power > distance || (distance > 0 && distance / 2 >= power))
            fail_msg("%" PRIu64 " is counted under %" PRIu64, distance, power);
    }
}

static void a_jump_is_counted_once_in_its_bin(void **state)
{
    struct meter_jumps *jumps = new_jumps();

    (void)state;
    meter_jumps_add(jumps, 0);
    meter_jumps_add(jumps, 131072);
    meter_jumps_add(jumps, 131072 + 1000);
    assert_int_equal(jumps->bin[0].count, 1);
    assert_true(jumps->bin[0].sum == 0);
    assert_int_equal(jumps->bin[meter_jump_bin_of(131072)].count, 2);
    assert_true(jumps->bin[meter_jump_bin_of(131072)].sum == 2 * 131072 + 1000);
    assert_int_equal(meter_jumps_total(jumps).count, 3);
    assert_true(meter_jumps_total(jumps).sum == 2 * 131072 + 1000);
    free(jumps);
}

static void nothing_adds_up_to_nothing(void **state)
{
    struct meter_jumps *jumps = new_jumps();

    (void)state;
    assert_int_equal(meter_jumps_total(jumps).count, 0);
    assert_true(meter_jumps_total(jumps).sum == 0);
    free(jumps);
}

static void sums_go_beyond_64_bits(void **state)
{
    const unsigned __int128 expected = (unsigned __int128)UINT64_MAX * 5;
    struct meter_jumps *jumps = new_jumps();

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        meter_jumps_add(jumps, UINT64_MAX);
    assert_true(jumps->bin[METER_JUMP_BINS - 1].sum == expected);
    assert_int_equal(jumps->bin[METER_JUMP_BINS - 1].count, 5);

    meter_jumps_add(jumps, UINT64_C(1) << 63); /* the total goes over several bins */
    assert_true(meter_jumps_total(jumps).sum == expected + (UINT64_C(1) << 63));
    assert_int_equal(meter_jumps_total(jumps).count, 6);
    free(jumps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_below_16_have_a_bin_each),
        cmocka_unit_test(bins_by_hand),
        cmocka_unit_test(every_border_of_every_bin),
        cmocka_unit_test(a_bin_knows_its_power_of_two),
        cmocka_unit_test(a_jump_is_counted_once_in_its_bin),
        cmocka_unit_test(nothing_adds_up_to_nothing),
        cmocka_unit_test(sums_go_beyond_64_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
