// SPDX-License-Identifier: MIT
/*
 * Proves that cells count and classify as plain variables would, in both widths; where their limits
 * are; and that only those clusters have one table that only one table refers to.
 */
#include "cells.h"

#include "dice.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N 500
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void init(struct space_cells *cells, uint64_t n, bool wide, uint64_t first)
{
    assert_int_equal(space_cells_init(cells, n << wide, UINT64_MAX, wide), 0);
    assert_int_equal(cells->capacity, n);
    space_cells_begin(cells, first);
    assert_int_equal(cells->first, first);
    assert_int_equal(cells->end, first + n);
    assert_int_equal(cells->top, first);
    assert_true(cells->beyond == UINT64_MAX);
}

static void add_one(struct space_cells *cells, uint64_t cluster, uint32_t weight,
                    enum space_class class)
{
    space_cells_add(cells, &cluster, 1, weight, class);
}

static uint16_t count_at(const struct space_cells *cells, uint64_t cluster, uint8_t *class)
{
    uint16_t count;

    space_cells_read(cells, cluster, 1, &count, class);
    return count;
}

/* ---- the first walk ---- */

struct plain_cell {
    uint64_t count;
    enum space_class class;
};

/* Data go to metadata, too, now and then: such a claim is refused. */
static void counts_are_those_of_plain_variables(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        struct plain_cell plain[N] = {{0}};
        struct dice dice = dice_of(round + 1);
        bool wide = round % 2;
        uint64_t first = round * 7, beyond = UINT64_MAX, top = 0;
        struct space_cells cells;

        init(&cells, N, wide, first);
        for (unsigned step = 0; step < 400; step++) {
            enum space_class class =
                step < 20 ? SPACE_CLASS_METADATA
                          : (enum space_class)dice_below(&dice, SPACE_CLASS_METADATA);
            uint32_t weight = 1 + (uint32_t)dice_below(&dice, 3);
            uint64_t list[20];
            size_t n = dice_below(&dice, COUNT(list)), refused = 0;

            for (size_t i = 0; i < n; i++) {
                uint64_t cluster = list[i] = dice_below(&dice, first + N + 50);
                struct plain_cell *cell;

                if (cluster >= first + N && cluster < beyond)
                    beyond = cluster;
                if (cluster < first || cluster >= first + N)
                    continue;
                cell = &plain[cluster - first];
                if (class != SPACE_CLASS_METADATA && cell->count > 0 &&
                    cell->class == SPACE_CLASS_METADATA) {
                    refused++;
                    continue;
                }
                cell->class = class > cell->class ? class : cell->class;
                cell->count += weight;
                top = cluster >= top ? cluster + 1 : top;
            }
            assert_int_equal(space_cells_add(&cells, list, n, weight, class), refused);
        }
        assert_true(cells.beyond == beyond);
        assert_int_equal(cells.top, top);
        for (uint64_t i = 0; i < N; i++) {
            uint64_t most = space_cells_count_max(wide);
            uint8_t class;

            assert_int_equal(count_at(&cells, first + i, &class),
                             plain[i].count < most ? plain[i].count : SPACE_CELLS_COUNT_FULL);
            assert_int_equal(class, plain[i].class);
            assert_int_equal(space_cells_is_metadata(&cells, first + i),
                             plain[i].count > 0 && plain[i].class == SPACE_CLASS_METADATA);
        }
        space_cells_free(&cells);
    }
}

static void a_count_sticks_at_its_limit(void **state)
{
    (void)state;
    for (unsigned wide = 0; wide < 2; wide++) {
        uint32_t most = space_cells_count_max(wide);
        struct space_cells cells;
        uint8_t class;

        init(&cells, 4, wide, 0);
        add_one(&cells, 0, most - 1, SPACE_CLASS_ACTIVE);
        assert_int_equal(count_at(&cells, 0, &class), most - 1);
        assert_false(cells.full);
        add_one(&cells, 0, 1, SPACE_CLASS_SNAPSHOT);
        assert_int_equal(count_at(&cells, 0, &class), SPACE_CELLS_COUNT_FULL);
        assert_true(cells.full);
        add_one(&cells, 0, UINT32_MAX, SPACE_CLASS_SNAPSHOT);
        assert_int_equal(count_at(&cells, 0, &class), SPACE_CELLS_COUNT_FULL);
        assert_int_equal(class, SPACE_CLASS_ACTIVE); /* the count does not run over into it */
        assert_int_equal(count_at(&cells, 1, &class), 0);
        space_cells_begin(&cells, 0);
        assert_false(cells.full);
        assert_int_equal(count_at(&cells, 0, &class), 0);
        assert_int_equal(class, SPACE_CLASS_SNAPSHOT);
        space_cells_free(&cells);
    }
}

static void ranges_of_metadata_are_cut_at_the_window(void **state)
{
    struct space_cells cells;
    uint8_t class;

    (void)state;
    init(&cells, 10, false, 100);
    space_cells_add_metadata(&cells, 90, 102);
    space_cells_add_metadata(&cells, 108, UINT64_MAX); /* as long as a hostile header says */
    for (uint64_t i = 100; i < 110; i++)
        assert_int_equal(count_at(&cells, i, &class), i < 102 || i >= 108);
    assert_int_equal(cells.beyond, 110);
    space_cells_begin(&cells, 200);
    space_cells_add_metadata(&cells, 90, 102);
    assert_true(cells.beyond == UINT64_MAX);
    space_cells_add_metadata(&cells, 300, 302);
    space_cells_add_metadata(&cells, 250, 250); /* of nothing */
    assert_int_equal(cells.beyond, 300);
    space_cells_free(&cells);
}

static void a_window_is_no_larger_than_the_file(void **state)
{
    struct space_cells cells;

    (void)state;
    assert_int_equal(space_cells_init(&cells, 1 << 20, 7, true), 0);
    assert_int_equal(cells.capacity, 7);
    space_cells_free(&cells);
}

/* ---- the second walk ---- */

static void a_cluster_is_owned_by_the_only_one_who_refers_to_it(void **state)
{
    (void)state;
    for (unsigned wide = 0; wide < 2; wide++) {
        const uint8_t states[] = {SPACE_CELLS_OPEN,          SPACE_CELLS_OPEN,
                                  SPACE_CELLS_OPEN,          SPACE_CELLS_OPEN,
                                  SPACE_CELLS_OPEN_METADATA, SPACE_CELLS_OPEN_METADATA,
                                  SPACE_CELLS_CLOSED,        SPACE_CELLS_OPEN};
        const uint64_t all[] = {10, 11, 12, 13, 14, 15, 16, 17};
        uint64_t counts[10] = {0};
        struct space_cells cells;

        init(&cells, 20, wide, 10);
        space_cells_add(&cells, all, 7, 1, SPACE_CLASS_SNAPSHOT); /* all but 17 */
        space_cells_arm(&cells, 10, 8, states);

        space_cells_own(&cells, (const uint64_t[]){14, 14, 15, 16}, 4, 3, true);
        space_cells_own(&cells, (const uint64_t[]){15}, 1, 4, true);
        space_cells_sum_owned(&cells, counts);
        assert_int_equal(counts[3], 1); /* 14; 15 has two, 16 was closed */
        assert_int_equal(counts[4], 0);

        space_cells_own(&cells, (const uint64_t[]){10, 10, 11, 12, 14, 16, 9, 99}, 8, 5, false);
        space_cells_own(&cells, (const uint64_t[]){11, 13, 17}, 3, 6, false);
        space_cells_own(&cells, (const uint64_t[]){12}, 1, SPACE_CELLS_MANY, false);
        space_cells_own(&cells, (const uint64_t[]){12}, 1, 5, false); /* not again */
        space_cells_sum_owned(&cells, counts);
        assert_int_equal(counts[5], 1); /* 10 */
        assert_int_equal(counts[6], 1); /* 13; 17 is behind what the first walk saw */
        assert_int_equal(counts[3], 1); /* 14 is not counted anew, and data do not touch it */
        space_cells_sum_owned(&cells, counts);
        assert_int_equal(counts[5], 1);
        space_cells_free(&cells);
    }
}

static void tables_with_the_largest_numbers(void **state)
{
    (void)state;
    for (unsigned wide = 0; wide < 2; wide++) {
        uint32_t most = space_cells_table_max(wide);
        const uint8_t states[] = {SPACE_CELLS_OPEN, SPACE_CELLS_OPEN, SPACE_CELLS_OPEN};
        uint64_t *counts = calloc(most + 3, sizeof(*counts));
        struct space_cells cells;

        assert_non_null(counts);
        init(&cells, 3, wide, 0);
        space_cells_add(&cells, (const uint64_t[]){0, 1, 2}, 3, 1, SPACE_CLASS_SNAPSHOT);
        space_cells_arm(&cells, 0, 3, states);
        for (uint32_t i = 0; i < 3; i++)
            space_cells_own(&cells, (const uint64_t[]){i}, 1, most + i, false);
        space_cells_sum_owned(&cells, counts);
        assert_int_equal(counts[most], 1);
        assert_int_equal(counts[most + 1], 0); /* as many tables do: owned by none */
        assert_int_equal(counts[most + 2], 0);
        space_cells_free(&cells);
        free(counts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_plain_variables),
        cmocka_unit_test(a_count_sticks_at_its_limit),
        cmocka_unit_test(ranges_of_metadata_are_cut_at_the_window),
        cmocka_unit_test(a_window_is_no_larger_than_the_file),
        cmocka_unit_test(a_cluster_is_owned_by_the_only_one_who_refers_to_it),
        cmocka_unit_test(tables_with_the_largest_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
