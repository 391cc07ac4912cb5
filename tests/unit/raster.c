// SPDX-License-Identifier: MIT
/*
 * Proves that each byte of a walk is in the cell that it belongs to, that cells and bins add up to
 * the figures of a meter, and that a raster may be cut, shifted and merged like one.
 */
#include "raster.h"

#include "dice.h"
#include "pieces.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CLUSTER UINT64_C(65536)
#define DISK_CLUSTERS 1024
#define FILE_CLUSTERS 4096
#define PIECES_MAX 1024
#define FILES 3

static const uint64_t file_begins[FILES] = {0, FILE_CLUSTERS / 4 * CLUSTER,
                                            FILE_CLUSTERS / 2 * CLUSTER};

static struct meter_raster_shape shape_of(bool by_host, uint32_t bins, uint32_t rows)
{
    uint32_t guest = by_host ? rows : bins, host = by_host ? bins : rows;

    return (struct meter_raster_shape){
        .by_host = by_host,
        .guest = meter_axis_of(0, DISK_CLUSTERS * CLUSTER, CLUSTER, guest),
        .host = meter_axis_of(0, FILE_CLUSTERS * CLUSTER, CLUSTER, host),
        .n_files = FILES,
        .file_begins = file_begins,
    };
}

static void take_general(struct meter_raster *raster, const struct piece *pieces, size_t n)
{
    struct piece_batch *batch = pieces_new_batch(CLUSTER, 0);

    batch->uniform = false;
    for (size_t i = 0; i < n; i++) {
        piece_batch_add(batch, &pieces[i]);
        if (batch->n < PIECE_BATCH_MAX && i + 1 < n)
            continue;
        meter_raster_take(raster, batch);
        batch->n = 0;
    }
    free(batch);
}

static struct meter_raster *raster_of(const struct meter_raster_shape *shape,
                                      const struct piece *pieces, size_t n)
{
    struct meter_raster *raster = meter_raster_new(shape);

    assert_non_null(raster);
    take_general(raster, pieces, n);
    assert_int_equal(meter_raster_error(raster), 0);
    return raster;
}

/* All bins, and all their rows, as one. */
struct sums {
    struct meter_raster_bin bins;
    uint64_t cells;
};

static struct sums sums_of(const struct meter_raster *raster)
{
    struct sums sums = {.cells = 0};

    for (uint32_t i = 0; i < meter_raster_bins(&raster->shape)->n; i++) {
        const uint64_t *rows;
        const struct meter_raster_bin *bin = meter_raster_bin(raster, i, &rows);

        if (bin == NULL)
            continue;
        sums.bins.mapped_bytes += bin->mapped_bytes;
        sums.bins.compressed_bytes += bin->compressed_bytes;
        sums.bins.zero_bytes += bin->zero_bytes;
        sums.bins.breaks += bin->breaks;
        sums.bins.near_jumps += bin->near_jumps;
        for (uint32_t k = 0; k < meter_raster_rows(&raster->shape)->n; k++)
            sums.cells += rows[k];
    }
    return sums;
}

static void assert_same_raster(const struct meter_raster *a, const struct meter_raster *b)
{
    static const struct meter_raster_bin nothing;
    static const uint64_t no_rows[PIECES_MAX];

    for (uint32_t i = 0; i < meter_raster_bins(&a->shape)->n; i++) {
        const uint64_t *rows_a = no_rows, *rows_b = no_rows;
        const struct meter_raster_bin *bin_a = meter_raster_bin(a, i, &rows_a);
        const struct meter_raster_bin *bin_b = meter_raster_bin(b, i, &rows_b);

        assert_memory_equal(bin_a != NULL ? bin_a : &nothing, bin_b != NULL ? bin_b : &nothing,
                            sizeof(nothing));
        assert_memory_equal(rows_a, rows_b, meter_raster_rows(&a->shape)->n * sizeof(*rows_a));
    }
}

/* ---- the axis ---- */

static void an_axis_has_the_finest_units_that_fit(void **state)
{
    struct meter_axis axis = meter_axis_of(0, 1000, 1, 256);

    (void)state;
    assert_int_equal(axis.shift, 2);
    assert_int_equal(axis.n, 250);
    axis = meter_axis_of(0, 1024, 1, 256);
    assert_int_equal(axis.n, 256);
    axis = meter_axis_of(0, 1025, 1, 256);
    assert_int_equal(axis.shift, 3);
    assert_int_equal(axis.n, 129);
}

static void an_axis_has_no_finer_units_than_asked_for(void **state)
{
    struct meter_axis axis = meter_axis_of(0, 10 * CLUSTER, CLUSTER, 256);

    (void)state;
    assert_int_equal(axis.shift, 16);
    assert_int_equal(axis.n, 10);
}

static void an_axis_begins_at_a_multiple_of_its_unit(void **state)
{
    struct meter_axis axis = meter_axis_of(1001, 3000, 1, 16);

    (void)state;
    assert_int_equal(axis.origin % (UINT64_C(1) << axis.shift), 0);
    assert_true(axis.origin <= 1001);
    assert_int_equal(meter_axis_find(&axis, 1001), (1001 - axis.origin) >> axis.shift);
    assert_int_equal(meter_axis_find(&axis, 2999), axis.n - 1);
}

static void what_lies_outside_an_axis_belongs_to_its_end(void **state)
{
    struct meter_axis axis = meter_axis_of(1024, 2048, 1, 4);

    (void)state;
    assert_int_equal(meter_axis_find(&axis, UINT64_MAX), 3);
    assert_int_equal(meter_axis_find(&axis, 0), 3);
}

static void an_empty_axis_has_one_stretch(void **state)
{
    struct meter_axis axis = meter_axis_of(0, 0, CLUSTER, 256);

    (void)state;
    assert_int_equal(axis.n, 1);
}

static void an_axis_reaches_over_all_offsets(void **state)
{
    struct meter_axis axis = meter_axis_of(0, UINT64_MAX, 512, 2);

    (void)state;
    assert_int_equal(axis.n, 2);
    assert_int_equal(meter_axis_find(&axis, UINT64_MAX), 1);
}

/* ---- pieces by hand ---- */

static struct piece data(uint64_t guest, uint64_t host)
{
    return (struct piece){.kind = PIECE_DATA,
                          .guest_off = guest * CLUSTER,
                          .guest_bytes = CLUSTER,
                          .begin = host * CLUSTER,
                          .end = (host + 1) * CLUSTER,
                          .mapped_bytes = CLUSTER};
}

static const uint64_t *rows_of(const struct meter_raster *raster, uint32_t bin)
{
    const uint64_t *rows;

    assert_non_null(meter_raster_bin(raster, bin, &rows));
    return rows;
}

static const struct meter_raster_bin *bin_at(const struct meter_raster *raster, uint32_t number)
{
    const uint64_t *rows;
    const struct meter_raster_bin *bin = meter_raster_bin(raster, number, &rows);

    assert_non_null(bin);
    return bin;
}

static void a_cluster_is_where_its_two_offsets_meet(void **state)
{
    const struct meter_raster_shape shape = shape_of(false, DISK_CLUSTERS, 64);
    const struct piece piece = data(5, 200); /* 64 clusters a row */
    struct meter_raster *raster = raster_of(&shape, &piece, 1);

    (void)state;
    assert_int_equal(bin_at(raster, 5)->mapped_bytes, CLUSTER);
    assert_int_equal(rows_of(raster, 5)[3], CLUSTER);
    assert_int_equal(sums_of(raster).cells, CLUSTER);
    meter_raster_free(raster);
}

static void by_host_it_is_the_other_way_round(void **state)
{
    const struct meter_raster_shape shape = shape_of(true, FILE_CLUSTERS, 64);
    const struct piece piece = data(40, 200); /* 16 clusters a row */
    struct meter_raster *raster = raster_of(&shape, &piece, 1);

    (void)state;
    assert_int_equal(bin_at(raster, 200)->mapped_bytes, CLUSTER);
    assert_int_equal(rows_of(raster, 200)[2], CLUSTER);
    meter_raster_free(raster);
}

static void another_file_is_another_part_of_the_host_axis(void **state)
{
    const struct meter_raster_shape shape = shape_of(false, DISK_CLUSTERS, 64);
    struct piece piece = data(5, 0);
    struct meter_raster *raster;

    (void)state;
    piece.file = 2;
    raster = raster_of(&shape, &piece, 1);
    assert_int_equal(rows_of(raster, 5)[32], CLUSTER);
    meter_raster_free(raster);
}

static void a_long_stretch_is_cut_at_borders_of_both(void **state)
{
    const struct meter_raster_shape shape = shape_of(false, 64, 64); /* 16 and 64 clusters */
    struct piece piece = data(8, 60);
    struct meter_raster *raster;

    (void)state;
    piece.guest_bytes = piece.mapped_bytes = 16 * CLUSTER;
    piece.end = piece.begin + piece.guest_bytes;
    raster = raster_of(&shape, &piece, 1);
    assert_int_equal(rows_of(raster, 0)[0], 4 * CLUSTER);
    assert_int_equal(rows_of(raster, 0)[1], 4 * CLUSTER);
    assert_int_equal(rows_of(raster, 1)[1], 8 * CLUSTER);
    meter_raster_free(raster);
}

static void zeros_are_counted_and_not_mapped(void **state)
{
    const struct meter_raster_shape shape = shape_of(false, 64, 64);
    struct piece pieces[] = {data(0, 5), data(1, 0), data(2, 6)};
    struct meter_raster *raster;

    (void)state;
    pieces[1].kind = PIECE_ZERO;
    pieces[1].end = pieces[1].mapped_bytes = 0;
    raster = raster_of(&shape, pieces, 3);
    assert_int_equal(bin_at(raster, 0)->zero_bytes, CLUSTER);
    assert_int_equal(bin_at(raster, 0)->mapped_bytes, 2 * CLUSTER);
    assert_int_equal(bin_at(raster, 0)->breaks, 0); /* in the file it goes on */
    meter_raster_free(raster);
}

static void zeros_alone_are_taken_where_only_they_are_wanted(void **state)
{
    const struct meter_raster_shape shape = shape_of(false, 64, 64);
    struct meter_raster *raster = meter_raster_new(&shape);
    struct piece_batch *batch = pieces_new_batch(CLUSTER, 0);
    struct piece zero = data(17, 0);

    (void)state;
    batch->uniform = false;
    piece_batch_add(batch, &(struct piece){.kind = PIECE_DATA, .mapped_bytes = CLUSTER});
    zero.kind = PIECE_ZERO_ALLOCATED;
    zero.mapped_bytes = 0;
    piece_batch_add(batch, &zero);
    meter_raster_take_zeros(raster, batch);
    assert_int_equal(bin_at(raster, 1)->zero_bytes, CLUSTER);
    assert_int_equal(sums_of(raster).bins.mapped_bytes, 0);
    free(batch);
    meter_raster_free(raster);
}

static void a_break_belongs_to_the_piece_that_begins_with_it(void **state)
{
    const struct meter_raster_shape shape = shape_of(false, DISK_CLUSTERS, 64);
    const struct piece pieces[] = {data(0, 5), data(1, 6), data(2, 8), data(3, 100), data(4, 3)};
    struct meter_raster *raster = raster_of(&shape, pieces, 5);

    (void)state;
    assert_int_equal(bin_at(raster, 1)->breaks, 0);
    assert_int_equal(bin_at(raster, 2)->breaks, 1);
    assert_int_equal(bin_at(raster, 2)->near_jumps, 1);
    assert_int_equal(bin_at(raster, 3)->breaks, 1);
    assert_int_equal(bin_at(raster, 3)->near_jumps, 0);
    assert_int_equal(bin_at(raster, 4)->breaks, 1);
    assert_int_equal(bin_at(raster, 4)->near_jumps, 0);
    meter_raster_free(raster);
}

/* ---- at random ---- */

/* Guest order, with holes; runs and jumps, blobs, zeros, missing subclusters, several files. */
static size_t random_pieces(struct dice *dice, struct piece *pieces, bool plain)
{
    uint64_t host = dice_below(dice, FILE_CLUSTERS / 4);
    size_t n = 0;

    for (uint64_t guest = 0; guest < DISK_CLUSTERS; guest++) {
        struct piece *piece = &pieces[n];

        if (!plain && dice_once_in(dice, 8))
            continue;
        host = dice_once_in(dice, 4) ? dice_below(dice, FILE_CLUSTERS / 4 - 1)
                                     : (host + 1) % (FILE_CLUSTERS / 4 - 1);
        *piece = data(guest, host);
        n++;
        if (plain)
            continue;
        piece->file = (uint16_t)(dice_once_in(dice, 10) ? dice_below(dice, FILES) : 0);
        if (dice_once_in(dice, 5)) {
            piece->kind = PIECE_COMPRESSED;
            piece->begin += dice_below(dice, 1000);
            piece->end = (piece->begin | 511) + 1 + 512 * dice_below(dice, 50);
            piece->slack = (uint32_t)(-piece->end & (CLUSTER - 1));
        } else if (dice_once_in(dice, 5)) {
            piece->missing = (uint32_t)dice_u64(dice) & ~(UINT32_C(1) << 7);
            piece->mapped_bytes -=
                (unsigned)__builtin_popcount(piece->missing) * (CLUSTER / PIECE_SUBCLUSTERS);
        } else if (dice_once_in(dice, 5)) {
            piece->kind = PIECE_ZERO;
            piece->begin = piece->end = piece->mapped_bytes = 0;
        }
    }
    return n;
}

static void sums_are_those_of_a_meter(void **state)
{
    static struct piece pieces[PIECES_MAX];

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct dice dice = dice_of(seed);
        size_t n = random_pieces(&dice, pieces, false);
        const struct meter_raster_shape shape =
            shape_of(seed % 2 == 0, 2 << dice_below(&dice, 9), 2 << dice_below(&dice, 6));
        struct meter_raster *raster = raster_of(&shape, pieces, n);
        struct meter *meter = pieces_metered(CLUSTER, pieces, n);
        struct sums sums = sums_of(raster);
        uint64_t bytes = 0, compressed = 0, zeros = 0;

        for (size_t i = 0; i < n; i++) {
            bytes += pieces[i].mapped_bytes;
            compressed += pieces[i].kind == PIECE_COMPRESSED ? CLUSTER : 0;
            zeros += pieces[i].kind == PIECE_ZERO ? CLUSTER : 0;
        }
        assert_int_equal(sums.cells, bytes);
        assert_int_equal(sums.bins.mapped_bytes, bytes);
        assert_int_equal(sums.bins.compressed_bytes, compressed);
        assert_int_equal(sums.bins.zero_bytes, shape.by_host ? 0 : zeros);
        assert_int_equal(sums.bins.breaks, meter->breaks);
        assert_int_equal(sums.bins.near_jumps, meter->near_jumps);
        meter_free(meter);
        meter_raster_free(raster);
    }
}

static void parts_merge_to_the_whole(void **state)
{
    static struct piece pieces[PIECES_MAX];

    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct dice dice = dice_of(seed);
        size_t n = random_pieces(&dice, pieces, false), a = dice_below(&dice, n + 1);
        size_t b = a + dice_below(&dice, n + 1 - a);
        const struct meter_raster_shape shape = shape_of(seed % 2 == 0, 256, 16);
        struct meter_raster *whole = raster_of(&shape, pieces, n);
        struct meter_raster *left = raster_of(&shape, pieces, a);
        struct meter_raster *middle = raster_of(&shape, pieces + a, b - a);
        struct meter_raster *right = raster_of(&shape, pieces + b, n - b);

        if (seed % 3 == 0) { /* from the right */
            meter_raster_merge(middle, right);
            meter_raster_merge(left, middle);
        } else {
            meter_raster_merge(left, middle);
            meter_raster_merge(left, right);
        }
        assert_same_raster(left, whole);
        meter_raster_free(left);
        meter_raster_free(middle);
        meter_raster_free(right);
        meter_raster_free(whole);
    }
}

/* Pieces of one L2 table of 64 clusters, met again at other places of the disk. */
static void what_is_met_again_is_shifted(void **state)
{
    static struct piece pieces[PIECES_MAX], moved[PIECES_MAX];

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct dice dice = dice_of(seed);
        size_t n = random_pieces(&dice, pieces, false), table = 0, all = 0;
        uint64_t begin = 64 * dice_below(&dice, 4), shift = 64 * (4 + dice_below(&dice, 12 - 3));
        /* Units of the guest axis from one cluster to all of the disk. */
        const struct meter_raster_shape shape =
            shape_of(seed % 2 == 0, 2 << dice_below(&dice, 10), 2 << dice_below(&dice, 6));
        struct meter_raster *again, *expected, *kept;

        for (size_t i = 0; i < n; i++)
            if (pieces[i].guest_off / CLUSTER >= begin &&
                pieces[i].guest_off / CLUSTER < begin + 64)
                moved[table++] = pieces[i];
        kept = raster_of(&shape, moved, table);
        again = raster_of(&shape, moved, table);
        meter_raster_join(again, kept, shift * CLUSTER);
        meter_raster_join(again, kept, (shift + 64) % (DISK_CLUSTERS - begin) * CLUSTER);
        for (size_t i = 0; i < table; i++) {
            pieces[all++] = moved[i];
            assert_true(table * 3 < PIECES_MAX);
        }
        for (unsigned k = 0; k < 2; k++)
            for (size_t i = 0; i < table; i++) {
                uint64_t by = k == 0 ? shift : (shift + 64) % (DISK_CLUSTERS - begin);

                pieces[all] = moved[i];
                pieces[all++].guest_off += by * CLUSTER;
            }
        expected = raster_of(&shape, pieces, all);
        assert_same_raster(again, expected);
        meter_raster_free(kept);
        meter_raster_free(again);
        meter_raster_free(expected);
    }
}

static void take_uniform(struct meter_raster *raster, const struct piece *pieces, size_t n)
{
    struct piece_batch *batch = pieces_uniform_batch(pieces, n);

    meter_raster_take(raster, batch);
    free(batch);
}

static void both_shapes_of_a_batch_give_the_same(void **state)
{
    static struct piece pieces[PIECES_MAX];

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct dice dice = dice_of(seed);
        size_t n = random_pieces(&dice, pieces, true);
        const struct meter_raster_shape shape =
            shape_of(seed % 4 == 0, 2 << dice_below(&dice, 10), 2 << dice_below(&dice, 6));
        struct meter_raster *uniform = meter_raster_new(&shape), *general;

        for (size_t i = 0; i < n; i++) { /* some lie over the borders of rows, as on a device */
            pieces[i].begin += seed % 2 * 4096;
            pieces[i].end += seed % 2 * 4096;
        }
        general = raster_of(&shape, pieces, n);
        for (size_t at = 0; at < n; at += 512)
            take_uniform(uniform, pieces + at, 512);
        assert_same_raster(uniform, general);
        meter_raster_free(uniform);
        meter_raster_free(general);
    }
}

static void cleared_it_is_as_new(void **state)
{
    static struct piece pieces[PIECES_MAX];
    const struct meter_raster_shape shape = shape_of(false, 256, 16);
    struct dice dice = dice_of(7);
    size_t n = random_pieces(&dice, pieces, false);
    struct meter_raster *raster = raster_of(&shape, pieces, n), *fresh = meter_raster_new(&shape);

    (void)state;
    meter_raster_clear(raster);
    assert_same_raster(raster, fresh);
    take_general(raster, pieces, n);
    take_general(fresh, pieces, n);
    assert_same_raster(raster, fresh);
    meter_raster_free(raster);
    meter_raster_free(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_axis_has_the_finest_units_that_fit),
        cmocka_unit_test(an_axis_has_no_finer_units_than_asked_for),
        cmocka_unit_test(an_axis_begins_at_a_multiple_of_its_unit),
        cmocka_unit_test(what_lies_outside_an_axis_belongs_to_its_end),
        cmocka_unit_test(an_empty_axis_has_one_stretch),
        cmocka_unit_test(an_axis_reaches_over_all_offsets),
        cmocka_unit_test(a_cluster_is_where_its_two_offsets_meet),
        cmocka_unit_test(by_host_it_is_the_other_way_round),
        cmocka_unit_test(another_file_is_another_part_of_the_host_axis),
        cmocka_unit_test(a_long_stretch_is_cut_at_borders_of_both),
        cmocka_unit_test(zeros_are_counted_and_not_mapped),
        cmocka_unit_test(zeros_alone_are_taken_where_only_they_are_wanted),
        cmocka_unit_test(a_break_belongs_to_the_piece_that_begins_with_it),
        cmocka_unit_test(sums_are_those_of_a_meter),
        cmocka_unit_test(parts_merge_to_the_whole),
        cmocka_unit_test(what_is_met_again_is_shifted),
        cmocka_unit_test(both_shapes_of_a_batch_give_the_same),
        cmocka_unit_test(cleared_it_is_as_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
