// SPDX-License-Identifier: MIT
/*
 * Proves that a growing array keeps its elements, grows by doubling, and stays as it was when it
 * cannot grow.
 */
#include "vec.h"

#include <errno.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct numbers {
    uint32_t *list;
    size_t n_list, cap_list;
};

/* Under AddressSanitizer, too, a request that is too large returns NULL. */
const char *__asan_default_options(void);

__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void elements_stay_while_it_grows(void **state)
{
    struct numbers numbers = {NULL, 0, 0};

    (void)state;
    for (uint32_t i = 0; i < 10000; i++) {
        assert_int_equal(vec_reserve(&numbers, list), 0);
        assert_true(numbers.cap_list > numbers.n_list);
        numbers.list[numbers.n_list++] = i * 7;
    }
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(numbers.list[i], i * 7);
    free(numbers.list);
}

static void it_doubles_from_eight(void **state)
{
    struct numbers numbers = {NULL, 0, 0};
    static const size_t wanted[] = {1, 8, 9, 16, 17, 100};
    static const size_t expected[] = {8, 8, 16, 16, 32, 128};

    (void)state;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        assert_int_equal(
            vec_grow(&numbers.list, &numbers.cap_list, wanted[i], sizeof(*numbers.list)), 0);
        assert_int_equal(numbers.cap_list, expected[i]);
    }
    free(numbers.list);
}

static void room_that_is_there_is_used(void **state)
{
    struct numbers numbers = {NULL, 0, 0};
    uint32_t *before;

    (void)state;
    assert_int_equal(vec_grow(&numbers.list, &numbers.cap_list, 100, sizeof(*numbers.list)), 0);
    before = numbers.list;
    assert_int_equal(vec_grow(&numbers.list, &numbers.cap_list, 0, sizeof(*numbers.list)), 0);
    assert_int_equal(vec_grow(&numbers.list, &numbers.cap_list, 128, sizeof(*numbers.list)), 0);
    assert_ptr_equal(numbers.list, before);
    assert_int_equal(numbers.cap_list, 128);
    free(numbers.list);
}

static void nothing_wanted_of_nothing_allocates_nothing(void **state)
{
    struct numbers numbers = {NULL, 0, 0};

    (void)state;
    assert_int_equal(vec_grow(&numbers.list, &numbers.cap_list, 0, sizeof(*numbers.list)), 0);
    assert_null(numbers.list);
    assert_int_equal(numbers.cap_list, 0);
}

static void what_cannot_grow_stays_as_it_was(void **state)
{
    /* More elements than there are; more bytes than there are, in fewer elements. */
    static const size_t wanted[] = {SIZE_MAX, SIZE_MAX / 2 + 2, SIZE_MAX / 4};
    struct numbers numbers = {NULL, 0, 0};
    uint32_t *before;

    (void)state;
    assert_int_equal(vec_reserve(&numbers, list), 0);
    numbers.list[0] = 42;
    before = numbers.list;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        assert_int_equal(vec_grow(&numbers.list, &numbers.cap_list, wanted[i], 16), -ENOMEM);
        assert_ptr_equal(numbers.list, before);
        assert_int_equal(numbers.cap_list, 8);
        assert_int_equal(numbers.list[0], 42);
    }
    free(numbers.list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_stay_while_it_grows),
        cmocka_unit_test(it_doubles_from_eight),
        cmocka_unit_test(room_that_is_there_is_used),
        cmocka_unit_test(nothing_wanted_of_nothing_allocates_nothing),
        cmocka_unit_test(what_cannot_grow_stays_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
