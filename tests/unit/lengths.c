// SPDX-License-Identifier: MIT
/*
 * Proves that runs of every length are counted exactly, few or many, short or long, whatever the
 * order they come in, and are listed from the longest down.
 */
#include "lengths.h"

#include "dice.h"

#include <errno.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#define UNIT_BITS 16
#define UNIT (UINT64_C(1) << UNIT_BITS)

static void check(const struct meter_lengths *lengths, const struct meter_length *expected,
                  size_t n_expected)
{
    size_t n;
    struct meter_length *list = meter_lengths_sorted(lengths, &n);

    assert_int_equal(n, n_expected);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(list[i].bytes, expected[i].bytes);
        assert_int_equal(list[i].count, expected[i].count);
    }
    free(list);
}

static void no_run_gives_no_list(void **state)
{
    struct meter_lengths lengths;
    size_t n = 42;

    (void)state;
    meter_lengths_init(&lengths, UNIT_BITS);
    assert_null(meter_lengths_sorted(&lengths, &n));
    assert_int_equal(n, 0);
    meter_lengths_free(&lengths);
}

static void the_longest_comes_first(void **state)
{
    static const struct meter_length expected[] = {
        {1000 * UNIT, 2}, {256 * UNIT, 1}, {255 * UNIT, 4}, {3 * UNIT, 7}, {UNIT, 1}};
    struct meter_lengths lengths;

    (void)state;
    meter_lengths_init(&lengths, UNIT_BITS);
    meter_lengths_add(&lengths, 3 * UNIT, 7);
    meter_lengths_add(&lengths, 1000 * UNIT, 1);
    meter_lengths_add(&lengths, 255 * UNIT, 4); /* the last of the short ones */
    meter_lengths_add(&lengths, UNIT, 1);
    meter_lengths_add(&lengths, 256 * UNIT, 1); /* the first of the long ones */
    meter_lengths_add(&lengths, 1000 * UNIT, 1);
    check(&lengths, expected, 5);
    meter_lengths_free(&lengths);
}

/* The unit is there for speed: a length that is no multiple of it is as good as any. */
static void lengths_need_not_be_whole_units(void **state)
{
    static const struct meter_length expected[] = {
        {UNIT + 512, 1}, {UNIT, 1}, {UNIT - 1, 2}, {512, 3}, {1, 1}};
    struct meter_lengths lengths;

    (void)state;
    meter_lengths_init(&lengths, UNIT_BITS);
    meter_lengths_add(&lengths, 512, 3);
    meter_lengths_add(&lengths, UNIT - 1, 2);
    meter_lengths_add(&lengths, UNIT, 1);
    meter_lengths_add(&lengths, UNIT + 512, 1);
    meter_lengths_add(&lengths, 1, 1);
    check(&lengths, expected, 5);
    meter_lengths_free(&lengths);
}

static void adding_none_adds_nothing(void **state)
{
    struct meter_lengths lengths;

    (void)state;
    meter_lengths_init(&lengths, UNIT_BITS);
    meter_lengths_add(&lengths, 3 * UNIT, 0);
    meter_lengths_add(&lengths, 3000 * UNIT, 0);
    check(&lengths, NULL, 0);
    meter_lengths_free(&lengths);
}

static void the_largest_numbers_stay_exact(void **state)
{
    static const struct meter_length expected[] = {
        {UINT64_MAX, 1}, {UINT64_C(1) << 63, UINT64_MAX}, {UINT64_C(1) << 62, 1}};
    struct meter_lengths lengths;

    (void)state;
    meter_lengths_init(&lengths, UNIT_BITS);
    meter_lengths_add(&lengths, UINT64_C(1) << 62, 1);
    meter_lengths_add(&lengths, UINT64_C(1) << 63, UINT64_MAX);
    meter_lengths_add(&lengths, UINT64_MAX, 1);
    check(&lengths, expected, 3);
    meter_lengths_free(&lengths);
}

#define MANY 5000

/* Each length i + 1 is added (i % 7 + 1) times, in a shuffled order. */
static void many_lengths_are_kept_while_the_table_grows(void **state)
{
    struct meter_lengths lengths;
    struct meter_length expected[MANY];
    uint64_t order[MANY];
    struct dice dice = dice_of(6);

    (void)state;
    meter_lengths_init(&lengths, UNIT_BITS);
    for (uint64_t i = 0; i < MANY; i++) {
        uint64_t other = dice_below(&dice, i + 1);

        expected[MANY - 1 - i] = (struct meter_length){(i + 1) * UNIT, i % 7 + 1};
        order[i] = order[other];
        order[other] = i;
    }
    for (uint64_t round = 0; round < 7; round++)
        for (uint64_t i = 0; i < MANY; i++)
            if (round <= order[i] % 7)
                meter_lengths_add(&lengths, (order[i] + 1) * UNIT, 1);
    check(&lengths, expected, MANY);
    meter_lengths_free(&lengths);
}

static void merging_adds_the_counts(void **state)
{
    static const struct meter_length expected[] = {
        {7000 * UNIT, 1}, {5000 * UNIT, 5}, {3000 * UNIT, 1}, {2 * UNIT, 11}, {UNIT, 1}};
    struct meter_lengths sum, more;

    (void)state;
    meter_lengths_init(&sum, UNIT_BITS);
    meter_lengths_init(&more, UNIT_BITS);
    meter_lengths_add(&sum, 2 * UNIT, 5);
    meter_lengths_add(&sum, 5000 * UNIT, 2);
    meter_lengths_add(&sum, 3000 * UNIT, 1);
    meter_lengths_add(&more, 2 * UNIT, 6);
    meter_lengths_add(&more, UNIT, 1);
    meter_lengths_add(&more, 5000 * UNIT, 3);
    meter_lengths_add(&more, 7000 * UNIT, 1);
    meter_lengths_merge(&sum, &more, 1);
    check(&sum, expected, 5);
    meter_lengths_free(&more);
    meter_lengths_free(&sum);
}

static void random_parts_merge_into_the_whole(void **state)
{
    struct meter_lengths left, right, whole;
    struct meter_length *expected;
    struct dice dice = dice_of(7);
    size_t n;

    (void)state;
    meter_lengths_init(&left, UNIT_BITS);
    meter_lengths_init(&right, UNIT_BITS);
    meter_lengths_init(&whole, UNIT_BITS);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t bytes = (dice_u64(&dice) >> (16 + dice_below(&dice, 48))) + 1;
        uint64_t count = dice_below(&dice, 3);

        meter_lengths_add(i < 9000 ? &left : &right, bytes, count);
        meter_lengths_add(&whole, bytes, count);
    }
    meter_lengths_merge(&left, &right, 1);
    expected = meter_lengths_sorted(&whole, &n);
    check(&left, expected, n);
    for (size_t i = 1; i < n; i++)
        assert_true(expected[i - 1].bytes > expected[i].bytes);
    free(expected);
    meter_lengths_free(&whole);
    meter_lengths_free(&right);
    meter_lengths_free(&left);
}

static void clearing_forgets_all(void **state)
{
    static const struct meter_length expected[] = {{9000 * UNIT, 1}, {2 * UNIT, 1}};
    struct meter_lengths lengths;

    (void)state;
    meter_lengths_init(&lengths, UNIT_BITS);
    for (uint64_t i = 1; i < 3000; i++)
        meter_lengths_add(&lengths, i * UNIT, i);
    meter_lengths_clear(&lengths);
    check(&lengths, NULL, 0);
    meter_lengths_add(&lengths, 2 * UNIT, 1);
    meter_lengths_add(&lengths, 9000 * UNIT, 1);
    check(&lengths, expected, 2);
    meter_lengths_free(&lengths);
}

/* Also where there was but one, that needs the table. */
static void clearing_forgets_a_single_one(void **state)
{
    struct meter_lengths lengths;

    (void)state;
    meter_lengths_init(&lengths, UNIT_BITS);
    meter_lengths_add(&lengths, 9000 * UNIT, 1);
    meter_lengths_clear(&lengths);
    check(&lengths, NULL, 0);
    meter_lengths_free(&lengths);
}

/* Counts that are incomplete stay marked so, whatever they are merged into. */
static void an_error_is_passed_on_by_merging(void **state)
{
    struct meter_lengths sum, broken;

    (void)state;
    meter_lengths_init(&sum, UNIT_BITS);
    meter_lengths_init(&broken, UNIT_BITS);
    assert_int_equal(sum.error, 0);
    broken.error = -ENOMEM;
    meter_lengths_merge(&sum, &broken, 1);
    assert_int_equal(sum.error, -ENOMEM);
    meter_lengths_free(&broken);
    meter_lengths_free(&sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_run_gives_no_list),
        cmocka_unit_test(the_longest_comes_first),
        cmocka_unit_test(lengths_need_not_be_whole_units),
        cmocka_unit_test(adding_none_adds_nothing),
        cmocka_unit_test(the_largest_numbers_stay_exact),
        cmocka_unit_test(many_lengths_are_kept_while_the_table_grows),
        cmocka_unit_test(merging_adds_the_counts),
        cmocka_unit_test(random_parts_merge_into_the_whole),
        cmocka_unit_test(clearing_forgets_all),
        cmocka_unit_test(clearing_forgets_a_single_one),
        cmocka_unit_test(an_error_is_passed_on_by_merging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
