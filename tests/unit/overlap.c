// SPDX-License-Identifier: MIT
/* Proves that what is named several times is found, in any order: random tables against counting. */
#include "overlap.h"

#include "dice.h"
#include "small_image.h"

#include <stdlib.h>

enum { ENTRIES = 5000, FIRST = 100 };

static int by_value(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* An L1 table that names clusters from FIRST on, @n of them at most; @step clusters apart. */
static void finds_what_is_repeated(uint64_t seed, uint64_t n, uint64_t step)
{
    static uint64_t named[ENTRIES];
    struct dice dice = dice_of(seed);
    struct format_entry_rules rules;
    struct tables_overlap overlap;
    struct small_image small;
    struct tables_table table;
    struct err err = {0};
    size_t expected = 0;

    small_image_init(&small, 9, (uint64_t)ENTRIES * 64 * 512, ENTRIES, FIRST);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        named[i] = FIRST + dice_below(&dice, n) * step;
        small_image_l1(&small, 2, i, named[i]);
        named[i] *= 512;
    }
    small_image_open(&small, (FIRST + n * step) * 512);
    table = small_image_table(&small);
    rules = format_image_rules(&small.image);
    assert_int_equal(tables_overlap_find(&small.image, &rules, &table, 1, &overlap, &err), 0);
    assert_int_equal(overlap.n_tables, ENTRIES);
    qsort(named, ENTRIES, sizeof(named[0]), by_value);
    for (size_t i = 0; i < ENTRIES; i++) {
        bool first = i == 0 || named[i] != named[i - 1];
        bool repeated = (i > 0 && named[i] == named[i - 1]) ||
                        (i + 1 < ENTRIES && named[i] == named[i + 1]);

        assert_int_equal(tables_overlap_repeated(&overlap, named[i]) != TABLES_NOT_REPEATED,
                         repeated);
        expected += first && repeated;
    }
    assert_int_equal(overlap.n_repeated, expected);
    for (size_t i = 1; i < overlap.n_repeated; i++)
        assert_true(overlap.repeated[i - 1] < overlap.repeated[i]);
    tables_overlap_free(&overlap);
    small_image_free(&small);
}

static void repeated_tables_are_found(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        finds_what_is_repeated(seed, 1 + seed * seed * 100, 1);
        finds_what_is_repeated(seed, 3000 + seed * 1000, UINT64_C(1) << (seed + 4));
    }
}

static void one_that_is_named_everywhere_is_found_once(void **state)
{
    (void)state;
    finds_what_is_repeated(1, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated_tables_are_found),
        cmocka_unit_test(one_that_is_named_everywhere_is_found_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
