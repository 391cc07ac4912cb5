// SPDX-License-Identifier: MIT
/* The meters of one walk: each sees what it would see by itself, in one part or in several. */
#include "pair.h"

#include "converted.h"
#include "pieces.h"
#include "same_meter.h"
#include "stage.h"

#include <errno.h>

#define C UINT64_C(65536)
#define PER_TABLE (UINT64_C(1) << 13)
#define TABLES 3
#define PER_BATCH 20

static const struct meter_defragged_shape order = {C, true, 1, 65535};
static const struct meter_layout_shape shape = {.cluster_bytes = C,
                                                .part_bytes = C,
                                                .slice_bytes = C,
                                                .slice_bits = 29,
                                                .l2_bits = 29,
                                                .end = (uint64_t)TABLES << 29,
                                                .blobs_max = UINT16_MAX,
                                                .alone = true};

/* ---- a stage that puts everything behind a gigabyte, in another file ---- */

static int refuses; /* what it returns, if that is not 0 */

static int move(void *state, const struct piece_batch *batch, struct piece_sink sink)
{
    struct piece_batch *moved = pieces_new_batch(C, 0);
    int ret;

    assert_ptr_equal(state, &refuses);
    moved->uniform = false;
    for (uint32_t i = 0; i < batch->n; i++) {
        struct piece piece = piece_batch_piece(batch, i);

        piece.begin = 2 * piece.begin + (UINT64_C(1) << 30);
        piece.end = piece.begin + C;
        piece.file = 1;
        piece_batch_add(moved, &piece);
    }
    ret = sink.take(sink.context, moved);
    free(moved);
    return refuses != 0 ? refuses : ret;
}

static const struct piece_stage stage = {.n_files = 2, .unit_bytes = C, .take = move};

/* ---- three tables of data ---- */

static struct piece piece_of(uint64_t table, uint64_t i)
{
    uint64_t at = (table * PER_BATCH + i) * 7 % 64 * C;

    return (struct piece){.kind = PIECE_DATA,
                          .guest_off = (table * PER_TABLE + 3 * i) * C,
                          .guest_bytes = C,
                          .begin = at,
                          .end = at + C,
                          .mapped_bytes = C};
}

static struct piece_batch *batch_of(uint64_t table)
{
    struct piece_batch *batch = pieces_new_batch(C, 0);

    batch->uniform = false;
    for (uint64_t i = 0; i < PER_BATCH; i++) {
        struct piece piece = piece_of(table, i);

        piece_batch_add(batch, &piece);
    }
    return batch;
}

static struct meter_pair new_pair(bool staged, bool rewritten)
{
    const struct meter_pair_wanted wanted = {.stage = staged ? &stage : NULL,
                                             .converted = rewritten ? &shape : NULL,
                                             .defragged = rewritten ? &order : NULL};
    struct meter_pair pair;

    assert_int_equal(meter_pair_init(&pair, C, 1, &wanted), 0);
    assert_non_null(pair.plain);
    assert_int_equal(pair.staged != NULL, staged);
    assert_int_equal(pair.converted != NULL, rewritten);
    assert_int_equal(pair.defragged != NULL, rewritten);
    return pair;
}

static void take(struct meter_pair *pair, uint64_t table)
{
    struct piece_batch *batch = batch_of(table);

    assert_int_equal(meter_pair_take(pair, pair->staged != NULL ? &stage : NULL, &refuses, batch),
                     0);
    meter_pair_settle(pair);
    assert_null(pair->plain->tally); /* nor has any other its room for jumps */
    assert_true(pair->staged == NULL || pair->staged->tally == NULL);
    free(batch);
}

/* The same by hand. */
static void expect(const struct meter_pair *pair, const uint64_t *tables, size_t n)
{
    struct meter *plain = meter_new(C, 1), *staged = meter_new(C, 2);
    struct meter_converted *rewrite = meter_converted_new(&shape);

    for (size_t i = 0; i < n; i++) {
        struct piece_batch *batch = batch_of(tables[i]);

        meter_take(plain, batch);
        meter_converted_take(rewrite, batch);
        meter_converted_settle(rewrite);
        for (uint64_t k = 0; k < PER_BATCH; k++) {
            struct piece piece = piece_of(tables[i], k);

            piece.begin = 2 * piece.begin + (UINT64_C(1) << 30);
            piece.end = piece.begin + C;
            piece.file = 1;
            pieces_take(staged, &piece, 1);
        }
        free(batch);
    }
    meter_settle(plain);
    meter_settle(staged);
    assert_same_meter(pair->plain, plain);
    if (pair->staged != NULL)
        assert_same_meter(pair->staged, staged);
    if (pair->converted != NULL) {
        assert_int_equal(pair->converted->whole.end, rewrite->whole.end);
        assert_same_head(&pair->converted->whole.head, &rewrite->whole.head);
        assert_int_equal(pair->defragged->end[METER_REGION_DATA], n * PER_BATCH * C);
        assert_int_equal(pair->defragged->read_bytes, n * PER_BATCH * C);
        assert_int_equal(pair->defragged->at.off, n * PER_BATCH * C);
    }
    assert_int_equal(meter_pair_error(pair), 0);
    meter_free(plain);
    meter_free(staged);
    meter_converted_free(rewrite);
}

static void each_sees_what_it_would_see_by_itself(void **state)
{
    static const uint64_t tables[] = {0, 1, 2};

    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct meter_pair pair = new_pair(kind & 1, kind & 2);

        for (uint64_t table = 0; table < TABLES; table++)
            take(&pair, table);
        expect(&pair, tables, 3);
        meter_pair_clear(&pair);
        expect(&pair, NULL, 0);
        take(&pair, 1);
        expect(&pair, &tables[1], 1);
        meter_pair_free(&pair);
        assert_null(pair.plain);
    }
}

static void parts_make_the_whole(void **state)
{
    static const uint64_t tables[] = {0, 1, 2};

    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct meter_pair left = new_pair(kind & 1, kind & 2), right = new_pair(kind & 1, kind & 2);

        take(&left, 0);
        take(&right, 1);
        take(&right, 2);
        meter_pair_merge(&left, &right);
        expect(&left, tables, 3);
        meter_pair_free(&left);
        meter_pair_free(&right);
    }
}

/* A table that is named twice is walked once. */
static void one_part_can_follow_at_two_places(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct meter_pair once = new_pair(kind & 1, kind & 2), part = new_pair(kind & 1, kind & 2),
                          whole = new_pair(kind & 1, kind & 2);

        take(&once, 0);
        take(&part, 1);
        take(&whole, 0);
        meter_pair_merge(&whole, &part);
        meter_pair_merge(&whole, &part);
        meter_pair_join(&once, &part, 0);
        meter_pair_join(&once, &part, 0);
        meter_pair_add_inner(&once, &part, 2);
        assert_same_meter(once.plain, whole.plain);
        if (kind & 1)
            assert_same_meter(once.staged, whole.staged);
        if (kind & 2)
            assert_same_head(&once.converted->whole.head, &whole.converted->whole.head);
        meter_pair_free(&once);
        meter_pair_free(&part);
        meter_pair_free(&whole);
    }
}

static void what_the_stage_returns_is_returned(void **state)
{
    struct meter_pair pair = new_pair(true, false);
    struct piece_batch *batch = batch_of(0);

    (void)state;
    refuses = -ECANCELED;
    assert_int_equal(meter_pair_take(&pair, &stage, &refuses, batch), -ECANCELED);
    refuses = 0;
    free(batch);
    meter_pair_free(&pair);
}

static void whichever_has_run_out_of_memory_is_told(void **state)
{
    struct meter_pair pair = new_pair(true, true);

    (void)state;
    assert_int_equal(meter_pair_error(&pair), 0);
    pair.converted->error = -ENOMEM;
    assert_int_equal(meter_pair_error(&pair), -ENOMEM);
    pair.converted->error = 0;
    pair.defragged->ways[METER_FORWARD].error = -ENOMEM;
    assert_int_equal(meter_pair_error(&pair), -ENOMEM);
    pair.defragged->ways[METER_FORWARD].error = 0;
    pair.plain->lengths.error = -ENOMEM;
    assert_int_equal(meter_pair_error(&pair), -ENOMEM);
    pair.plain->lengths.error = 0;
    pair.staged->lengths.error = -ENOMEM;
    assert_int_equal(meter_pair_error(&pair), -ENOMEM);
    pair.staged->lengths.error = 0;
    meter_pair_free(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sees_what_it_would_see_by_itself),
        cmocka_unit_test(parts_make_the_whole),
        cmocka_unit_test(one_part_can_follow_at_two_places),
        cmocka_unit_test(what_the_stage_returns_is_returned),
        cmocka_unit_test(whichever_has_run_out_of_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
