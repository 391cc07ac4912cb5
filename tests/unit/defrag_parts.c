// SPDX-License-Identifier: MIT
/* Where parts are cut, how many a window may have, and their orders: worked out by hand. */
#include "parts.h"

#include "err.h"
#include "map.h"
#include "plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define KIB UINT64_C(1024)

struct finding {
    struct defrag_plan plan;
    struct defrag_parts parts;
    struct defrag_parts_cursor cursor;
};

static void begin(struct finding *finding)
{
    *finding = (struct finding){.cursor = {.plan = &finding->plan, .most = 1000}};
}

static void move(struct finding *finding, uint64_t from, uint64_t to, uint64_t bytes)
{
    assert_int_equal(defrag_moves_add(&finding->plan.data, from, to, bytes), 0);
}

static void end(struct finding *finding)
{
    defrag_moves_free(&finding->plan.data);
    defrag_moves_free(&finding->plan.blobs);
    defrag_parts_free(&finding->parts);
}

/* Of the window: returns where it ends. */
static uint64_t find(struct finding *finding, uint64_t from, uint64_t to)
{
    struct err err = {0};

    assert_int_equal(defrag_parts_find(&finding->parts, &finding->cursor, from, &to, &err), 0);
    return to;
}

static void is_part(const struct finding *finding, size_t i, uint64_t from, uint64_t at,
                    uint64_t bytes)
{
    const struct defrag_part *part = &finding->parts.list[i];

    assert_true(i < finding->parts.n_list);
    if (part->from != from || part->at != at || part->bytes != bytes)
        fail_msg("part %zu: %lu bytes from %lu at %lu", i, (unsigned long)part->bytes,
                 (unsigned long)part->from, (unsigned long)part->at);
}

static void a_move_is_cut_where_blocks_end(void **state)
{
    struct finding finding;

    (void)state;
    begin(&finding);
    move(&finding, 10 * MIB, MIB / 2, 2 * MIB);
    assert_int_equal(find(&finding, 0, 8 * MIB), 8 * MIB);
    assert_int_equal(finding.parts.n_list, 3);
    is_part(&finding, 0, 10 * MIB, MIB / 2, MIB / 2);
    is_part(&finding, 1, 10 * MIB + MIB / 2, MIB, MIB);
    is_part(&finding, 2, 11 * MIB + MIB / 2, 2 * MIB, MIB / 2);
    assert_true(defrag_parts_next(&finding.cursor) == UINT64_MAX);
    end(&finding);
}

static void a_move_goes_on_in_the_next_window(void **state)
{
    struct finding finding;

    (void)state;
    begin(&finding);
    move(&finding, 10 * MIB, 0, 3 * MIB);
    find(&finding, 0, 2 * MIB);
    assert_int_equal(finding.parts.n_list, 2);
    find(&finding, 2 * MIB, 4 * MIB);
    assert_int_equal(finding.parts.n_list, 1);
    is_part(&finding, 0, 12 * MIB, 0, MIB);
    end(&finding);
}

static void a_window_of_too_many_parts_becomes_shorter(void **state)
{
    struct finding finding;
    uint64_t to = 0;
    unsigned n = 0;

    (void)state;
    begin(&finding);
    finding.cursor.most = 100;
    for (uint64_t i = 0; i < 512; i++) /* 16 in a block */
        move(&finding, (1000 - i) * 64 * KIB, i * 64 * KIB, 64 * KIB);
    for (uint64_t from = 0; from < 32 * MIB; from = to) {
        to = find(&finding, from, 32 * MIB);
        assert_true(to % MIB == 0 && finding.parts.n_list <= 100);
        n += finding.parts.n_list;
    }
    assert_int_equal(n, 512);
    end(&finding);
}

static void a_block_may_have_more(void **state)
{
    struct finding finding;

    (void)state;
    begin(&finding);
    finding.cursor.most = 4;
    for (uint64_t i = 0; i < 32; i++)
        move(&finding, (1000 - i) * 64 * KIB, i * 64 * KIB, 64 * KIB);
    assert_int_equal(find(&finding, 0, 2 * MIB), MIB);
    assert_int_equal(finding.parts.n_list, 16);
    end(&finding);
}

/* Two extents, the second before the first on the device, and a hole between them. */
static void parts_are_read_in_the_order_of_the_device(void **state)
{
    struct host_segment segments[] = {{.file_off = 0, .physical = 100 * MIB, .kind = HOST_DATA},
                                      {.file_off = 2 * MIB, .kind = HOST_HOLE},
                                      {.file_off = 3 * MIB, .physical = MIB, .kind = HOST_DATA},
                                      {.file_off = 9 * MIB, .kind = HOST_HOLE}};
    const struct host_map map = {.segments = segments, .n_segments = 4};
    struct finding finding;

    (void)state;
    begin(&finding);
    finding.cursor.map = &map;
    move(&finding, 3 * MIB / 2, 0, MIB); /* over the end of the first extent */
    move(&finding, 4 * MIB, MIB, MIB);
    move(&finding, 0, 2 * MIB, MIB);
    find(&finding, 0, 8 * MIB);
    assert_int_equal(finding.parts.n_list, 4);
    defrag_parts_sort_by_place(&finding.parts);
    is_part(&finding, 0, 2 * MIB, MIB / 2, MIB / 2); /* the hole costs no way */
    is_part(&finding, 1, 4 * MIB, MIB, MIB);
    is_part(&finding, 2, 0, 2 * MIB, MIB);
    is_part(&finding, 3, 3 * MIB / 2, 0, MIB / 2);
    assert_int_equal(finding.parts.list[1].place, 2 * MIB);
    defrag_parts_sort_by_at(&finding.parts);
    is_part(&finding, 0, 3 * MIB / 2, 0, MIB / 2);
    is_part(&finding, 3, 0, 2 * MIB, MIB);
    assert_int_equal(defrag_parts_first_at(&finding.parts, MIB / 2), 1);
    assert_int_equal(defrag_parts_first_at(&finding.parts, MIB / 2 + 1), 2);
    assert_int_equal(defrag_parts_first_at(&finding.parts, 3 * MIB), 4);
    end(&finding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_is_cut_where_blocks_end),
        cmocka_unit_test(a_move_goes_on_in_the_next_window),
        cmocka_unit_test(a_window_of_too_many_parts_becomes_shorter),
        cmocka_unit_test(a_block_may_have_more),
        cmocka_unit_test(parts_are_read_in_the_order_of_the_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
