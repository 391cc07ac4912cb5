// SPDX-License-Identifier: MIT
/*
 * Proves the smallest helpers: that an error keeps its first cause, that an unknown value is never
 * a zero, that big-endian numbers are read from any address, zeros known, and things released.
 */
#include "be.h"
#include "cleanup.h"
#include "err.h"
#include "opt.h"
#include "zeros.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_first_error_is_kept(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(err_set(&err, EINVAL, "header: version %d", 7), -EINVAL);
    assert_int_equal(err_set(&err, EIO, "something later"), -EIO);
    assert_int_equal(err_no_memory(&err), -ENOMEM);
    assert_int_equal(err.code, EINVAL);
    assert_string_equal(err.text, "header: version 7");
}

static void a_long_error_is_cut(void **state)
{
    struct {
        struct err err;
        char after;
    } place = {{0}, 'x'};
    char text[2 * ERR_TEXT_MAX];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    err_set(&place.err, EIO, "%s", text);
    assert_int_equal(strlen(place.err.text), ERR_TEXT_MAX - 1);
    assert_int_equal(place.after, 'x');
}

static void out_of_memory_has_words(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(err_no_memory(&err), -ENOMEM);
    assert_int_equal(err.code, ENOMEM);
    assert_string_equal(err.text, "out of memory");
}

static void a_ratio_of_nothing_is_unknown(void **state)
{
    (void)state;
    assert_false(opt_ratio(0, 0).known);
    assert_false(opt_ratio(5, 0).known);
}

static void a_ratio_of_zero_is_known(void **state)
{
    (void)state;
    assert_true(opt_ratio(0, 4).known);
    assert_true(opt_ratio(0, 4).value == 0);
    assert_true(opt_ratio(1, 8).known);
    assert_true(opt_ratio(1, 8).value == 0.125);
}

static void a_given_value_is_known(void **state)
{
    (void)state;
    assert_true(opt_u64_of(0).known);
    assert_int_equal(opt_u64_of(UINT64_MAX).value, UINT64_MAX);
    assert_true(opt_f64_of(0).known);
    assert_true(opt_bool_of(false).known);
    assert_false(opt_bool_of(false).value);
    assert_true(opt_bool_of(true).value);
}

static void big_endian_numbers_are_read_from_any_address(void **state)
{
    static const unsigned char bytes[] = {0xee, 1, 2, 3, 4, 5, 6, 7, 0xf8};

    (void)state;
    assert_int_equal(be16_load(bytes + 1), 0x0102);
    assert_int_equal(be32_load(bytes + 1), 0x01020304);
    assert_int_equal(be64_load(bytes + 1), UINT64_C(0x01020304050607f8));
    assert_int_equal(be32_load(bytes + 5), 0x050607f8);
}

static void one_byte_is_enough_not_to_be_zeros(void **state)
{
    unsigned char bytes[100] = {0};

    (void)state;
    assert_true(is_zeros(bytes, 0));
    assert_true(is_zeros(bytes, 1));
    assert_true(is_zeros(bytes, sizeof(bytes)));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = 1;
        assert_false(is_zeros(bytes, sizeof(bytes)));
        assert_true(is_zeros(bytes, i)); /* what is behind them does not matter */
        bytes[i] = 0;
    }
}

static void count_release(unsigned **n)
{
    if (*n != NULL)
        (**n)++;
}

static int leave_early(unsigned *n, bool early)
{
    CLEANUP(count_release) unsigned *one = n;
    CLEANUP(count_release) unsigned *another = NULL;

    if (early)
        return -EIO;
    another = n;
    assert_ptr_equal(cleanup_take(one), n);
    assert_null(one);
    return *another == 0 ? 0 : -EINVAL;
}

static void what_is_owned_is_released_once_however_a_function_ends(void **state)
{
    unsigned n = 0;

    (void)state;
    assert_int_equal(leave_early(&n, true), -EIO);
    assert_int_equal(n, 1);
    n = 0;
    assert_int_equal(leave_early(&n, false), 0);
    assert_int_equal(n, 1); /* the other one was taken */
}

static void what_is_never_set_is_not_freed(void **state)
{
    CLEANUP_FREE char *nothing = NULL;
    CLEANUP_FREE char *something = strdup("released at the end, or a leak is reported");

    (void)state;
    assert_null(nothing);
    assert_non_null(something);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_is_kept),
        cmocka_unit_test(a_long_error_is_cut),
        cmocka_unit_test(out_of_memory_has_words),
        cmocka_unit_test(a_ratio_of_nothing_is_unknown),
        cmocka_unit_test(a_ratio_of_zero_is_known),
        cmocka_unit_test(a_given_value_is_known),
        cmocka_unit_test(big_endian_numbers_are_read_from_any_address),
        cmocka_unit_test(one_byte_is_enough_not_to_be_zeros),
        cmocka_unit_test(what_is_owned_is_released_once_however_a_function_ends),
        cmocka_unit_test(what_is_never_set_is_not_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
