// SPDX-License-Identifier: MIT
/*
 * Proves that windows of L1 tables come where entries are, that holes of the file are neither read
 * nor passed over entry by entry, and that a file that became shorter is noticed.
 */
#include "l1.h"

#include "err.h"
#include "small_image.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CLUSTER 512
#define ENTRIES_MAX (UINT32_C(1) << 22)
#define FAR (UINT64_C(1) << 40)

/* All indices at which a table has an entry, in words: "table:index ...". */
static void assert_entries(struct tables_l1 *l1, const char *expected)
{
    char seen[500] = "";
    struct err err = {0};
    int ret;

    while ((ret = tables_l1_next(l1, &err)) == 1) {
        assert_in_range(l1->n, 1, l1->window_entries);
        for (uint32_t index = l1->first; index < l1->first + l1->n; index++)
            for (size_t i = 0; i < l1->n_live; i++)
                if (tables_l1_entry(l1, l1->live[i], index) != 0)
                    snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%zu:%u ",
                             l1->live[i], index);
    }
    assert_int_equal(ret, 0);
    assert_string_equal(seen, expected);
}

/* An image with 16 clusters of data and a hole behind; its own L1 table is cluster 2. */
static void open_image(struct small_image *small)
{
    small_image_init(small, 9, 64 * 64 * CLUSTER, 64, 16);
    small_image_l1(small, 2, 3, 8);
    small_image_l1(small, 4, 5, 8);
    small_image_l1(small, 15, 0, 8);
    small_image_l1(small, 15, 63, 8);
    small_image_open(small, FAR);
}

static struct tables_table table_at(uint64_t l1_off, uint32_t l1_entries)
{
    return (struct tables_table){.l1_off = l1_off, .l1_entries = l1_entries, .whole_l1 = true};
}

static void tables_in_holes_are_not_read(void **state)
{
    struct small_image small;
    struct tables_table tables[2] = {table_at(1 << 20, ENTRIES_MAX),
                                     table_at(1 << 30, ENTRIES_MAX)};
    struct tables_l1 l1;
    struct err err = {0};
    uint64_t before;

    (void)state;
    open_image(&small);
    before = small.memory.n_requests;
    assert_int_equal(tables_l1_init(&l1, &small.image, tables, 2, &err), 0);
    assert_entries(&l1, "");
    assert_int_equal(small.memory.n_requests, before);
    tables_l1_free(&l1);
    small_image_free(&small);
}

static void what_lies_before_a_hole_is_read(void **state)
{
    struct small_image small;
    struct tables_table tables[2] = {table_at(15 * CLUSTER, ENTRIES_MAX),
                                     table_at(4 * CLUSTER, 64)};
    struct tables_l1 l1;
    struct err err = {0};
    uint64_t before;

    (void)state;
    open_image(&small);
    assert_int_equal(tables_l1_init(&l1, &small.image, tables, 2, &err), 0);
    before = small.memory.n_requests;
    assert_entries(&l1, "0:0 1:5 0:63 ");
    assert_int_equal(small.memory.n_requests, before + 2);
    tables_l1_free(&l1);
    small_image_free(&small);
}

static void a_range_begins_where_it_was_told_to(void **state)
{
    struct small_image small;
    struct tables_table tables[2] = {table_at(2 * CLUSTER, 64), table_at(15 * CLUSTER, 64)};
    struct tables_l1 l1;
    struct err err = {0};

    (void)state;
    open_image(&small);
    assert_int_equal(tables_l1_init(&l1, &small.image, tables, 2, &err), 0);
    assert_entries(&l1, "1:0 0:3 1:63 ");
    tables_l1_set_range(&l1, 1, 63);
    assert_entries(&l1, "0:3 ");
    tables_l1_set_range(&l1, 4, 63);
    assert_entries(&l1, "");
    tables_l1_set_range(&l1, 0, 64);
    assert_entries(&l1, "1:0 0:3 1:63 ");
    tables_l1_free(&l1);
    small_image_free(&small);
}

static void a_file_that_became_shorter_is_no_hole(void **state)
{
    struct small_image small;
    struct tables_table table = table_at(1 << 20, 64);
    struct tables_l1 l1;
    struct err err = {0};

    (void)state;
    open_image(&small);
    assert_int_equal(tables_l1_init(&l1, &small.image, &table, 1, &err), 0);
    small.memory.file_bytes = 1 << 20;
    assert_int_equal(tables_l1_next(&l1, &err), -EIO);
    assert_string_equal(err.text,
                        "the file became shorter while it was read: the L1 table at offset "
                        "0x100000 is gone; measure again when nobody changes it");
    tables_l1_free(&l1);
    small_image_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_in_holes_are_not_read),
        cmocka_unit_test(what_lies_before_a_hole_is_read),
        cmocka_unit_test(a_range_begins_where_it_was_told_to),
        cmocka_unit_test(a_file_that_became_shorter_is_no_hole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
