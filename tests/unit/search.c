// SPDX-License-Identifier: MIT
/* Proves that a search finds the first element that is not passed, wherever that is. */
#include "search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MANY 40

/* All lengths, and all places of the border in them: the ends are the cases that go wrong. */
static void the_first_that_is_not_passed_is_found(void **state)
{
    (void)state;
    for (size_t high = 0; high < MANY; high++)
        for (size_t low = 0; low <= high; low++)
            for (size_t border = low; border <= high; border++)
                assert_int_equal(search_first(i, low, high, i < border), border);
}

static void nothing_outside_is_looked_at(void **state)
{
    size_t least = SIZE_MAX, most = 0, n = 0;

    (void)state;
    search_first(i, 10, 20,
                 (least = i < least ? i : least, most = i > most ? i : most, n++, i < 10));
    assert_int_equal(least, 10);
    search_first(i, 10, 20,
                 (least = i < least ? i : least, most = i > most ? i : most, n++, i < 20));
    assert_int_equal(most, 19);
    assert_true(n <= 2 * 4); /* halves of ten: four looks */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_is_not_passed_is_found),
        cmocka_unit_test(nothing_outside_is_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
