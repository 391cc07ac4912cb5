// SPDX-License-Identifier: MIT
/*
 * Proves the smallest helpers: that an error keeps its first cause, that an unknown value is never
 * a zero, and that big-endian numbers are read from any address.
 */
#include "be.h"
#include "err.h"
#include "opt.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
