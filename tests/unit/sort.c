// SPDX-License-Identifier: MIT
/* Proves that records come out in order and whole, whichever word they are sorted by. */
#include "sort.h"

#include "dice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 20000 };

static uint64_t list[2 * MOST], there[MOST];

static int by_value(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* Single words of @bits bits, against the C library. */
static void words_are_sorted(size_t n, unsigned bits)
{
    struct dice dice = dice_of(n + bits);

    for (size_t i = 0; i < n; i++)
        list[i] = there[i] = dice_u64(&dice) >> (64 - bits);
    qsort(there, n, sizeof(*there), by_value);
    sort_records(list, n, 1, 0);
    assert_memory_equal(list, there, n * sizeof(*list));
}

static void words_come_in_rising_order(void **state)
{
    (void)state;
    for (size_t n = 0; n < 100; n++)
        words_are_sorted(n, 1 + (unsigned)n % 64);
    for (unsigned bits = 1; bits <= 64; bits += 7)
        words_are_sorted(MOST, bits);
}

/* The other word says which record it is, so that none is lost and none comes twice. */
static void pairs_are_sorted(size_t n, unsigned by)
{
    struct dice dice = dice_of(n);

    for (size_t i = 0; i < n; i++) {
        there[i] = list[2 * i + by] = dice_u64(&dice) >> 40;
        list[2 * i + 1 - by] = i;
    }
    sort_records(list, n, 2, by);
    for (size_t i = 0; i < n; i++) {
        uint64_t number = list[2 * i + 1 - by];

        assert_true(i == 0 || list[2 * i - 2 + by] <= list[2 * i + by]);
        assert_true(number < n && list[2 * i + by] == there[number]);
        there[number] = UINT64_MAX;
    }
}

static void pairs_stay_together(void **state)
{
    (void)state;
    for (unsigned by = 0; by < 2; by++)
        for (size_t n = 0; n <= MOST; n = 3 * n + 1)
            pairs_are_sorted(n, by);
}

static void what_is_in_order_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < MOST; i++)
        list[2 * i] = list[2 * i + 1] = i / 3;
    for (size_t i = 0; i < MOST; i++)
        list[2 * i + 1] += i % 3; /* of equal ones the second word tells the order */
    sort_records(list, MOST, 2, 0);
    for (size_t i = 0; i < MOST; i++)
        assert_int_equal(list[2 * i + 1], i / 3 + i % 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_in_rising_order),
        cmocka_unit_test(pairs_stay_together),
        cmocka_unit_test(what_is_in_order_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
