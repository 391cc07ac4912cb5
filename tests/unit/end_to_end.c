// SPDX-License-Identifier: MIT
/*
 * Proves that guest order on the device gives the same figures however the walk is cut, in batches
 * of either shape, by any number of threads; that a file in one piece needs no second walk; and
 * when there are no such figures at all.
 */
#include "dice.h"
#include "host.h"
#include "kernel.h"
#include "measure.h"
#include "pieces.h"
#include "placing.h"
#include "same_meter.h"
#include "small_image.h"
#include "walk.h"
#include "workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BITS 12
#define CLUSTER (UINT64_C(1) << BITS) /* 512 entries a table */
#define TABLES 6
#define FILE_CLUSTERS 6000
#define FILE_BYTES (FILE_CLUSTERS * CLUSTER)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- an image with all kinds of stretches, and a map with all kinds of extents ---- */

static uint64_t compressed_entry(struct dice *dice)
{
    uint64_t off = 100 * CLUSTER + dice_below(dice, FILE_BYTES - 200 * CLUSTER);
    uint64_t sectors = dice_below(dice, 8); /* besides the first */

    return UINT64_C(1) << 62 | sectors << 58 | off;
}

static void fill_table(struct small_image *small, struct dice *dice, uint64_t table)
{
    uint64_t host = 20 + dice_below(dice, FILE_CLUSTERS - 2000);
    uint64_t jumps = 1 + dice_below(dice, 60);
    bool odd = dice_once_in(dice, 2); /* else whole blocks of plain clusters */

    for (uint32_t i = 0; i < 512; i++, host++) {
        uint64_t word;

        if (dice_once_in(dice, jumps))
            host = 20 + dice_below(dice, FILE_CLUSTERS - 600);
        word = FORMAT_ENTRY_COPIED | host * CLUSTER;
        if (odd && dice_once_in(dice, 9))
            word = dice_once_in(dice, 3)   ? 0
                   : dice_once_in(dice, 2) ? FORMAT_ENTRY_ZERO
                                           : compressed_entry(dice);
        small_image_l2(small, table, i, word, 0);
    }
}

static void open_image(struct small_image *small, uint64_t seed)
{
    struct dice dice = dice_of(seed);

    small_image_init(small, BITS, TABLES * 512 * CLUSTER, TABLES, 16);
    for (uint32_t i = 0; i < TABLES; i++) {
        small_image_l1(small, 2, i, 4 + i);
        fill_table(small, &dice, 4 + i);
    }
    small_image_open(small, FILE_BYTES);
}

static struct host_map *map_of(const struct host_fiemap_extent *list, size_t n)
{
    struct kernel kernel = {.list = list, .n_list = n};
    struct host_fiemap_source source = kernel_source(&kernel);
    struct host_map *map = NULL;
    struct err err = {0};

    if (host_map_read(&source, HOST_SEGMENTS_MAX, &map, &err) < 0)
        fail_msg("%s", err.text);
    return map;
}

static struct host_map *roll_map(uint64_t seed)
{
    static struct host_fiemap_extent list[3000];
    struct dice dice = dice_of(seed * 77);
    uint64_t at = 0, longest = 1 + dice_below(&dice, 200);
    bool encoded = dice_once_in(&dice, 3);
    size_t n = 0;

    while (at < FILE_BYTES && n < COUNT(list)) {
        uint64_t unit = dice_once_in(&dice, 4) ? 512 : CLUSTER;

        list[n] = (struct host_fiemap_extent){at, unit * (1 + dice_below(&dice, longest)),
                                              CLUSTER * dice_below(&dice, 1 << 20), 0};
        list[n].flags = dice_once_in(&dice, 8)              ? FIEMAP_EXTENT_UNWRITTEN
                        : encoded && dice_once_in(&dice, 4) ? FIEMAP_EXTENT_ENCODED
                                                            : 0;
        at += list[n++].bytes + (dice_once_in(&dice, 10) ? CLUSTER * dice_below(&dice, 50) : 0);
    }
    return map_of(list, n);
}

/* ---- the same way in other steps ---- */

struct batches {
    struct piece_batch *list[2000];
    size_t n;
};

static int keep(void *context, const struct piece_batch *batch)
{
    struct batches *batches = context;

    assert_true(batches->n < COUNT(batches->list));
    batches->list[batches->n] = malloc(sizeof(*batch));
    assert_non_null(batches->list[batches->n]);
    *batches->list[batches->n++] = *batch;
    return 0;
}

static struct piece_sink begin(void *context, struct tables_members members, size_t number)
{
    (void)members;
    (void)number;
    return (struct piece_sink){keep, context};
}

static void scan(struct small_image *small, struct batches *batches)
{
    struct tables_table table = small_image_table(small);
    const struct tables_visitor visitor = {.context = batches, .begin = begin};
    struct err err = {0};

    batches->n = 0;
    assert_int_equal(tables_scan(&small->image, &table, 1, &visitor, &err), 0);
    format_findings_free(&table.findings);
}

static void drop(struct batches *batches)
{
    for (size_t i = 0; i < batches->n; i++)
        free(batches->list[i]);
}

static int meter_it(void *context, const struct piece_batch *batch)
{
    meter_take(context, batch);
    return 0;
}

static struct meter *new_meter(const struct piece_stage *stage)
{
    struct meter *meter = meter_new(stage->unit_bytes, stage->n_files);

    assert_non_null(meter);
    return meter;
}

/* Batches [first, end) with a state and a meter of their own. */
static struct meter *metered(const struct piece_stage *stage, const struct batches *batches,
                             size_t first, size_t end)
{
    struct meter *meter = new_meter(stage);
    void *state = stage->state_new(stage->shared);

    for (size_t i = first; i < end; i++)
        assert_int_equal(stage->take(state, batches->list[i], (struct piece_sink){meter_it, meter}),
                         0);
    stage->state_free(state);
    return meter;
}

/* Each piece in a general batch of its own, and each table. */
static struct meter *metered_one_by_one(const struct piece_stage *stage,
                                        const struct batches *batches)
{
    struct meter *meter = new_meter(stage);
    struct piece_batch *one = pieces_new_batch(CLUSTER, 0);
    void *state = stage->state_new(stage->shared);

    one->uniform = false;
    for (size_t i = 0; i < batches->n; i++) {
        const struct piece_batch *batch = batches->list[i];

        piece_batch_clear(one);
        one->l2_file = batch->l2_file;
        one->l2_off = batch->l2_off;
        one->l2_bytes = batch->l2_bytes;
        stage->take(state, one, (struct piece_sink){meter_it, meter});
        for (uint32_t j = 0; j < batch->n; j++) {
            struct piece piece = piece_batch_piece(batch, j);

            piece_batch_clear(one);
            piece_batch_add(one, &piece);
            stage->take(state, one, (struct piece_sink){meter_it, meter});
        }
    }
    stage->state_free(state);
    free(one);
    return meter;
}

/* Pieces that go on may be one; where the very first one ends is no part of any figure. */
static void assert_same_but_for_first_end(struct meter *a, const struct meter *b)
{
    for (unsigned i = 0; i < a->n_files && a->files[i].seen; i++) {
        a->files[i].first.end = b->files[i].first.end;
        a->files[i].first.read_end = b->files[i].first.read_end;
    }
    assert_same_meter(a, b);
}

static void check_cuts(const struct piece_stage *stage, const struct batches *batches,
                       struct dice *dice)
{
    struct meter *whole = metered(stage, batches, 0, batches->n);
    struct meter *sum = new_meter(stage), *singles = metered_one_by_one(stage, batches);

    for (size_t first = 0, end; first < batches->n; first = end) {
        struct meter *part;

        end = first + 1 + dice_below(dice, 5);
        end = end < batches->n ? end : batches->n;
        part = metered(stage, batches, first, end);
        meter_merge(sum, part);
        meter_free(part);
    }
    assert_same_meter(sum, whole);
    assert_same_but_for_first_end(singles, whole);
    meter_free(whole);
    meter_free(sum);
    meter_free(singles);
}

static void any_cut_gives_the_same(void **state)
{
    static struct batches batches;

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct host_map *map = roll_map(seed);
        const struct host_map *maps[] = {map};
        struct dice dice = dice_of(seed + 1000);
        struct small_image small;
        struct piece_stage stage;

        open_image(&small, seed);
        scan(&small, &batches);
        assert_int_equal(host_placing_new(maps, 1, CLUSTER, NULL, &stage), 0);
        check_cuts(&stage, &batches, &dice);
        host_placing_free(&stage);
        drop(&batches);
        host_map_free(map);
        small_image_free(&small);
    }
}

/* ---- measured images ---- */

static void measure(struct small_image *small, const struct report_choice *choice,
                    struct report_image *report)
{
    report_measure_io(&small->memory.io, "image", choice, report);
    if (report->error != NULL)
        fail_msg("%s", report->error);
    assert_int_equal(report->n_tables, 1);
}

static void assert_same_walk(const struct report_walk *a, const struct report_walk *b)
{
    struct report_walk x = *a, y = *b;

    assert_int_equal(x.jump_histogram.n, y.jump_histogram.n);
    assert_int_equal(x.run_histogram.n, y.run_histogram.n);
    for (size_t i = 0; i < x.jump_histogram.n; i++)
        assert_memory_equal(&x.jump_histogram.list[i], &y.jump_histogram.list[i],
                            sizeof(x.jump_histogram.list[i]));
    for (size_t i = 0; i < x.run_histogram.n; i++)
        assert_memory_equal(&x.run_histogram.list[i], &y.run_histogram.list[i],
                            sizeof(x.run_histogram.list[i]));
    assert_int_equal(x.mapped_bytes, y.mapped_bytes);
    assert_int_equal(x.backward_steps, y.backward_steps);
    assert_int_equal(x.forward_jumps, y.forward_jumps);
    assert_int_equal(x.near_jumps, y.near_jumps);
    assert_int_equal(x.breaks, y.breaks);
    assert_int_equal(x.compressed_clusters, y.compressed_clusters);
    assert_int_equal(x.zero_clusters, y.zero_clusters);
    assert_int_equal(x.corrupt_entries, y.corrupt_entries);
    assert_int_equal(x.contiguous_runs, y.contiguous_runs);
    assert_true(x.fragmentation_score.known && y.fragmentation_score.known);
    assert_true(x.fragmentation_score.value == y.fragmentation_score.value);
    assert_true(x.backward_jump_mean_bytes.value == y.backward_jump_mean_bytes.value);
    assert_true(x.forward_jump_mean_bytes.value == y.forward_jump_mean_bytes.value);
    assert_int_equal(x.contiguous_run_half_bytes.value, y.contiguous_run_half_bytes.value);
    assert_int_equal(x.contiguous_run_max_bytes.value, y.contiguous_run_max_bytes.value);
}

static void what_is_mapped_is_on_the_device_or_in_holes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct host_map *map = roll_map(seed);
        const struct report_choice choice = {.host_map = map};
        struct small_image small;
        struct report_image report;
        const struct report_table *table;

        open_image(&small, seed);
        measure(&small, &choice, &report);
        table = &report.tables[0];
        assert_true(table->end_to_end.known);
        assert_int_equal(table->end_to_end.walk.mapped_bytes + table->end_to_end.hole_bytes,
                         table->walk.mapped_bytes);
        assert_true(table->end_to_end.walk.pieces >=
                    (table->end_to_end.walk.mapped_bytes + CLUSTER - 1) / CLUSTER);
        assert_int_equal(table->end_to_end.walk.compressed_clusters,
                         table->walk.compressed_clusters);
        assert_int_equal(table->end_to_end.walk.zero_clusters, table->walk.zero_clusters);
        assert_true(table->end_to_end.seconds.known == (table->end_to_end.walk.mapped_bytes > 0));
        assert_true(table->end_to_end.slowdown.known == table->end_to_end.seconds.known);
        if (table->end_to_end.seconds.known)
            assert_true(table->end_to_end.slowdown.value >= 1);
        assert_int_equal(report.host.extents, map->extents);
        assert_true(report.host.known);
        report_image_free(&report);
        host_map_free(map);
        small_image_free(&small);
    }
}

/* The short way, and the long one that an extent more at the very end asks for. */
static void a_file_in_one_piece_is_as_the_image_says(void **state)
{
    static const struct host_fiemap_extent one[] = {{0, FILE_BYTES, 1 << 30, 0}};
    static const struct host_fiemap_extent two[] = {{0, FILE_BYTES - 512, 1 << 30, 0},
                                                    {FILE_BYTES - 512, 512, 1 << 20, 0}};
    static const struct {
        const struct host_fiemap_extent *list;
        size_t n;
        bool stage;
    } cases[] = {{one, 1, false}, {two, 2, true}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct host_map *map = map_of(cases[i].list, cases[i].n);
        const struct report_choice choice = {.host_map = map};
        struct report_host_maps walk;
        struct report_host host = {0};
        struct small_image small;
        struct report_image report;
        struct err err = {0};

        open_image(&small, 5);
        assert_int_equal(report_host_open(&small.image, &choice, &host, &walk, &err), 0);
        assert_int_equal(walk.has_stage, cases[i].stage);
        report_host_close(&walk);
        measure(&small, &choice, &report);
        assert_true(report.tables[0].end_to_end.known);
        assert_int_equal(report.tables[0].end_to_end.hole_bytes, 0);
        assert_same_walk(&report.tables[0].walk, &report.tables[0].end_to_end.walk);
        report_image_free(&report);
        host_map_free(map);
        small_image_free(&small);
    }
}

/* The last cluster of an image may be cut off in the file: what is not there is a hole. */
static void an_image_that_ends_inside_a_cluster_is_not_taken_for_one_piece(void **state)
{
    static const struct host_fiemap_extent list[] = {{0, FILE_BYTES - 100, 1 << 30, 0}};
    struct host_map *map = map_of(list, 1);
    const struct report_choice choice = {.host_map = map};
    struct small_image small;
    struct report_image report;

    (void)state;
    small_image_init(&small, BITS, 512 * CLUSTER, 1, 16);
    small_image_l1(&small, 2, 0, 4);
    small_image_l2(&small, 4, 7, FORMAT_ENTRY_COPIED | (FILE_CLUSTERS - 1) * CLUSTER, 0);
    small_image_open(&small, FILE_BYTES - 100);
    measure(&small, &choice, &report);
    assert_int_equal(report.tables[0].end_to_end.hole_bytes, 100);
    assert_int_equal(report.tables[0].end_to_end.walk.mapped_bytes, CLUSTER - 100);
    assert_int_equal(report.tables[0].end_to_end.walk.pieces, 1);
    report_image_free(&report);
    host_map_free(map);
    small_image_free(&small);
}

/* The jump goes to the first subcluster that is held, not to the begin of the cluster. */
static void subclusters_are_walked_by_themselves_also_in_one_piece(void **state)
{
    static const struct host_fiemap_extent list[] = {{0, 1 << 24, 1 << 30, 0}};
    struct host_map *map = map_of(list, 1);
    const struct report_choice choice = {.host_map = map};
    struct small_image small;
    struct report_image report;

    (void)state;
    small_image_init(&small, 16, 4096 * UINT64_C(65536), 1, 16);
    small_image_features(&small, FORMAT_INCOMPAT_EXTENDED_L2);
    small_image_l1(&small, 2, 0, 4);
    small_image_l2(&small, 4, 0, FORMAT_ENTRY_COPIED | 10 * 65536, 1);
    small_image_l2(&small, 4, 1, FORMAT_ENTRY_COPIED | 20 * 65536, UINT32_C(3) << 30);
    small_image_open(&small, 1 << 24);
    measure(&small, &choice, &report);
    assert_int_equal(report.tables[0].walk.forward_jumps, 1);
    assert_true(report.tables[0].walk.forward_jump_mean_bytes.value == 9 * 65536);
    assert_int_equal(report.tables[0].end_to_end.walk.forward_jumps, 1);
    assert_true(report.tables[0].end_to_end.walk.forward_jump_mean_bytes.value ==
                10 * 65536 - 2048 + 30 * 2048);
    assert_int_equal(report.tables[0].end_to_end.walk.mapped_bytes, 3 * 2048);
    assert_int_equal(report.tables[0].end_to_end.walk.pieces, 2);
    report_image_free(&report);
    host_map_free(map);
    small_image_free(&small);
}

/* ---- what the extents add ---- */

static struct report_image measured_with(struct small_image *small, const struct host_map *map,
                                         enum report_device device)
{
    const struct report_choice choice = {.host_map = map, .device = device};
    struct report_image report;

    measure(small, &choice, &report);
    return report;
}

static void assert_host_adds(struct small_image *small, const struct host_fiemap_extent *list,
                             size_t n, double seconds)
{
    struct host_map *map = map_of(list, n);
    struct report_image report = measured_with(small, map, REPORT_DEVICE_NVME);
    const struct report_table *table = &report.tables[0];
    double more = table->end_to_end.seconds.value - table->disk.seconds;

    if (more < seconds - 1e-9 || more > seconds + 1e-9)
        fail_msg("the host adds %.9f, not %.9f", more, seconds);
    report_image_free(&report);
    host_map_free(map);
}

/* Whatever the order in the image, and on every disk. */
static void a_file_in_one_extent_adds_nothing(void **state)
{
    static const struct host_fiemap_extent list[] = {{0, FILE_BYTES, 1 << 30, 0}};
    static const enum report_device devices[] = {REPORT_DEVICE_HDD, REPORT_DEVICE_SSD,
                                                 REPORT_DEVICE_NVME};
    struct host_map *map = map_of(list, 1);

    (void)state;
    for (uint64_t seed = 60; seed < 66; seed++) {
        struct small_image small;

        open_image(&small, seed);
        for (size_t i = 0; i < COUNT(devices); i++) {
            struct report_image report = measured_with(&small, map, devices[i]);
            const struct report_table *table = &report.tables[0];

            assert_true(table->end_to_end.seconds.value == table->disk.seconds);
            assert_true(table->end_to_end.ideal_seconds == table->disk.ideal_seconds);
            report_image_free(&report);
        }
        small_image_free(&small);
    }
    host_map_free(map);
}

/* The same with subclusters: in clusters that lie close together, and far apart on the disk. */
static void nor_does_it_with_subclusters(void **state)
{
    static const struct host_fiemap_extent list[] = {{0, 1 << 24, 1 << 30, 0}};
    struct host_map *map = map_of(list, 1);
    struct small_image small;

    (void)state;
    small_image_init(&small, 16, 4096 * UINT64_C(65536), 1, 16);
    small_image_features(&small, FORMAT_INCOMPAT_EXTENDED_L2);
    small_image_l1(&small, 2, 0, 4);
    for (uint32_t i = 0; i < 60; i++)
        small_image_l2(&small, 4, 7 * i, FORMAT_ENTRY_COPIED | (100 + (i ^ i / 8 % 2)) * 65536,
                       i % 3 == 0 ? 0x80000001 : 0x00f000f0);
    small_image_open(&small, 1 << 24);
    for (enum report_device device = REPORT_DEVICE_HDD; device <= REPORT_DEVICE_NVME; device++) {
        struct report_image report = measured_with(&small, map, device);
        const struct report_table *table = &report.tables[0];

        assert_true(table->end_to_end.walk.pieces == 120);
        assert_true(table->end_to_end.seconds.value == table->disk.seconds);
        assert_true(table->end_to_end.ideal_seconds == table->disk.ideal_seconds);
        report_image_free(&report);
    }
    host_map_free(map);
    small_image_free(&small);
}

/* 512 clusters of 4 KiB in two requests, from byte 80 K on in the file; one of them elsewhere. */
static void only_an_extent_that_ends_inside_a_read_adds_one(void **state)
{
    const uint64_t begin = 20 * CLUSTER, far = UINT64_C(1) << 33;
    struct small_image small;

    (void)state;
    small_image_init(&small, BITS, 512 * CLUSTER, 1, 16);
    small_image_l1(&small, 2, 0, 4);
    for (uint32_t i = 0; i < 512; i++)
        small_image_l2(&small, 4, i, FORMAT_ENTRY_COPIED | (i == 77 ? 5000 : 20 + i) * CLUSTER, 0);
    small_image_open(&small, FILE_BYTES);
    for (uint64_t cut = 1; cut < 512 * CLUSTER; cut += 1000) {
        uint64_t end = begin + cut;
        const struct host_fiemap_extent list[] = {{0, end, 1 << 30, 0},
                                                  {end, FILE_BYTES - end, far, 0}};
        bool at_border = cut == 256 * CLUSTER || (cut >= 77 * CLUSTER && cut <= 78 * CLUSTER);

        assert_host_adds(&small, list, 2, at_border ? 0 : 20e-6);
    }
    for (uint64_t cut = 1; cut <= 511; cut++) {
        uint64_t end = begin + cut * CLUSTER;
        const struct host_fiemap_extent list[] = {{0, end, 1 << 30, 0},
                                                  {end, FILE_BYTES - end, far, 0}};
        bool at_border = cut == 256 || cut == 77 || cut == 78;

        assert_host_adds(&small, list, 2, at_border ? 0 : 20e-6);
    }
    small_image_free(&small);
}

static void all_in_holes_is_nothing_on_the_device(void **state)
{
    static const struct host_fiemap_extent list[] = {{0, 16 * CLUSTER, 1 << 30, 0}};
    struct host_map *map = map_of(list, 1);
    const struct report_choice choice = {.host_map = map};
    struct small_image small;
    struct report_image report;
    const struct report_end_to_end *end_to_end;

    (void)state;
    open_image(&small, 3);
    measure(&small, &choice, &report);
    end_to_end = &report.tables[0].end_to_end;
    assert_true(end_to_end->known);
    assert_int_equal(end_to_end->hole_bytes, report.tables[0].walk.mapped_bytes);
    assert_int_equal(end_to_end->walk.contiguous_runs, 0);
    assert_int_equal(end_to_end->walk.ascending_runs, 0);
    assert_false(end_to_end->walk.fragmentation_score.known);
    assert_false(end_to_end->walk.contiguous_run_half_bytes.known);
    report_image_free(&report);
    host_map_free(map);
    small_image_free(&small);
}

/* ---- when there is none ---- */

static void without_a_map_there_is_a_reason_and_no_figure(void **state)
{
    const struct report_choice choice = {.no_host = false};
    struct small_image small;
    struct report_image report;

    (void)state;
    open_image(&small, 4);
    measure(&small, &choice, &report);
    assert_false(report.host.known);
    assert_string_equal(report.host.reason, "the image is no file of this host");
    assert_false(report.tables[0].end_to_end.known);
    assert_true(report.complete);
    report_image_free(&report);
    small_image_free(&small);
}

static void who_does_not_ask_gets_neither(void **state)
{
    static const struct host_fiemap_extent list[] = {{0, FILE_BYTES, 1 << 30, 0}};
    struct host_map *map = map_of(list, 1);
    const struct report_choice choice = {.no_host = true, .host_map = map};
    struct small_image small;
    struct report_image report;

    (void)state;
    open_image(&small, 4);
    measure(&small, &choice, &report);
    assert_false(report.host.known);
    assert_null(report.host.reason);
    assert_null(report.host.filesystem);
    assert_false(report.tables[0].end_to_end.known);
    report_image_free(&report);
    host_map_free(map);
    small_image_free(&small);
}

/* The clusters lie in another file, of which nothing is known. */
static void with_an_external_data_file_only_the_extents_are_known(void **state)
{
    static const struct host_fiemap_extent list[] = {{0, FILE_BYTES, 1 << 30, 0}};
    struct host_map *map = map_of(list, 1);
    const struct report_choice choice = {.host_map = map};
    struct small_image small;
    struct report_image report;

    (void)state;
    small_image_init(&small, BITS, 512 * CLUSTER, 1, 16);
    small_image_features(&small, FORMAT_INCOMPAT_DATA_FILE);
    small_image_l1(&small, 2, 0, 4);
    small_image_l2(&small, 4, 7, FORMAT_ENTRY_COPIED | 7 * CLUSTER, 0);
    small_image_open(&small, 16 * CLUSTER);
    measure(&small, &choice, &report);
    assert_int_equal(report.tables[0].mapped_clusters, 1);
    assert_true(report.host.known);
    assert_int_equal(report.host.extents, 1);
    assert_false(report.tables[0].end_to_end.known);
    report_image_free(&report);
    host_map_free(map);
    small_image_free(&small);
}

/* ---- threads ---- */

static void threads_do_not_matter(void **state)
{
    enum { MANY = 4096 }; /* tables: 16 MiB, several parts */
    struct host_map *map = roll_map(9);
    const struct host_map *maps[] = {map};
    struct meter_set meters[3];
    struct small_image small;
    struct piece_stage stage;

    (void)state;
    small_image_init(&small, BITS, (uint64_t)MANY * 512 * CLUSTER, MANY, 16 + MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        struct dice dice = dice_of(i);

        small_image_l1(&small, 2, i, 16 + i);
        fill_table(&small, &dice, 16 + i);
    }
    small_image_open(&small, FILE_BYTES);
    assert_int_equal(host_placing_new(maps, 1, CLUSTER, NULL, &stage), 0);
    for (int n = 0; n < 3; n++) {
        struct tables_table table = small_image_table(&small);
        struct walk_options options = {.stage = &stage};
        struct workers workers;
        struct err err = {0};

        workers_init(&workers, 1 + 2 * n);
        options.workers = &workers;
        assert_int_equal(walk_tables(&small.image, &table, 1, &meters[n], &options, &err), 0);
        format_findings_free(&table.findings);
        assert_same_meter(meters[n].staged, meters[0].staged);
    }
    assert_true(meters[0].staged->breaks > 1000);
    for (int n = 0; n < 3; n++)
        meter_set_free(&meters[n]);
    host_placing_free(&stage);
    host_map_free(map);
    small_image_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_gives_the_same),
        cmocka_unit_test(what_is_mapped_is_on_the_device_or_in_holes),
        cmocka_unit_test(a_file_in_one_piece_is_as_the_image_says),
        cmocka_unit_test(an_image_that_ends_inside_a_cluster_is_not_taken_for_one_piece),
        cmocka_unit_test(subclusters_are_walked_by_themselves_also_in_one_piece),
        cmocka_unit_test(a_file_in_one_extent_adds_nothing),
        cmocka_unit_test(nor_does_it_with_subclusters),
        cmocka_unit_test(only_an_extent_that_ends_inside_a_read_adds_one),
        cmocka_unit_test(all_in_holes_is_nothing_on_the_device),
        cmocka_unit_test(without_a_map_there_is_a_reason_and_no_figure),
        cmocka_unit_test(who_does_not_ask_gets_neither),
        cmocka_unit_test(with_an_external_data_file_only_the_extents_are_known),
        cmocka_unit_test(threads_do_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
