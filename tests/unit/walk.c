// SPDX-License-Identifier: MIT
/*
 * Proves that walking several tables at once, in parts, by any number of threads, gives to the last
 * bit what each table gives alone, piece by piece; and that trouble in any part is passed on.
 */
#include "walk.h"

#include "dice.h"
#include "pieces.h"
#include "same_meter.h"
#include "small_image.h"
#include "workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COPIED FORMAT_ENTRY_COPIED
#define CLUSTER UINT64_C(65536) /* 8,192 entries a table, 512 MiB of the guest */
#define SPAN (8192 * CLUSTER)
#define FILE_BYTES (UINT64_C(1) << 45)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct walk_options alone = {.workers = NULL};

static void walk(struct small_image *small, struct tables_table *tables, size_t n,
                 struct meter_set *meters, const struct walk_options *options)
{
    struct err err = {0};

    if (walk_tables(&small->image, tables, n, meters, options, &err) < 0)
        fail_msg("%s", err.text);
}

static void release(struct tables_table *tables, struct meter_set *meters, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        format_findings_free(&tables[i].findings);
        meter_set_free(&meters[i]);
    }
}

/* As the caller fills it. */
static struct tables_table again(const struct tables_table *table)
{
    struct tables_table fresh = *table;

    memset(&fresh.counts, 0, sizeof(fresh.counts));
    memset(&fresh.findings, 0, sizeof(fresh.findings));
    return fresh;
}

/* ---- the pieces themselves ---- */

static int take_each(void *context, const struct piece_batch *batch)
{
    if (batch->l2_bytes > 0)
        pieces_take_table(context, batch->l2_file, batch->l2_off, batch->l2_bytes);
    for (uint32_t i = 0; i < batch->n; i++) {
        struct piece piece = piece_batch_piece(batch, i);

        pieces_take(context, &piece, 1);
    }
    return 0;
}

static struct piece_sink begin(void *context, struct tables_members members, size_t keep)
{
    (void)members;
    (void)keep;
    return (struct piece_sink){take_each, context};
}

/* One table, its pieces one by one into one meter: no sharing, no merging, no parts. */
static struct meter *metered_piece_by_piece(struct small_image *small, struct tables_table *table)
{
    struct meter *meter = meter_new(small->cluster_bytes, PIECE_N_FILES);
    struct tables_visitor visitor = {.context = meter, .begin = begin};
    struct err err = {0};

    assert_int_equal(tables_scan(&small->image, table, 1, &visitor, &err), 0);
    return meter;
}

static void assert_same_findings(const struct format_findings *a, const struct format_findings *b)
{
    assert_int_equal(a->total, b->total);
    assert_int_equal(a->n_list, b->n_list);
    for (size_t i = 0; i < a->n_list; i++) {
        assert_string_equal(a->list[i].where, b->list[i].where);
        assert_string_equal(a->list[i].message, b->list[i].message);
    }
}

/* ---- a large image of which little is stored ---- */

#define N_TABLES 4
#define N_INDICES 1500 /* 93 MiB of L2 tables: cut into many parts */
#define N_STORED 90
#define FIRST_L2 (2 + N_TABLES)

/* Two stretches of data, with breaks, zeros and damage here and there. */
static void fill_l2(struct small_image *small, uint64_t l2, struct dice *dice)
{
    uint64_t host = 1000 + dice_below(dice, 1u << 20);
    uint32_t gap = (uint32_t)dice_below(dice, 7500);

    for (uint32_t i = 0; i < 300; i++) {
        uint32_t index = i < 200 ? i : gap + i;

        host = dice_once_in(dice, 4) ? 1000 + dice_below(dice, 1u << 28) : host + 1;
        if (!dice_once_in(dice, 40))
            small_image_l2(small, l2, index, COPIED | host * CLUSTER, 0);
        else
            small_image_l2(small, l2, index, dice_once_in(dice, 2) ? FORMAT_ENTRY_ZERO : FILE_BYTES,
                           0);
    }
}

/* @repeats: L2 tables that are named at several indices of one L1 table. */
static void make_image(struct small_image *small, struct tables_table tables[N_TABLES],
                       bool repeats, uint64_t seed)
{
    struct dice dice = dice_of(seed);
    uint64_t next = 0;

    small_image_init(small, 16, N_INDICES * SPAN, N_INDICES, FIRST_L2 + N_STORED);
    for (uint64_t l2 = 0; l2 < N_STORED; l2++)
        fill_l2(small, FIRST_L2 + l2, &dice);
    for (uint32_t i = 0; i < N_INDICES; i++) {
        bool stored = next < N_STORED && dice_once_in(&dice, 15);
        uint64_t l2 = stored ? FIRST_L2 + next++ : 100000 + i; /* in the hole at the end */

        for (uint64_t t = 0; t < N_TABLES; t++) {
            if (dice_once_in(&dice, 6))
                continue; /* not in this table */
            small_image_l1(small, 2 + t, i, l2);
            if (repeats && dice_once_in(&dice, 20))
                small_image_l1(small, 2 + t, i, FIRST_L2 + dice_below(&dice, 6));
        }
    }
    small_image_open(small, FILE_BYTES);
    for (uint64_t t = 0; t < N_TABLES; t++) {
        tables[t] = small_image_table(small);
        tables[t].l1_off = (2 + t) * CLUSTER;
        tables[t].virtual_bytes -= t % 2 * 5 * SPAN / 2;
        tables[t].whole_l1 = t == 0;
    }
}

static void check_tables(bool repeats, uint64_t seed)
{
    struct small_image small;
    struct tables_table tables[N_TABLES];
    struct meter_set meters[N_TABLES];

    make_image(&small, tables, repeats, seed);
    walk(&small, tables, N_TABLES, meters, &alone);
    for (size_t t = 0; t < N_TABLES; t++) {
        struct tables_table single = again(&tables[t]), pieces = again(&tables[t]);
        struct meter_set one;
        struct meter *naive;

        walk(&small, &single, 1, &one, &alone);
        naive = metered_piece_by_piece(&small, &pieces);
        assert_true(naive->breaks > 1000);
        assert_same_meter(one.plain, naive);
        assert_same_meter(meters[t].plain, naive);
        assert_memory_equal(&single.counts, &pieces.counts, sizeof(pieces.counts));
        assert_memory_equal(&tables[t].counts, &pieces.counts, sizeof(pieces.counts));
        if (!repeats) /* what is known from another place is not told again */
            assert_same_findings(&single.findings, &pieces.findings);
        release(&single, &one, 1);
        format_findings_free(&pieces.findings);
        meter_free(naive);
    }
    release(tables, meters, N_TABLES);
    small_image_free(&small);
}

static void several_tables_at_once_are_each_alone(void **state)
{
    (void)state;
    for (uint64_t seed = 60; seed < 64; seed++)
        check_tables(false, seed);
}

static void tables_that_are_named_again_count_again(void **state)
{
    (void)state;
    for (uint64_t seed = 70; seed < 74; seed++)
        check_tables(true, seed);
}

static void no_tables_are_no_work(void **state)
{
    struct small_image small;
    struct err err = {0};

    (void)state;
    small_image_init(&small, 16, 0, 0, 4);
    small_image_open(&small, FILE_BYTES);
    assert_int_equal(walk_tables(&small.image, NULL, 0, NULL, &alone, &err), 0);
    small_image_free(&small);
}

static void an_empty_disk_has_an_empty_meter(void **state)
{
    struct small_image small;
    struct tables_table table;
    struct meter_set meters;

    (void)state;
    small_image_init(&small, 16, 0, 0, 4);
    small_image_open(&small, FILE_BYTES);
    table = small_image_table(&small);
    walk(&small, &table, 1, &meters, &alone);
    assert_false(meters.plain->any);
    assert_int_equal(table.counts.mapped_clusters, 0);
    release(&table, &meters, 1);
    small_image_free(&small);
}

/* With extended L2 entries runs are counted in subclusters. */
static void subclusters_are_the_unit_of_runs(void **state)
{
    struct small_image small;
    struct tables_table table;
    struct meter_set meters;
    struct meter_length *runs;
    size_t n;

    (void)state;
    small_image_init(&small, 16, CLUSTER * 4, 1, 5);
    small_image_features(&small, FORMAT_INCOMPAT_EXTENDED_L2);
    small_image_l1(&small, 2, 0, 3);
    small_image_l2(&small, 3, 0, COPIED | 10 * CLUSTER, 0x7);
    small_image_l2(&small, 3, 1, COPIED | 20 * CLUSTER, 0x1);
    small_image_l2(&small, 3, 2, COPIED | 30 * CLUSTER, 0x80000000);
    small_image_open(&small, FILE_BYTES);
    table = small_image_table(&small);
    walk(&small, &table, 1, &meters, &alone);
    runs = meter_runs_sorted(meters.plain, &n);
    assert_int_equal(n, 2);
    assert_int_equal(runs[0].bytes, 3 * 2048);
    assert_int_equal(runs[1].bytes, 2048);
    assert_int_equal(runs[1].count, 2);
    assert_int_equal(meters.plain->lengths.n_list, 0); /* all in the plain array */
    free(runs);
    release(&table, &meters, 1);
    small_image_free(&small);
}

/* ---- threads ---- */

static void any_number_of_threads_gives_the_same(void **state)
{
    static const int n_threads[] = {1, 2, 3, 8, 100};

    (void)state;
    for (unsigned repeats = 0; repeats < 2; repeats++) {
        struct small_image small;
        struct tables_table tables[N_TABLES];
        struct meter_set meters[N_TABLES];

        make_image(&small, tables, repeats, 80);
        walk(&small, tables, N_TABLES, meters, &alone);
        assert_true(tables[0].findings.total > 20);
        for (size_t i = 0; i < COUNT(n_threads); i++) {
            struct tables_table same[N_TABLES];
            struct meter_set same_meters[N_TABLES];
            struct workers workers;
            const struct walk_options options = {.workers = &workers};

            for (size_t t = 0; t < N_TABLES; t++)
                same[t] = again(&tables[t]);
            workers_init(&workers, n_threads[i]);
            walk(&small, same, N_TABLES, same_meters, &options);
            for (size_t t = 0; t < N_TABLES; t++) {
                assert_same_meter(same_meters[t].plain, meters[t].plain);
                assert_memory_equal(&same[t].counts, &tables[t].counts, sizeof(same[t].counts));
                assert_same_findings(&same[t].findings, &tables[t].findings);
            }
            release(same, same_meters, N_TABLES);
            /* All are given back. */
            for (int k = 1; k < n_threads[i]; k++)
                assert_true(workers_try_take(&workers));
            assert_false(workers_try_take(&workers));
        }
        release(tables, meters, N_TABLES);
        small_image_free(&small);
    }
}

/* Wherever it fails: an error, no half of a result, and nothing to lose. */
static void a_failing_read_is_passed_on_from_any_part(void **state)
{
    struct small_image small;
    struct tables_table tables[N_TABLES];
    struct meter_set meters[N_TABLES];
    unsigned n_failed = 0;

    (void)state;
    make_image(&small, tables, true, 81);
    for (uint64_t fail_at = 1; fail_at < 900; fail_at += fail_at < 20 ? 1 : 37) {
        struct workers workers;
        const struct walk_options options = {.workers = &workers};
        struct err err = {0};
        int ret;

        for (size_t t = 0; t < N_TABLES; t++)
            tables[t] = again(&tables[t]);
        workers_init(&workers, fail_at % 2 == 0 ? 1 : 4);
        small.memory.n_requests = 0;
        small.memory.fail_at = fail_at;
        ret = walk_tables(&small.image, tables, N_TABLES, meters, &options, &err);
        if (ret != 0) {
            assert_int_equal(ret, -EIO);
            assert_int_equal(err.code, EIO);
            assert_string_equal(err.text, IO_MEMORY_FAILS);
            n_failed++;
        }
        release(tables, meters, N_TABLES); /* some meters may be NULL */
    }
    assert_true(n_failed > 25);
    for (size_t t = 0; t < N_TABLES; t++)
        tables[t] = again(&tables[t]);
    release(tables, (struct meter_set[N_TABLES]){{.plain = NULL}}, N_TABLES);
    small_image_free(&small);
}

/* ---- what a rewrite would be ---- */

static struct meter_layout_shape shape_of(struct small_image *small, const struct tables_span *span)
{
    const struct walk_options options = {.rewrite = WALK_CONVERT, .span = span};
    struct meter_layout_shape shape;
    struct meter_set meters;
    struct tables_table table;

    small_image_open(small, small->len);
    table = small_image_table(small);
    walk(small, &table, 1, &meters, &options);
    assert_non_null(meters.converted);
    shape = meters.converted->shape;
    release(&table, &meters, 1);
    format_image_close(&small->image);
    return shape;
}

static struct meter_defragged_shape order_of(struct small_image *small)
{
    const struct walk_options options = {.rewrite = WALK_DEFRAG};
    struct meter_defragged_shape shape;
    struct meter_set meters;
    struct tables_table table;

    small_image_open(small, small->len);
    table = small_image_table(small);
    walk(small, &table, 1, &meters, &options);
    assert_null(meters.converted);
    assert_non_null(meters.defragged);
    shape = meters.defragged->shape;
    release(&table, &meters, 1);
    format_image_close(&small->image);
    return shape;
}

static void defrag_puts_tables_in_front_if_clusters_are_large(void **state)
{
    struct meter_defragged_shape shape;
    struct small_image small;

    (void)state;
    small_image_init(&small, 16, 7 * CLUSTER, 1, 4);
    shape = order_of(&small);
    assert_int_equal(shape.cluster_bytes, CLUSTER);
    assert_true(shape.l2_in_front);
    assert_int_equal(shape.blob_refs, 1);
    assert_int_equal(shape.refs_max, 65535);
    small_image_free(&small);
    small_image_init(&small, 15, 7 * CLUSTER, 1, 4);
    shape = order_of(&small);
    assert_int_equal(shape.cluster_bytes, CLUSTER / 2);
    assert_false(shape.l2_in_front);
    small_image_free(&small);
}

static void a_rewrite_has_the_shape_of_the_image(void **state)
{
    struct tables_span span = {CLUSTER, 5 * CLUSTER};
    struct meter_layout_shape shape;
    struct small_image small;

    (void)state;
    small_image_init(&small, 16, 7 * CLUSTER, 1, 4);
    shape = shape_of(&small, NULL);
    assert_int_equal(shape.cluster_bytes, CLUSTER);
    assert_int_equal(shape.part_bytes, CLUSTER);
    assert_int_equal(shape.slice_bytes, CLUSTER); /* the whole table, where the cache covers all */
    assert_int_equal(shape.slice_bits, 29);
    assert_int_equal(shape.l2_bits, 29);
    assert_int_equal(shape.begin, 0);
    assert_int_equal(shape.end, 7 * CLUSTER);
    assert_int_equal(shape.blobs_max, 65535);
    assert_true(shape.alone);
    shape = shape_of(&small, &span);
    assert_int_equal(shape.begin, CLUSTER);
    assert_int_equal(shape.end, 5 * CLUSTER);
    span.end = UINT64_MAX;
    put_be32(small.bytes + 96, 6); /* refcounts of 64 bits */
    small_image_features(&small, FORMAT_INCOMPAT_EXTENDED_L2);
    shape = shape_of(&small, &span);
    assert_int_equal(shape.end, 7 * CLUSTER);
    assert_int_equal(shape.part_bytes, CLUSTER / 32);
    assert_int_equal(shape.l2_bits, 28);
    assert_true(shape.blobs_max == UINT64_MAX);
    put_be32(small.bytes + 96, 0); /* of one */
    assert_int_equal(shape_of(&small, &span).blobs_max, 1);
    free(small.bytes);
}

/* ---- progress ---- */

struct progress {
    unsigned n;
    double last;
};

static void report(void *context, double done)
{
    struct progress *progress = context;

    assert_true(done >= progress->last && done <= 1);
    progress->last = done;
    progress->n++;
}

static void progress_rises_to_one(void **state)
{
    (void)state;
    for (int n_threads = 1; n_threads <= 4; n_threads += 3) {
        struct small_image small;
        struct tables_table tables[N_TABLES];
        struct meter_set meters[N_TABLES];
        struct progress progress = {0};
        struct workers workers;
        const struct walk_options options = {
            .workers = &workers, .progress = report, .context = &progress};

        make_image(&small, tables, false, 82);
        workers_init(&workers, n_threads);
        walk(&small, tables, N_TABLES, meters, &options);
        assert_true(progress.n > 10);
        assert_true(progress.last == 1);
        release(tables, meters, N_TABLES);
        small_image_free(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_tables_at_once_are_each_alone),
        cmocka_unit_test(tables_that_are_named_again_count_again),
        cmocka_unit_test(no_tables_are_no_work),
        cmocka_unit_test(an_empty_disk_has_an_empty_meter),
        cmocka_unit_test(subclusters_are_the_unit_of_runs),
        cmocka_unit_test(any_number_of_threads_gives_the_same),
        cmocka_unit_test(a_failing_read_is_passed_on_from_any_part),
        cmocka_unit_test(defrag_puts_tables_in_front_if_clusters_are_large),
        cmocka_unit_test(a_rewrite_has_the_shape_of_the_image),
        cmocka_unit_test(progress_rises_to_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
