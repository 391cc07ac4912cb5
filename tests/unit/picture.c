// SPDX-License-Identifier: MIT
/* Proves how many bins become the cells that there is room for, and what a cell says of them. */
#include "picture.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CLUSTER UINT64_C(65536)
#define N 64 /* clusters of the disk and of the file: a bin, and a row, each */

struct made {
    struct report_picture picture;
    struct piece_batch batch;
};

static void begin(struct made *made, bool by_host, uint64_t guest_end)
{
    memset(made, 0, sizeof(*made));
    made->picture = (struct report_picture){
        .shape = {.by_host = by_host,
                  .guest = meter_axis_of(0, N * CLUSTER, CLUSTER, N),
                  .host = meter_axis_of(0, N * CLUSTER, CLUSTER, N),
                  .n_files = 1},
        .guest_end = guest_end,
        .host_end = N * CLUSTER,
    };
    made->picture.raster = meter_raster_new(&made->picture.shape);
    assert_non_null(made->picture.raster);
}

static void put(struct made *made, enum piece_kind kind, uint64_t guest, uint64_t host)
{
    bool zero = kind == PIECE_ZERO;

    piece_batch_add(&made->batch, &(struct piece){.kind = kind,
                                                  .guest_off = guest * CLUSTER,
                                                  .guest_bytes = CLUSTER,
                                                  .begin = zero ? 0 : host * CLUSTER,
                                                  .end = zero ? 0 : (host + 1) * CLUSTER,
                                                  .mapped_bytes = zero ? 0 : CLUSTER});
}

static struct report_cell *cells_of(struct made *made, size_t most, size_t n)
{
    struct report_cell *cells;

    meter_raster_take(made->picture.raster, &made->batch);
    assert_int_equal(report_picture_cells(&made->picture, most, &cells), n);
    meter_raster_free(made->picture.raster);
    return cells;
}

static void cells_are_of_equal_size_and_no_more_than_fit(void **state)
{
    struct made made;
    struct report_cell *cells;

    (void)state;
    begin(&made, false, N * CLUSTER);
    cells = cells_of(&made, 10, 10); /* of 7 bins each, and one of a single bin */
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(cells[i].off, i * 7 * CLUSTER);
        assert_int_equal(cells[i].len_bytes, (i < 9 ? 7 : 1) * CLUSTER);
    }
    free(cells);
}

static void a_cell_is_no_smaller_than_a_bin(void **state)
{
    struct made made;
    struct report_cell *cells;

    (void)state;
    begin(&made, false, N * CLUSTER);
    cells = cells_of(&made, 1000, N);
    assert_int_equal(cells[N - 1].len_bytes, CLUSTER);
    free(cells);
}

static void the_last_cell_ends_with_the_disk(void **state)
{
    struct made made;
    struct report_cell *cells;

    (void)state;
    begin(&made, false, N * CLUSTER - 512);
    cells = cells_of(&made, 8, 8);
    assert_int_equal(cells[7].len_bytes, 8 * CLUSTER - 512);
    free(cells);
}

static void bins_of_a_cell_add_up(void **state)
{
    struct made made;
    struct report_cell *cells;

    (void)state;
    begin(&made, false, N * CLUSTER);
    put(&made, PIECE_DATA, 0, 20);
    put(&made, PIECE_ZERO, 1, 0);
    put(&made, PIECE_DATA, 2, 40);
    put(&made, PIECE_DATA, 3, 10);
    cells = cells_of(&made, 16, 16);
    assert_int_equal(cells[0].bytes.mapped_bytes, 3 * CLUSTER);
    assert_int_equal(cells[0].bytes.zero_bytes, CLUSTER);
    assert_int_equal(cells[0].bytes.breaks, 2);
    assert_int_equal(cells[1].bytes.mapped_bytes, 0);
    free(cells);
}

static void the_place_is_where_most_of_it_lies(void **state)
{
    struct made made;
    struct report_cell *cells;

    (void)state;
    begin(&made, false, N * CLUSTER);
    put(&made, PIECE_DATA, 0, 63);
    put(&made, PIECE_DATA, 4, 0);
    put(&made, PIECE_DATA, 8, 63);
    cells = cells_of(&made, 2, 2);
    assert_int_equal(cells[0].row, 63);
    assert_true(cells[0].place == 1);
    free(cells);
}

static void of_equals_the_first_place_counts(void **state)
{
    struct made made;
    struct report_cell *cells;

    (void)state;
    begin(&made, false, N * CLUSTER);
    put(&made, PIECE_DATA, 0, 50);
    put(&made, PIECE_DATA, 1, 5);
    cells = cells_of(&made, 2, 2);
    assert_int_equal(cells[0].row, 5);
    free(cells);
}

static void kinds_are_told_apart(void **state)
{
    struct made made;
    struct report_cell *cells;

    (void)state;
    begin(&made, false, N * CLUSTER);
    put(&made, PIECE_DATA, 0, 1);
    put(&made, PIECE_ZERO, 4, 0);
    put(&made, PIECE_COMPRESSED, 8, 2); /* half of it is not enough, */
    put(&made, PIECE_DATA, 9, 3);
    put(&made, PIECE_COMPRESSED, 12, 4); /* two thirds are */
    put(&made, PIECE_COMPRESSED, 13, 5);
    put(&made, PIECE_DATA, 14, 6);
    cells = cells_of(&made, 16, 16);
    assert_int_equal(cells[0].kind, REPORT_CELL_DATA);
    assert_int_equal(cells[1].kind, REPORT_CELL_ZERO);
    assert_int_equal(cells[2].kind, REPORT_CELL_DATA);
    assert_int_equal(cells[3].kind, REPORT_CELL_COMPRESSED);
    assert_int_equal(cells[4].kind, REPORT_CELL_EMPTY);
    free(cells);
}

/* The share of breaks in the time for a cell of 16 clusters, a MiB: 745,500 bytes for each. */
static void order_goes_by_the_time_that_breaks_cost(void **state)
{
    static const struct {
        unsigned breaks;
        enum report_cell_order order;
    } cases[] = {{0, REPORT_CELL_WHOLE}, {1, REPORT_CELL_BROKEN}, {3, REPORT_CELL_IN_PIECES}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct made made;
        struct report_cell *cells;
        uint64_t host = 0;

        begin(&made, false, N * CLUSTER);
        for (unsigned guest = 0; guest < 16; guest++, host++) {
            if (guest > 0 && guest <= cases[i].breaks)
                host += guest % 2 ? 20 : -25;
            put(&made, PIECE_DATA, guest, host);
        }
        cells = cells_of(&made, 4, 4);
        assert_int_equal(cells[0].bytes.breaks, cases[i].breaks);
        assert_int_equal(cells[0].order, cases[i].order);
        free(cells);
    }
}

static void a_break_among_many_bytes_only_cracks(void **state)
{
    struct made made;
    struct report_cell *cells;

    (void)state;
    begin(&made, false, N * CLUSTER);
    for (unsigned guest = 0; guest < 40; guest++)
        put(&made, PIECE_DATA, guest, guest < 20 ? guest : guest + 20);
    cells = cells_of(&made, 1, 1);
    assert_int_equal(cells[0].bytes.breaks, 1);
    assert_int_equal(cells[0].order, REPORT_CELL_CRACKED);
    free(cells);
}

static void near_jumps_do_not_break_a_cell(void **state)
{
    struct made made;
    struct report_cell *cells;

    (void)state;
    begin(&made, false, N * CLUSTER);
    for (unsigned guest = 0; guest < 16; guest++)
        put(&made, PIECE_DATA, guest, 2 * guest);
    cells = cells_of(&made, 4, 4);
    assert_int_equal(cells[0].bytes.near_jumps, 15);
    assert_int_equal(cells[0].order, REPORT_CELL_WHOLE);
    free(cells);
}

static void by_host_the_place_is_the_guests(void **state)
{
    struct made made;
    struct report_cell *cells;

    (void)state;
    begin(&made, true, N * CLUSTER);
    put(&made, PIECE_DATA, 63, 5);
    cells = cells_of(&made, N, N);
    assert_int_equal(cells[5].kind, REPORT_CELL_DATA);
    assert_true(cells[5].place == 1);
    free(cells);
}

static void by_host_the_largest_owner_names_what_no_data_are_in(void **state)
{
    uint64_t owned[N][SPACE_N_OWNERS] = {{0}};
    struct made made;
    struct report_cell *cells;

    (void)state;
    begin(&made, true, N * CLUSTER);
    put(&made, PIECE_DATA, 0, 1);
    owned[1][SPACE_OWNER_METADATA] = CLUSTER; /* data come first */
    owned[2][SPACE_OWNER_METADATA] = 2;
    owned[2][SPACE_OWNER_FREE] = 1;
    owned[3][SPACE_OWNER_VM_STATE] = 2;
    owned[3][SPACE_OWNER_SNAPSHOT] = 2;
    owned[3][SPACE_OWNER_FREE] = 3;
    owned[4][SPACE_OWNER_LEAKED] = 1;
    owned[5][SPACE_OWNER_FREE] = 1;
    made.picture.owned = owned;
    cells = cells_of(&made, N, N);
    assert_int_equal(cells[1].kind, REPORT_CELL_DATA);
    assert_int_equal(cells[2].kind, REPORT_CELL_METADATA);
    assert_int_equal(cells[3].kind, REPORT_CELL_SNAPSHOT);
    assert_int_equal(cells[4].kind, REPORT_CELL_LEAKED);
    assert_int_equal(cells[5].kind, REPORT_CELL_FREE);
    assert_int_equal(cells[6].kind, REPORT_CELL_EMPTY);
    free(cells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_of_equal_size_and_no_more_than_fit),
        cmocka_unit_test(a_cell_is_no_smaller_than_a_bin),
        cmocka_unit_test(the_last_cell_ends_with_the_disk),
        cmocka_unit_test(bins_of_a_cell_add_up),
        cmocka_unit_test(the_place_is_where_most_of_it_lies),
        cmocka_unit_test(of_equals_the_first_place_counts),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(order_goes_by_the_time_that_breaks_cost),
        cmocka_unit_test(a_break_among_many_bytes_only_cracks),
        cmocka_unit_test(near_jumps_do_not_break_a_cell),
        cmocka_unit_test(by_host_the_place_is_the_guests),
        cmocka_unit_test(by_host_the_largest_owner_names_what_no_data_are_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
