// SPDX-License-Identifier: MIT
/* The meters of one walk: each sees what it would see by itself, in one part or in several. */
#include "set.h"

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

static struct meter_set new_set(bool staged, bool rewritten)
{
    const struct meter_set_wanted wanted = {.stage = staged ? &stage : NULL,
                                            .converted = rewritten ? &shape : NULL,
                                            .defragged = rewritten ? &order : NULL};
    struct meter_set set;

    assert_int_equal(meter_set_init(&set, C, 1, &wanted), 0);
    assert_non_null(set.plain);
    assert_int_equal(set.staged != NULL, staged);
    assert_int_equal(set.converted != NULL, rewritten);
    assert_int_equal(set.defragged != NULL, rewritten);
    return set;
}

static void take(struct meter_set *set, uint64_t table)
{
    struct piece_batch *batch = batch_of(table);

    assert_int_equal(meter_set_take(set, set->staged != NULL ? &stage : NULL, &refuses, batch), 0);
    meter_set_settle(set);
    assert_null(set->plain->tally); /* nor has any other its room for jumps */
    assert_true(set->staged == NULL || set->staged->tally == NULL);
    free(batch);
}

/* The same by hand. */
static void expect(const struct meter_set *set, const uint64_t *tables, size_t n)
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
    assert_same_meter(set->plain, plain);
    if (set->staged != NULL)
        assert_same_meter(set->staged, staged);
    if (set->converted != NULL) {
        assert_int_equal(set->converted->whole.end, rewrite->whole.end);
        assert_same_head(&set->converted->whole.head, &rewrite->whole.head);
        assert_int_equal(set->defragged->end[METER_REGION_DATA], n * PER_BATCH * C);
        assert_int_equal(set->defragged->read_bytes, n * PER_BATCH * C);
        assert_int_equal(set->defragged->at.off, n * PER_BATCH * C);
    }
    assert_int_equal(meter_set_error(set), 0);
    meter_free(plain);
    meter_free(staged);
    meter_converted_free(rewrite);
}

static void each_sees_what_it_would_see_by_itself(void **state)
{
    static const uint64_t tables[] = {0, 1, 2};

    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct meter_set set = new_set(kind & 1, kind & 2);

        for (uint64_t table = 0; table < TABLES; table++)
            take(&set, table);
        expect(&set, tables, 3);
        meter_set_clear(&set);
        expect(&set, NULL, 0);
        take(&set, 1);
        expect(&set, &tables[1], 1);
        meter_set_free(&set);
        assert_null(set.plain);
    }
}

static void parts_make_the_whole(void **state)
{
    static const uint64_t tables[] = {0, 1, 2};

    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct meter_set left = new_set(kind & 1, kind & 2), right = new_set(kind & 1, kind & 2);

        take(&left, 0);
        take(&right, 1);
        take(&right, 2);
        meter_set_merge(&left, &right);
        expect(&left, tables, 3);
        meter_set_free(&left);
        meter_set_free(&right);
    }
}

/* A table that is named twice is walked once. */
static void one_part_can_follow_at_two_places(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct meter_set once = new_set(kind & 1, kind & 2), part = new_set(kind & 1, kind & 2),
                         whole = new_set(kind & 1, kind & 2);

        take(&once, 0);
        take(&part, 1);
        take(&whole, 0);
        meter_set_merge(&whole, &part);
        meter_set_merge(&whole, &part);
        meter_set_join(&once, &part, 0);
        meter_set_join(&once, &part, 0);
        meter_set_add_inner(&once, &part, 2);
        assert_same_meter(once.plain, whole.plain);
        if (kind & 1)
            assert_same_meter(once.staged, whole.staged);
        if (kind & 2)
            assert_same_head(&once.converted->whole.head, &whole.converted->whole.head);
        meter_set_free(&once);
        meter_set_free(&part);
        meter_set_free(&whole);
    }
}

static void what_the_stage_returns_is_returned(void **state)
{
    struct meter_set set = new_set(true, false);
    struct piece_batch *batch = batch_of(0);

    (void)state;
    refuses = -ECANCELED;
    assert_int_equal(meter_set_take(&set, &stage, &refuses, batch), -ECANCELED);
    refuses = 0;
    free(batch);
    meter_set_free(&set);
}

static void whichever_has_run_out_of_memory_is_told(void **state)
{
    struct meter_set set = new_set(true, true);

    (void)state;
    assert_int_equal(meter_set_error(&set), 0);
    set.converted->error = -ENOMEM;
    assert_int_equal(meter_set_error(&set), -ENOMEM);
    set.converted->error = 0;
    set.defragged->ways[METER_FORWARD].error = -ENOMEM;
    assert_int_equal(meter_set_error(&set), -ENOMEM);
    set.defragged->ways[METER_FORWARD].error = 0;
    set.plain->lengths.error = -ENOMEM;
    assert_int_equal(meter_set_error(&set), -ENOMEM);
    set.plain->lengths.error = 0;
    set.staged->lengths.error = -ENOMEM;
    assert_int_equal(meter_set_error(&set), -ENOMEM);
    set.staged->lengths.error = 0;
    meter_set_free(&set);
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
