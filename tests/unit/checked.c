// SPDX-License-Identifier: MIT
/*
 * Proves that arithmetic on numbers from a file is exact up to 2^64 - 1 and says so when a result
 * would not fit, at every border.
 */
#include "checked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MAX UINT64_MAX

struct binary_case {
    uint64_t a, b;
    bool fits;
    uint64_t result;
};

static void add_is_exact_up_to_the_last_number(void **state)
{
    static const struct binary_case cases[] = {
        {0, 0, true, 0},
        {1, 2, true, 3},
        {MAX, 0, true, MAX},
        {0, MAX, true, MAX},
        {MAX - 1, 1, true, MAX},
        {MAX, 1, false, 0},
        {1, MAX, false, 0},
        {UINT64_C(1) << 63, UINT64_C(1) << 63, false, 0},
        {UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1, true, MAX},
        {MAX, MAX, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t sum = 42;

        assert_int_equal(checked_add(cases[i].a, cases[i].b, &sum), cases[i].fits);
        if (cases[i].fits)
            assert_int_equal(sum, cases[i].result);
    }
}

static void mul_is_exact_up_to_the_last_number(void **state)
{
    static const struct binary_case cases[] = {
        {0, MAX, true, 0},
        {MAX, 0, true, 0},
        {1, MAX, true, MAX},
        {MAX, 2, false, 0},
        {UINT64_C(1) << 32, UINT64_C(1) << 31, true, UINT64_C(1) << 63},
        {UINT64_C(1) << 32, UINT64_C(1) << 32, false, 0},
        {UINT32_MAX, UINT64_C(0x100000001), true, MAX}, /* 2^64 - 1 = (2^32 - 1)(2^32 + 1) */
        {UINT64_C(0x100000001), UINT64_C(0x100000000), false, 0},
        {MAX, MAX, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t product = 42;

        assert_int_equal(checked_mul(cases[i].a, cases[i].b, &product), cases[i].fits);
        if (cases[i].fits)
            assert_int_equal(product, cases[i].result);
    }
}

static void inside_takes_the_last_byte_and_no_more(void **state)
{
    (void)state;
    assert_true(checked_inside(0, 0, 0));
    assert_false(checked_inside(0, 1, 0));
    assert_true(checked_inside(0, 100, 100));
    assert_false(checked_inside(0, 101, 100));
    assert_true(checked_inside(100, 0, 100));
    assert_false(checked_inside(101, 0, 100));
    assert_true(checked_inside(40, 60, 100));
    assert_false(checked_inside(41, 60, 100));
}

static void inside_does_not_wrap_around(void **state)
{
    (void)state;
    assert_false(checked_inside(50, MAX, 100));
    assert_false(checked_inside(MAX, 2, 100));
    assert_false(checked_inside(MAX, MAX, MAX));
    assert_true(checked_inside(MAX, 0, MAX));
    assert_true(checked_inside(0, MAX, MAX));
    assert_false(checked_inside(1, MAX, MAX));
    assert_true(checked_inside(1, MAX - 1, MAX));
}

static void div_round_up_rounds_up_without_wrapping(void **state)
{
    static const struct {
        uint64_t n, divisor, expected;
    } cases[] = {
        {0, 1, 0},     {0, 512, 0},   {1, 512, 1},       {511, 512, 1},
        {512, 512, 1}, {513, 512, 2}, {MAX, 1, MAX},     {MAX, 2, UINT64_C(1) << 63},
        {MAX, MAX, 1}, {1, MAX, 1},   {MAX - 1, MAX, 1}, {MAX, 65536, UINT64_C(1) << 48},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(div_round_up(cases[i].n, cases[i].divisor), cases[i].expected);
}

static void round_up_finds_the_next_multiple(void **state)
{
    static const struct binary_case cases[] = {
        {0, 8, true, 0},
        {1, 8, true, 8},
        {7, 8, true, 8},
        {8, 8, true, 8},
        {9, 8, true, 16},
        {MAX, 1, true, MAX},
        {MAX, 2, false, 0},
        {MAX - 7, 8, true, MAX - 7}, /* already a multiple */
        {MAX - 6, 8, false, 0},
        {UINT64_C(1) << 63, UINT64_C(1) << 63, true, UINT64_C(1) << 63},
        {(UINT64_C(1) << 63) + 1, UINT64_C(1) << 63, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t rounded = 42;

        assert_int_equal(checked_round_up(cases[i].a, cases[i].b, &rounded), cases[i].fits);
        if (cases[i].fits)
            assert_int_equal(rounded, cases[i].result);
    }
}

static void is_aligned_looks_at_the_low_bits_alone(void **state)
{
    (void)state;
    assert_true(is_aligned(0, 65536));
    assert_true(is_aligned(65536, 65536));
    assert_false(is_aligned(65535, 65536));
    assert_false(is_aligned(65537, 65536));
    assert_true(is_aligned(MAX, 1));
    assert_false(is_aligned(MAX, 2));
    assert_true(is_aligned(UINT64_C(1) << 63, UINT64_C(1) << 63));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_is_exact_up_to_the_last_number),
        cmocka_unit_test(mul_is_exact_up_to_the_last_number),
        cmocka_unit_test(inside_takes_the_last_byte_and_no_more),
        cmocka_unit_test(inside_does_not_wrap_around),
        cmocka_unit_test(div_round_up_rounds_up_without_wrapping),
        cmocka_unit_test(round_up_finds_the_next_multiple),
        cmocka_unit_test(is_aligned_looks_at_the_low_bits_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
