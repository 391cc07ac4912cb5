// SPDX-License-Identifier: MIT
/*
 * Where defrag would put things, and the way of a head that reads them: worked out by hand for a
 * few pieces each. What it really writes is in cli/promise.bats.
 */
#include "defragged.h"

#include "pieces.h"

#include <inttypes.h>

#define C UINT64_C(65536)
#define KIB UINT64_C(1024)
#define PER_TABLE UINT64_C(8192)
#define TABLE_OFF(n) ((1000 + 3 * (uint64_t)(n)) * C) /* wherever it lies now */

static const struct meter_defragged_shape in_front = {C, true, 1, 65535};
static const struct meter_defragged_shape among = {C, false, 1, 65535};

static struct piece data(uint64_t guest)
{
    return pieces_data(C, guest);
}

/* Whose last sector nobody else is known to be in. */
static struct piece blob(uint64_t guest, uint64_t sectors)
{
    struct piece piece = data(guest);

    piece.kind = PIECE_COMPRESSED;
    piece.end = piece.begin + 512 * sectors;
    return piece;
}

/* Reads table @table, from byte @at of it on, then pieces. */
static void take(struct meter_defragged *defragged, unsigned table, uint64_t at, uint64_t bytes,
                 const struct piece *pieces, size_t n)
{
    struct piece_batch *batch = pieces_new_batch(C, 0);

    batch->uniform = false;
    batch->l2_off = TABLE_OFF(table) + at;
    batch->l2_bytes = bytes;
    for (size_t i = 0; i < n; i++)
        piece_batch_add(batch, &pieces[i]);
    meter_defragged_take(defragged, batch);
    free(batch);
}

#define TAKE(defragged, table, ...)                                                                \
    take((defragged), (table), 0, C, (const struct piece[]){__VA_ARGS__},                          \
         sizeof((const struct piece[]){__VA_ARGS__}) / sizeof(struct piece))

static struct meter_defragged *new_one(const struct meter_defragged_shape *shape)
{
    struct meter_defragged *defragged = meter_defragged_new(shape);

    assert_non_null(defragged);
    return defragged;
}

static uint64_t apart(unsigned __int128 a, uint64_t b)
{
    return a > b ? (uint64_t)(a - b) : (uint64_t)(b - a);
}

/* So many ways, and their length in all, with so much in front. */
static void goes(const struct meter_defragged *defragged, uint64_t front_bytes, uint64_t back,
                 uint64_t back_bytes, uint64_t forward, uint64_t forward_bytes)
{
    struct meter_jumps jumps[METER_N_DIRECTIONS] = {0};
    struct meter_jump_total backward, ahead;

    meter_defragged_pour(defragged, front_bytes, jumps);
    backward = meter_jumps_total(&jumps[METER_BACKWARD]);
    ahead = meter_jumps_total(&jumps[METER_FORWARD]);
    if (backward.count != back || backward.sum != back_bytes || ahead.count != forward ||
        ahead.sum != forward_bytes)
        fail_msg("%" PRIu64 " back over %" PRIu64 ", %" PRIu64 " forward over %" PRIu64,
                 backward.count, (uint64_t)backward.sum, ahead.count, (uint64_t)ahead.sum);
    assert_int_equal(meter_defragged_error(defragged), 0);
}

/* ---- tables in front ---- */

static void one_table_lies_right_before_the_data(void **state)
{
    struct meter_defragged *defragged = new_one(&in_front);

    (void)state;
    TAKE(defragged, 0, data(3), data(4), data(900));
    goes(defragged, C, 0, 0, 1, 0); /* a way of no bytes */
    assert_int_equal(defragged->read_bytes, 4 * C);
    meter_defragged_free(defragged);
}

/* table 0, table 1, table 2 | 2 clusters, 1 cluster */
static void the_head_goes_back_for_each_table(void **state)
{
    struct meter_defragged *defragged = new_one(&in_front);

    (void)state;
    TAKE(defragged, 0, data(0), data(1));
    take(defragged, 1, 0, C, NULL, 0);
    TAKE(defragged, 2, data(2 * PER_TABLE));
    goes(defragged, 3 * C, 1, 5 * C - C, 2, 2 * C + 2 * C);
    assert_int_equal(defragged->end[METER_REGION_L2], 3 * C);
    assert_int_equal(defragged->end[METER_REGION_DATA], 3 * C);
    meter_defragged_free(defragged);
}

static void and_for_each_slice_of_it(void **state)
{
    struct meter_defragged *defragged = new_one(&in_front);
    const struct piece first = data(0), second = data(600);

    (void)state;
    take(defragged, 0, 0, 4 * KIB, &first, 1);
    take(defragged, 0, 4 * KIB, 4 * KIB, &second, 1);
    goes(defragged, C, 1, 2 * C - 4 * KIB, 2, (C - 4 * KIB) + (2 * C - 8 * KIB));
    assert_int_equal(defragged->end[METER_REGION_L2], C);
    meter_defragged_free(defragged);
}

/* ---- tables among the data ---- */

static void each_table_lies_before_what_it_maps(void **state)
{
    struct meter_defragged *defragged = new_one(&among);

    (void)state;
    TAKE(defragged, 0, data(0), data(1));
    TAKE(defragged, 1, data(PER_TABLE));
    goes(defragged, 0, 0, 0, 0, 0);
    assert_int_equal(defragged->end[METER_REGION_DATA], 5 * C);
    meter_defragged_free(defragged);
}

static void a_table_does_not_lie_among_blobs(void **state)
{
    struct meter_defragged *defragged = new_one(&among);

    (void)state;
    TAKE(defragged, 0, blob(0, 3), blob(1, 4));
    TAKE(defragged, 1, blob(PER_TABLE, 3));
    goes(defragged, 0, 0, 0, 1, C - (3 * 512 - 256 + 4 * 512) - 256);
    meter_defragged_free(defragged);
}

/* ---- clusters and blobs ---- */

static void uniform_batches_are_the_same_as_their_pieces(void **state)
{
    static struct piece pieces[64];
    struct meter_defragged *one = new_one(&in_front), *many = new_one(&in_front);
    struct piece_batch *batch = pieces_new_batch(C, 64);

    (void)state;
    for (uint64_t i = 0; i < 64; i++)
        pieces[i] = data(i);
    take(many, 0, 0, C, pieces, 64);
    batch->uniform = true;
    batch->guest_first = 0;
    batch->l2_off = TABLE_OFF(0);
    batch->l2_bytes = C;
    meter_defragged_take(one, batch);
    goes(one, C, 0, 0, 1, 0);
    goes(many, C, 0, 0, 1, 0);
    assert_int_equal(one->read_bytes, 65 * C);
    assert_int_equal(many->read_bytes, 65 * C);
    assert_int_equal(one->end[METER_REGION_DATA], 64 * C);
    free(batch);
    meter_defragged_free(one);
    meter_defragged_free(many);
}

static void what_is_missing_in_a_cluster_is_a_gap(void **state)
{
    struct meter_defragged *defragged = new_one(&in_front);
    struct piece pieces[] = {data(0), data(1)};

    (void)state;
    pieces[0].missing = ~UINT32_C(0x00000303); /* parts 0, 1, 8, 9 */
    pieces[1].missing = ~UINT32_C(0x00000010); /* part 4 */
    take(defragged, 0, 0, C, pieces, 2);
    goes(defragged, C, 0, 0, 3, 6 * 2 * KIB + (22 + 4) * 2 * KIB);
    assert_int_equal(defragged->read_bytes, C + 5 * 2 * KIB);
    meter_defragged_free(defragged);
}

/* Three in the order of the file, of which the second was left out since; then others. */
static void lengths_of_blobs_are_told_by_what_follows(void **state)
{
    struct meter_defragged *defragged = new_one(&in_front);
    struct piece pieces[] = {blob(0, 2), blob(1, 3), blob(2, 5), blob(3, 1), blob(4, 7)};

    (void)state;
    pieces[1].begin = pieces[0].begin + 1000; /* in its last sector: it is 1000 long */
    pieces[1].end = pieces[0].begin + 3 * 512;
    pieces[2].begin = pieces[1].end + 700;     /* not far behind it: 536 */
    pieces[2].end = pieces[2].begin + 5 * 512; /* elsewhere: 256 less */
    pieces[3].begin = C;                       /* further back, too */
    pieces[3].end = C + 200;                   /* less than it may be too long: 200 */
    take(defragged, 0, 0, 0, pieces, 5);
    assert_int_equal(defragged->end[METER_REGION_DATA], 1000 + 536 + (2560 - 256) + 200 + 7 * 512);
    meter_defragged_free(defragged);
}

static void blobs_are_read_by_sectors_each_once(void **state)
{
    struct meter_defragged *defragged = new_one(&in_front);
    struct piece pieces[] = {blob(0, 2), blob(1, 3), data(2), blob(3, 1)};

    (void)state;
    pieces[1].begin = pieces[0].begin + 1000;
    pieces[1].end = pieces[0].begin + 2000;
    take(defragged, 0, 0, C, pieces, 4);
    goes(defragged, C, 0, 0, 2, 0 + (C - 2048));
    assert_int_equal(defragged->read_bytes, C + 2048 + C + 512);
    meter_defragged_free(defragged);
}

static void blobs_of_several_batches_go_on(void **state)
{
    struct meter_defragged *defragged = new_one(&in_front);
    const struct piece first = blob(0, 3), second = blob(1, 3);

    (void)state;
    take(defragged, 0, 0, C, &first, 1);
    take(defragged, 0, 0, 0, &second, 1);
    goes(defragged, C, 0, 0, 1, 0);
    assert_int_equal(defragged->read_bytes, C + 6 * 512);
    meter_defragged_free(defragged);
}

static void refcounts_of_one_bit_give_each_blob_a_cluster(void **state)
{
    const struct meter_defragged_shape shape = {C, true, 1, 1};
    struct meter_defragged *defragged = new_one(&shape);

    (void)state;
    TAKE(defragged, 0, blob(0, 2), blob(1, 2), data(2));
    goes(defragged, C, 0, 0, 3, (C - 1024 + 256 - 256) + (C - 1024));
    assert_int_equal(defragged->end[METER_REGION_DATA], 3 * C);
    meter_defragged_free(defragged);
}

static void snapshots_may_have_the_blobs_too(void **state)
{
    const struct meter_defragged_shape shape = {C, true, 2, 5};
    struct meter_defragged *defragged = new_one(&shape);
    struct piece pieces[] = {blob(0, 2), blob(1, 2), blob(2, 2)};

    (void)state;
    for (unsigned i = 1; i < 3; i++) { /* byte behind byte */
        pieces[i].begin = pieces[i - 1].end;
        pieces[i].end = pieces[i].begin + 1024;
    }
    take(defragged, 0, 0, C, pieces, 3);
    assert_int_equal(defragged->end[METER_REGION_DATA], C + 1024);
    meter_defragged_free(defragged);
}

static void a_blob_is_read_again_where_it_will_be(void **state)
{
    struct meter_defragged *defragged = new_one(&in_front);
    struct piece_batch *batch = pieces_new_batch(C, 0);
    struct piece piece = blob(0, 20);

    (void)state;
    batch->uniform = false;
    piece_batch_add(batch, &piece);
    piece_batch_read_again(batch, 0, piece.begin, piece.end);
    meter_defragged_take(defragged, batch);
    goes(defragged, 0, 1, 20 * 512, 0, 0);
    assert_int_equal(defragged->read_bytes, 2 * 20 * 512);
    free(batch);
    meter_defragged_free(defragged);
}

/* ---- merging ---- */

#define N_TABLES 9

/* Table @number of a disk that has some of everything, in whole sectors. */
static void take_some(struct meter_defragged *defragged, unsigned number)
{
    struct piece pieces[12];
    unsigned n = 0;

    for (unsigned i = 0; i < 12; i++) {
        uint64_t guest = number * PER_TABLE + i;
        bool compressed = number % 3 == 1 || (number % 3 == 2 && i < 5);

        if (number == 4 && i > 2)
            break;
        pieces[n] = compressed ? blob(guest, 3 + number + i) : data(guest);
        if (compressed && n > 0) { /* they end where sectors do */
            uint64_t bytes = pieces[n].end - pieces[n].begin;

            pieces[n].begin = pieces[n - 1].end;
            pieces[n].end = pieces[n].begin + bytes;
        }
        n++;
    }
    take(defragged, number, 0, C, pieces, number == 6 ? 0 : n);
}

/*
 * Wherever it is cut, and into whatever parts. What is moved in a bin is moved as a whole; and the
 * way to blobs that are found to go on, twice here, as far as what lies behind them.
 */
static void parts_make_the_whole(void **state)
{
    const struct meter_defragged_shape *shapes[] = {&in_front, &among};

    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        struct meter_defragged *whole = new_one(shapes[k]);
        struct meter_jumps jumps[METER_N_DIRECTIONS] = {0};
        struct meter_jump_total totals[METER_N_DIRECTIONS];

        for (unsigned i = 0; i < N_TABLES; i++)
            take_some(whole, i);
        meter_defragged_pour(whole, N_TABLES * C, jumps);
        for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
            totals[i] = meter_jumps_total(&jumps[i]);
        for (unsigned cut = 1; cut < N_TABLES; cut++) {
            struct meter_defragged *left = new_one(shapes[k]);

            for (unsigned i = 0; i < N_TABLES;) {
                struct meter_defragged *right = new_one(shapes[k]);

                for (unsigned end = i + cut; i < N_TABLES && i < end; i++)
                    take_some(right, i);
                meter_defragged_join(left, right);
                meter_defragged_add_inner(left, right, 1);
                meter_defragged_free(right);
            }
            assert_int_equal(left->read_bytes, whole->read_bytes);
            assert_int_equal(left->end[METER_REGION_L2], whole->end[METER_REGION_L2]);
            assert_int_equal(left->end[METER_REGION_DATA], whole->end[METER_REGION_DATA]);
            assert_int_equal(left->at.region, whole->at.region);
            assert_int_equal(left->at.off, whole->at.off);
            assert_int_equal(left->blobs_open, whole->blobs_open);
            memset(jumps, 0, sizeof(jumps));
            meter_defragged_pour(left, N_TABLES * C, jumps);
            for (unsigned i = 0; i < METER_N_DIRECTIONS; i++) {
                struct meter_jump_total total = meter_jumps_total(&jumps[i]);

                assert_int_equal(total.count, totals[i].count);
                assert_true(apart(total.sum, (uint64_t)totals[i].sum) < 2 * C);
            }
            meter_defragged_free(left);
        }
        meter_defragged_free(whole);
    }
}

static void what_follows_nothing_is_the_same(void **state)
{
    struct meter_defragged *left = new_one(&in_front), *right = new_one(&in_front);

    (void)state;
    meter_defragged_join(left, right);
    assert_false(left->any);
    TAKE(right, 0, data(0), data(1));
    meter_defragged_join(left, right);
    meter_defragged_add_inner(left, right, 1);
    goes(left, C, 0, 0, 1, 0);
    assert_int_equal(left->read_bytes, 3 * C);
    meter_defragged_clear(left);
    assert_false(left->any);
    goes(left, C, 0, 0, 0, 0);
    assert_int_equal(left->shape.cluster_bytes, C);
    meter_defragged_free(left);
    meter_defragged_free(right);
}

static void a_lack_of_memory_is_told(void **state)
{
    struct meter_defragged *defragged = new_one(&in_front), *whole = new_one(&in_front);

    (void)state;
    defragged->between[METER_FORWARD][1].error = -12;
    assert_int_equal(meter_defragged_error(defragged), -12);
    meter_defragged_add_inner(whole, defragged, 1);
    assert_int_equal(meter_defragged_error(whole), -12);
    defragged->between[METER_FORWARD][1].error = 0;
    defragged->ways[METER_FORWARD].error = -12;
    assert_int_equal(meter_defragged_error(defragged), -12);
    meter_defragged_free(defragged);
    meter_defragged_free(whole);
    meter_defragged_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_table_lies_right_before_the_data),
        cmocka_unit_test(the_head_goes_back_for_each_table),
        cmocka_unit_test(and_for_each_slice_of_it),
        cmocka_unit_test(each_table_lies_before_what_it_maps),
        cmocka_unit_test(a_table_does_not_lie_among_blobs),
        cmocka_unit_test(uniform_batches_are_the_same_as_their_pieces),
        cmocka_unit_test(what_is_missing_in_a_cluster_is_a_gap),
        cmocka_unit_test(lengths_of_blobs_are_told_by_what_follows),
        cmocka_unit_test(blobs_are_read_by_sectors_each_once),
        cmocka_unit_test(blobs_of_several_batches_go_on),
        cmocka_unit_test(refcounts_of_one_bit_give_each_blob_a_cluster),
        cmocka_unit_test(snapshots_may_have_the_blobs_too),
        cmocka_unit_test(a_blob_is_read_again_where_it_will_be),
        cmocka_unit_test(parts_make_the_whole),
        cmocka_unit_test(what_follows_nothing_is_the_same),
        cmocka_unit_test(a_lack_of_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
