// SPDX-License-Identifier: MIT
/*
 * Where a rewrite would put things, and the way of a head that reads them: worked out by hand for a
 * few pieces each. What qemu-img convert really writes is in cli/promise.bats.
 */
#include "converted.h"

#include "pieces.h"

#include <stdio.h>

#define C UINT64_C(65536)
#define KIB UINT64_C(1024)
#define N_MOVES_MAX 16

/* Clusters of 64 KiB, tables of one slice; the disk has @tables of them. */
static struct meter_layout_shape shape_of(unsigned tables)
{
    return (struct meter_layout_shape){.cluster_bytes = C,
                                       .part_bytes = C,
                                       .slice_bytes = C,
                                       .slice_bits = 29,
                                       .l2_bits = 29,
                                       .end = (uint64_t)tables << 29,
                                       .blobs_max = UINT16_MAX,
                                       .alone = true};
}

/* Slices of 4 KiB, each for 32 MiB of the disk. */
static struct meter_layout_shape small_slices(unsigned tables)
{
    struct meter_layout_shape shape = shape_of(tables);

    shape.slice_bytes = 4 * KIB;
    shape.slice_bits = 25;
    return shape;
}

#define PER_TABLE (UINT64_C(1) << 13)
#define PER_SLICE (UINT64_C(1) << 9)

static struct piece data(uint64_t guest)
{
    return pieces_data(C, guest);
}

/* Of exactly so many bytes, as a multiple of 512 less 256, which is what is taken for them. */
static struct piece blob(uint64_t guest, uint64_t bytes)
{
    struct piece piece = data(guest);

    piece.kind = PIECE_COMPRESSED;
    piece.end = piece.begin + bytes + 256;
    return piece;
}

static void take(struct meter_converted *converted, const struct piece *pieces, size_t n)
{
    struct piece_batch *batch = pieces_new_batch(C, 0);

    batch->uniform = false;
    for (size_t i = 0; i < n; i++)
        piece_batch_add(batch, &pieces[i]);
    meter_converted_take(converted, batch);
    free(batch);
}

/* A batch for each piece, as if a table lay before each: what they hold in common does not matter.
 */
static struct meter_converted *rewritten(struct meter_layout_shape shape,
                                         const struct piece *pieces, size_t n)
{
    struct meter_converted *converted = meter_converted_new(&shape);

    assert_non_null(converted);
    for (size_t i = 0; i < n; i++)
        take(converted, &pieces[i], 1);
    meter_converted_settle(converted);
    assert_int_equal(meter_converted_error(converted), 0);
    return converted;
}

#define REWRITTEN(shape, pieces) rewritten((shape), (pieces), sizeof(pieces) / sizeof((pieces)[0]))

static struct meter_jump_total ways(const struct meter_layout *layout,
                                    enum meter_direction direction)
{
    struct meter_jumps jumps = {0};

    meter_sparse_jumps_pour(&layout->head.detours[direction], &jumps);
    return meter_jumps_total(&jumps);
}

/* So many ways, and their length in all. */
static void goes(const struct meter_layout *layout, uint64_t back, uint64_t back_bytes,
                 uint64_t forward, uint64_t forward_bytes)
{
    struct meter_jump_total backward = ways(layout, METER_BACKWARD),
                            ahead = ways(layout, METER_FORWARD);

    if (backward.count != back || backward.sum != back_bytes || ahead.count != forward ||
        ahead.sum != forward_bytes)
        fail_msg("%lu back over %lu, %lu forward over %lu", (unsigned long)backward.count,
                 (unsigned long)backward.sum, (unsigned long)ahead.count, (unsigned long)ahead.sum);
}

/* ---- clusters ---- */

static void at_first_no_cluster_can_be_filled_up(void **state)
{
    struct meter_layout layout;

    (void)state;
    meter_layout_init(&layout);
    assert_int_equal(layout.cluster, METER_LAYOUT_NONE);
    meter_layout_release(&layout);
}

static void a_table_and_its_data_lie_one_behind_the_other(void **state)
{
    const struct piece pieces[] = {data(3), data(4), data(9), data(PER_TABLE + 1)};
    struct meter_converted *converted = REWRITTEN(shape_of(2), pieces);

    (void)state;
    goes(&converted->whole, 0, 0, 0, 0);
    assert_int_equal(converted->whole.head.read_bytes, 6 * C);
    assert_int_equal(converted->whole.end, 6 * C);
    assert_null(converted->packed);
    meter_converted_free(converted);
}

/* Back over what the slice before maps, and there again; the third one maps nothing. */
static void a_small_slice_costs_a_way_back_and_one_there(void **state)
{
    const struct piece pieces[] = {data(0), data(1), data(PER_SLICE), data(3 * PER_SLICE)};
    struct meter_converted *converted = REWRITTEN(small_slices(1), pieces);
    uint64_t slice = 4 * KIB;

    (void)state;
    /* Slices 0 | 1 | 2 and 3 | the twelve behind, to which the head goes once more. */
    goes(&converted->whole, 3, (3 * C - slice) + (4 * C - 2 * slice) + (5 * C - 4 * slice), 3,
         (C - slice) + (3 * C - 2 * slice) + (4 * C - 4 * slice));
    assert_int_equal(converted->whole.head.read_bytes, 4 * C + C);
    meter_converted_free(converted);
}

static void slices_behind_the_end_of_the_disk_are_not_read(void **state)
{
    const struct piece pieces[] = {data(0)};
    struct meter_layout_shape shape = small_slices(1);
    struct meter_converted *converted;

    (void)state;
    shape.end = (UINT64_C(2) << 25) + 1; /* two slices, and a byte for a third one */
    converted = REWRITTEN(shape, pieces);
    assert_int_equal(converted->whole.head.read_bytes, 3 * 4 * KIB + C);
    meter_converted_free(converted);
}

static void slices_before_the_part_that_is_walked_are_not_read(void **state)
{
    const struct piece pieces[] = {data(PER_TABLE + 2 * PER_SLICE)};
    struct meter_layout_shape shape = small_slices(2);
    struct meter_converted *converted;

    (void)state;
    shape.begin = (UINT64_C(1) << 29) + (UINT64_C(2) << 25);
    shape.end = shape.begin + (UINT64_C(1) << 25);
    converted = REWRITTEN(shape, pieces);
    assert_int_equal(converted->whole.head.read_bytes, 4 * KIB + C);
    meter_converted_free(converted);
}

static void uniform_batches_are_the_same_as_their_pieces(void **state)
{
    static struct piece pieces[64];
    const struct meter_layout_shape shape = small_slices(1);
    struct piece_batch *batch = pieces_new_batch(C, 64);
    struct meter_converted *one = meter_converted_new(&shape), *many;

    (void)state;
    for (uint64_t i = 0; i < 64; i++)
        pieces[i] = data(PER_SLICE + i);
    many = REWRITTEN(shape, pieces);
    batch->uniform = true;
    batch->guest_first = PER_SLICE * C;
    batch->file = 0;
    meter_converted_take(one, batch);
    meter_converted_settle(one);
    assert_int_equal(one->whole.head.read_bytes, many->whole.head.read_bytes);
    assert_int_equal(one->whole.end, many->whole.end);
    goes(&one->whole, 1, 65 * C - 8 * KIB, 1, C - 8 * KIB);
    goes(&many->whole, 1, 65 * C - 8 * KIB, 1, C - 8 * KIB);
    free(batch);
    meter_converted_free(one);
    meter_converted_free(many);
}

/* ---- subclusters ---- */

static void missing_parts_are_gaps_but_for_those_behind_the_last_data(void **state)
{
    struct piece pieces[] = {data(0), data(7)};
    struct meter_layout_shape shape = shape_of(1);
    struct meter_converted *converted;

    (void)state;
    shape.part_bytes = 2 * KIB;
    pieces[0].missing = ~UINT32_C(0x00000303); /* parts 0, 1, 8, 9 */
    pieces[1].missing = ~UINT32_C(0x00000010); /* part 4 */
    converted = REWRITTEN(shape, pieces);
    goes(&converted->whole, 0, 0, 2, 6 * 2 * KIB + (22 + 4) * 2 * KIB);
    assert_int_equal(converted->whole.head.read_bytes, C + 5 * 2 * KIB);
    meter_converted_free(converted);
}

/* ---- blobs ---- */

/* The second table lies behind the cluster that is being filled. */
static void blobs_go_on_before_a_table(void **state)
{
    const struct piece pieces[] = {blob(0, 10240 - 256), blob(PER_TABLE, 10240 - 256)};
    struct meter_converted *converted = REWRITTEN(shape_of(2), pieces);
    uint64_t bytes = 10240 - 256;

    (void)state;
    assert_non_null(converted->packed);
    /* table | blob, blob, room | table */
    goes(converted->packed, 1, 3 * C - (C + bytes), 1, 2 * C - (C + bytes));
    assert_int_equal(converted->packed->head.read_bytes, 2 * C + 2 * bytes);
    assert_int_equal(converted->packed->end, 3 * C);
    assert_int_equal(converted->whole.head.read_bytes, 4 * C);
    meter_converted_free(converted);
}

static void a_blob_that_does_not_fit_goes_behind_the_table(void **state)
{
    const uint64_t large = 40960 - 256;
    const struct piece pieces[] = {blob(0, large), blob(PER_TABLE, large)};
    struct meter_converted *converted = REWRITTEN(shape_of(2), pieces);

    (void)state;
    goes(converted->packed, 0, 0, 1, C - large);
    assert_int_equal(converted->packed->end, 4 * C);
    meter_converted_free(converted);
}

static void a_blob_may_lie_in_two_clusters_that_follow(void **state)
{
    const uint64_t large = 40960 - 256;
    const struct piece pieces[] = {blob(0, large), blob(1, large), blob(2, large)};
    struct meter_converted *converted = REWRITTEN(shape_of(1), pieces);

    (void)state;
    goes(converted->packed, 0, 0, 0, 0);
    assert_int_equal(converted->packed->head.read_bytes, C + 3 * large);
    assert_int_equal(converted->packed->end, 3 * C);
    meter_converted_free(converted);
}

static void many_blobs_at_once_are_the_same(void **state)
{
    static struct piece pieces[200];
    const struct meter_layout_shape shape = shape_of(2);
    struct meter_converted *at_once = meter_converted_new(&shape), *singly;

    (void)state;
    for (uint64_t i = 0; i < 200; i++)
        pieces[i] = blob(i < 100 ? i : PER_TABLE + i, 256 + i % 7 * 512);
    singly = REWRITTEN(shape, pieces);
    take(at_once, pieces, 100);
    take(at_once, pieces + 100, 100);
    meter_converted_settle(at_once);
    assert_int_equal(at_once->packed->head.read_bytes, singly->packed->head.read_bytes);
    assert_int_equal(at_once->packed->end, singly->packed->end);
    assert_int_equal(at_once->packed->blob_off, singly->packed->blob_off);
    assert_int_equal(ways(at_once->packed, METER_BACKWARD).sum,
                     ways(singly->packed, METER_BACKWARD).sum);
    assert_int_equal(ways(at_once->packed, METER_FORWARD).sum,
                     ways(singly->packed, METER_FORWARD).sum);
    assert_int_equal(at_once->joined_reads, singly->joined_reads);
    meter_converted_free(at_once);
    meter_converted_free(singly);
}

/* Where the next one begins in its last sector, a blob's length is known. */
static void blobs_that_share_a_sector_are_taken_as_they_are(void **state)
{
    const struct meter_layout_shape shape = shape_of(1);
    struct meter_converted *converted = meter_converted_new(&shape);
    struct piece pieces[] = {blob(0, 0), blob(1, 0)};

    (void)state;
    pieces[0].begin = 10 * C + 100;
    pieces[0].end = 10 * C + 1024;
    pieces[1].begin = 10 * C + 1000;
    pieces[1].end = 10 * C + 2048;
    take(converted, pieces, 2);
    meter_converted_settle(converted);
    assert_int_equal(converted->packed->head.read_bytes, C + 900 + (1048 - 256));
    meter_converted_free(converted);
}

static void refcounts_of_one_bit_give_each_blob_a_cluster(void **state)
{
    const struct piece pieces[] = {blob(0, 1280), blob(1, 1280), blob(2, 1280)};
    struct meter_layout_shape shape = shape_of(1);
    struct meter_converted *converted;

    (void)state;
    shape.blobs_max = 1;
    converted = REWRITTEN(shape, pieces);
    goes(converted->packed, 0, 0, 2, 2 * (C - 1280));
    assert_int_equal(converted->packed->end, 4 * C);
    meter_converted_free(converted);
}

/* A cluster that is not compressed lies behind the one that blobs are put into. */
static void blobs_go_on_before_a_cluster(void **state)
{
    const struct piece pieces[] = {blob(0, 1280), data(1), blob(2, 1280)};
    struct meter_converted *converted = REWRITTEN(shape_of(1), pieces);

    (void)state;
    goes(converted->packed, 1, 2 * C - 1280, 1, C - 1280);
    goes(&converted->whole, 0, 0, 0, 0);
    meter_converted_free(converted);
}

static void reads_go_on_where_blobs_become_clusters(void **state)
{
    /* 15 | 16, where a request begins | 17 */
    const struct piece pieces[] = {data(14), blob(15, 512), blob(16, 512), data(17), data(19)};
    struct meter_converted *converted = REWRITTEN(shape_of(1), pieces);

    (void)state;
    assert_int_equal(converted->joined_reads, 2);
    meter_converted_free(converted);
}

/* 8 .. 71 in one batch, and 72 in the middle of a request. */
static void a_blob_behind_many_clusters_joins_their_read(void **state)
{
    const struct meter_layout_shape shape = shape_of(1);
    struct meter_converted *converted = meter_converted_new(&shape);
    struct piece_batch *batch = pieces_new_batch(C, 64);
    const struct piece next = blob(72, 512);

    (void)state;
    batch->uniform = true;
    batch->guest_first = 8 * C;
    batch->file = 0;
    memset(batch->breaks, 0, sizeof(batch->breaks));
    for (uint64_t i = 0; i < 64; i++)
        batch->begin[i] = (100 + i) * C;
    meter_converted_take(converted, batch);
    take(converted, &next, 1);
    meter_converted_settle(converted);
    assert_int_equal(converted->joined_reads, 1);
    free(batch);
    meter_converted_free(converted);
}

static void a_blob_is_read_again_where_it_will_be(void **state)
{
    const struct meter_layout_shape shape = shape_of(1);
    struct meter_converted *converted = meter_converted_new(&shape);
    struct piece_batch *batch = pieces_new_batch(C, 0);
    struct piece piece = blob(0, 9984);

    (void)state;
    batch->uniform = false;
    piece_batch_add(batch, &piece);
    piece_batch_read_again(batch, 0, piece.begin, piece.end);
    meter_converted_take(converted, batch);
    meter_converted_settle(converted);
    goes(converted->packed, 1, 9984, 0, 0);
    assert_int_equal(converted->packed->head.read_bytes, C + 2 * 9984);
    assert_int_equal(converted->whole.head.read_bytes, 2 * C);
    free(batch);
    meter_converted_free(converted);
}

/* ---- chains ---- */

/* Parts of a cluster from several layers: it is read as a whole. */
static void a_cluster_of_several_pieces_is_one(void **state)
{
    struct piece pieces[] = {data(0), data(1)};
    struct meter_layout_shape shape = shape_of(1);
    struct meter_converted *converted;

    (void)state;
    shape.alone = false;
    pieces[0].guest_bytes = 4 * KIB;
    pieces[1].guest_off = 8 * KIB;
    pieces[1].guest_bytes = 4 * KIB;
    pieces[1].file = 2;
    converted = REWRITTEN(shape, pieces);
    goes(&converted->whole, 0, 0, 0, 0);
    assert_int_equal(converted->whole.head.read_bytes, 2 * C);
    meter_converted_free(converted);
}

static void a_long_piece_has_tables_in_it(void **state)
{
    struct piece pieces[] = {data(0)};
    struct meter_layout_shape shape = small_slices(2);
    struct meter_converted *converted;

    (void)state;
    shape.alone = false;
    pieces[0].guest_bytes = UINT64_C(1) << 30;
    converted = REWRITTEN(shape, pieces);
    assert_int_equal(converted->whole.head.read_bytes, (UINT64_C(1) << 30) + 2 * C);
    assert_int_equal(ways(&converted->whole, METER_BACKWARD).count, 2 * 15);
    meter_converted_free(converted);
}

/* ---- merging ---- */

static void parts_of_whole_tables_make_the_whole(void **state)
{
    static struct piece pieces[40];
    const struct meter_layout_shape shape = small_slices(8);
    struct meter_converted *whole, *parts = meter_converted_new(&shape);

    (void)state;
    for (uint64_t i = 0; i < 40; i++)
        pieces[i] = data(i / 5 * PER_TABLE + i % 5 * 2 * PER_SLICE);
    whole = REWRITTEN(shape, pieces);
    for (size_t i = 0; i < 40; i += 10) {
        struct meter_converted *part = rewritten(shape, pieces + i, 10);

        meter_converted_join(parts, part);
        meter_converted_add_inner(parts, part, 1);
        meter_converted_free(part);
    }
    assert_int_equal(parts->whole.end, whole->whole.end);
    assert_int_equal(parts->whole.head.read_bytes, whole->whole.head.read_bytes);
    goes(&parts->whole, ways(&whole->whole, METER_BACKWARD).count,
         (uint64_t)ways(&whole->whole, METER_BACKWARD).sum,
         ways(&whole->whole, METER_FORWARD).count,
         (uint64_t)ways(&whole->whole, METER_FORWARD).sum);
    meter_converted_free(whole);
    meter_converted_free(parts);
}

/* The parts do not know how full the cluster of blobs is, but the merge makes up for it. */
static void small_blobs_in_many_parts_cost_about_the_same(void **state)
{
    static struct piece pieces[64];
    const struct meter_layout_shape shape = shape_of(64);
    struct meter_converted *whole, *parts = meter_converted_new(&shape);
    struct meter_jump_total expected, found;

    (void)state;
    for (uint64_t i = 0; i < 64; i++)
        pieces[i] = blob(i * PER_TABLE, 256);
    whole = REWRITTEN(shape, pieces);
    for (size_t i = 0; i < 64; i += 4) {
        struct meter_converted *part = rewritten(shape, pieces + i, 4);

        meter_converted_join(parts, part);
        meter_converted_add_inner(parts, part, 1);
        meter_converted_free(part);
    }
    expected = ways(whole->packed, METER_BACKWARD);
    found = ways(parts->packed, METER_BACKWARD);
    assert_int_equal(found.count, expected.count);
    assert_int_equal(parts->packed->head.read_bytes, whole->packed->head.read_bytes);
    /* Ways forward that are longer than what is read over cost the same however long they are. */
    found = ways(parts->packed, METER_FORWARD);
    assert_true(found.sum > 40 * UINT64_C(600000));
    meter_converted_free(whole);
    meter_converted_free(parts);
}

static void a_cleared_one_is_new(void **state)
{
    const struct piece pieces[] = {blob(0, 1280), data(PER_TABLE)};
    struct meter_converted *converted = REWRITTEN(shape_of(2), pieces);

    (void)state;
    meter_converted_clear(converted);
    take(converted, &pieces[1], 1);
    meter_converted_settle(converted);
    assert_null(converted->packed);
    assert_int_equal(converted->whole.end, 2 * C);
    assert_int_equal(converted->whole.head.read_bytes, 2 * C);
    goes(&converted->whole, 0, 0, 0, 0);
    meter_converted_free(converted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_first_no_cluster_can_be_filled_up),
        cmocka_unit_test(a_table_and_its_data_lie_one_behind_the_other),
        cmocka_unit_test(a_small_slice_costs_a_way_back_and_one_there),
        cmocka_unit_test(slices_behind_the_end_of_the_disk_are_not_read),
        cmocka_unit_test(slices_before_the_part_that_is_walked_are_not_read),
        cmocka_unit_test(uniform_batches_are_the_same_as_their_pieces),
        cmocka_unit_test(missing_parts_are_gaps_but_for_those_behind_the_last_data),
        cmocka_unit_test(blobs_go_on_before_a_table),
        cmocka_unit_test(a_blob_that_does_not_fit_goes_behind_the_table),
        cmocka_unit_test(a_blob_may_lie_in_two_clusters_that_follow),
        cmocka_unit_test(many_blobs_at_once_are_the_same),
        cmocka_unit_test(blobs_that_share_a_sector_are_taken_as_they_are),
        cmocka_unit_test(refcounts_of_one_bit_give_each_blob_a_cluster),
        cmocka_unit_test(blobs_go_on_before_a_cluster),
        cmocka_unit_test(reads_go_on_where_blobs_become_clusters),
        cmocka_unit_test(a_blob_behind_many_clusters_joins_their_read),
        cmocka_unit_test(a_blob_is_read_again_where_it_will_be),
        cmocka_unit_test(a_cluster_of_several_pieces_is_one),
        cmocka_unit_test(a_long_piece_has_tables_in_it),
        cmocka_unit_test(parts_of_whole_tables_make_the_whole),
        cmocka_unit_test(small_blobs_in_many_parts_cost_about_the_same),
        cmocka_unit_test(a_cleared_one_is_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
