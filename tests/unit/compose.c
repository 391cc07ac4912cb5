// SPDX-License-Identifier: MIT
/*
 * Proves the rules of a walk along a chain, each by hand: which slices are read and when, what is
 * visible and how it counts, and that trouble is passed on. Random chains are in compose_random.c.
 */
#include "made_chain.h"

#include "window.h"

#define CLUSTER 65536u
#define BIG_DISK (UINT64_C(300) << 30) /* too large for QEMU's cache: slices of 4 KiB */

/* A layer of @virtual_bytes with one L2 table, for the first 512 MiB. */
static struct layer *one_table(struct chain *chain, uint64_t virtual_bytes)
{
    struct layer *layer = &chain->layers[chain->n];
    uint64_t span = (uint64_t)CLUSTER * (CLUSTER / 8);

    layer->virtual_bytes = virtual_bytes;
    small_image_init(&layer->small, 16, virtual_bytes,
                     (uint32_t)((virtual_bytes + span - 1) / span), 4);
    small_image_l1(&layer->small, 2, 0, 3);
    return layer;
}

static void open_layer(struct chain *chain)
{
    small_image_open(&chain->layers[chain->n].small, 20000 * (uint64_t)CLUSTER);
    chain_add(chain);
}

static struct log logged(const struct chain *chain)
{
    struct log log = {NULL, 0, 0};

    walk(chain, false, 0, chain->run.end, (struct piece_sink){log_batch, &log});
    return log;
}

static void map(struct layer *layer, uint32_t guest, uint64_t host)
{
    small_image_l2(&layer->small, 3, guest, FORMAT_ENTRY_COPIED | host * CLUSTER, 0);
}

static struct event table_read(uint16_t file, uint64_t slice, uint64_t n)
{
    return (struct event){.table = true,
                          .file = file,
                          .begin = 3 * CLUSTER + 4096 * slice,
                          .end = 3 * CLUSTER + 4096 * (slice + n)};
}

static struct event piece(uint16_t file, uint64_t guest, uint64_t host, uint64_t n)
{
    return (struct event){.file = file,
                          .said = DATA,
                          .guest_off = guest * CLUSTER,
                          .guest_bytes = n * CLUSTER,
                          .begin = host * CLUSTER,
                          .end = (host + n) * CLUSTER};
}

/* 512 entries of a table are a slice: 32 MiB of the disk. */
static void a_slice_is_read_where_the_layers_above_leave_something_open(void **state)
{
    struct chain chain = {.layers = calloc(LAYERS_MAX, sizeof(struct layer))};
    const struct event expected[] = {
        table_read(0, 0, 1),   piece(0, 0, 100, 1),   table_read(1, 0, 1),
        piece(0, 600, 101, 1), piece(1, 601, 200, 1),
    };
    struct layer *layer;
    struct log log;

    (void)state;
    layer = one_table(&chain, BIG_DISK);
    map(layer, 0, 100);
    map(layer, 600, 101);
    open_layer(&chain);
    layer = one_table(&chain, BIG_DISK);
    map(layer, 600, 199); /* hidden */
    map(layer, 601, 200);
    open_layer(&chain);
    log = logged(&chain);
    /* Top slice 0; its piece; below, slice 0 at the second cluster; then slice 1 of both: the top's
     * where it begins, the lower one's, as cluster 512 is open, at once; and so on to the end. */
    assert_true(log.n_list > 5);
    assert_memory_equal(&log.list[0], &expected[0], sizeof(expected[0]));
    assert_memory_equal(&log.list[1], &expected[1], sizeof(expected[1]));
    assert_memory_equal(&log.list[2], &expected[2], sizeof(expected[2]));
    assert_int_equal(log.list[3].file, 0); /* slice 1 of the top */
    assert_int_equal(log.list[3].begin, 3 * CLUSTER + 4096);
    assert_int_equal(log.list[4].file, 1); /* and of the one below */
    assert_int_equal(log.list[4].begin, 3 * CLUSTER + 4096);
    assert_memory_equal(&log.list[5], &expected[3], sizeof(expected[3]));
    assert_memory_equal(&log.list[6], &expected[4], sizeof(expected[4]));
    free(log.list);
    chain_free(&chain);
}

static void a_slice_that_lies_wholly_below_others_is_not_read(void **state)
{
    struct chain chain = {.layers = calloc(LAYERS_MAX, sizeof(struct layer))};
    struct layer *layer;
    struct log log;
    unsigned lower = 0;

    (void)state;
    layer = one_table(&chain, BIG_DISK);
    for (uint32_t i = 512; i < 1024; i++)
        map(layer, i, 1000 + i);
    open_layer(&chain);
    layer = one_table(&chain, BIG_DISK);
    map(layer, 700, 200);
    open_layer(&chain);
    log = logged(&chain);
    for (size_t i = 0; i < log.n_list; i++) {
        assert_true(log.list[i].table || log.list[i].file == 0);
        if (log.list[i].table && log.list[i].file == 1) {
            lower += (unsigned)((log.list[i].end - log.list[i].begin) / 4096);
            assert_true(log.list[i].begin != 3 * CLUSTER + 4096);
        }
    }
    assert_int_equal(lower, 15); /* of the 16 slices of the table */
    free(log.list);
    chain_free(&chain);
}

static void a_short_layer_hides_what_a_longer_one_below_it_has(void **state)
{
    struct chain chain = {.layers = calloc(LAYERS_MAX, sizeof(struct layer))};
    struct layer *layer;
    struct log log;
    struct event expected = piece(2, 0, 100, 1);

    (void)state;
    one_table(&chain, 10 * CLUSTER);
    open_layer(&chain);
    one_table(&chain, 4 * CLUSTER + 512);
    open_layer(&chain);
    layer = one_table(&chain, 10 * CLUSTER);
    for (uint32_t i = 0; i < 10; i++)
        map(layer, i, 100 + i);
    open_layer(&chain);
    log = logged(&chain);
    assert_int_equal(log.n_list, 3 + 5);
    for (unsigned i = 0; i < 4; i++) {
        assert_memory_equal(&log.list[3 + i], &expected, sizeof(expected));
        expected = piece(2, i + 1, 101 + i, 1);
    }
    assert_int_equal(log.list[7].guest_bytes, 512); /* of the fifth cluster, one sector */
    free(log.list);
    chain_free(&chain);
}

static void the_last_cluster_of_the_image_itself_counts_whole(void **state)
{
    struct chain chain = {.layers = calloc(LAYERS_MAX, sizeof(struct layer))};
    struct layer *layer;
    struct piece_counts counts;
    struct log log = {NULL, 0, 0};

    (void)state;
    layer = one_table(&chain, CLUSTER + 512);
    map(layer, 1, 100);
    open_layer(&chain);
    layer = one_table(&chain, 2 * CLUSTER);
    map(layer, 0, 200);
    map(layer, 1, 201);
    open_layer(&chain);
    counts = walk(&chain, false, 0, chain.run.end, (struct piece_sink){log_batch, &log});
    assert_int_equal(counts.mapped_bytes, 2 * CLUSTER);
    assert_int_equal(counts.reads_unbroken, 1); /* up to the end of the disk, in one request */
    assert_int_equal(counts.reads, 2);
    free(log.list);
    chain_free(&chain);
}

static void what_is_seen_in_part_is_counted_once(void **state)
{
    struct chain chain = {.layers = calloc(LAYERS_MAX, sizeof(struct layer))};
    struct layer *layer;
    struct piece_counts counts;
    struct log log = {NULL, 0, 0};
    unsigned n_again = 0;

    (void)state;
    /* On top, clusters of 512 bytes: one in the middle of each large cluster below. */
    layer = &chain.layers[0];
    layer->virtual_bytes = 3 * CLUSTER;
    small_image_init(&layer->small, 9, 3 * CLUSTER, 6, 20);
    for (unsigned i = 0; i < 6; i += 2) {
        small_image_l1(&layer->small, 2, i, 4 + i);
        small_image_l2(&layer->small, 4 + i, 30, 15 * 512, 0);
    }
    small_image_open(&layer->small, 20 * 512);
    chain_add(&chain);
    layer = one_table(&chain, 3 * CLUSTER);
    /* Of four sectors: what has one is in the drive's buffer. */
    small_image_l2(&layer->small, 3, 0, FORMAT_ENTRY_COMPRESSED | UINT64_C(3) << 54 | 100 * CLUSTER,
                   0);
    small_image_l2(&layer->small, 3, 1, FORMAT_ENTRY_ZERO | 101 * CLUSTER, 0);
    small_image_l2(&layer->small, 3, 2, 102 * CLUSTER + 512, 0); /* damaged: not aligned */
    open_layer(&chain);
    counts = walk(&chain, false, 0, chain.run.end, (struct piece_sink){log_batch, &log});
    assert_int_equal(counts.compressed_clusters, 1);
    assert_int_equal(counts.zero_clusters, 1);
    assert_int_equal(counts.zero_allocated_clusters, 1);
    assert_int_equal(counts.corrupt_entries, 1);
    assert_int_equal(counts.mapped_bytes, 3 * 512 + CLUSTER - 512);
    /* The blob is read for each of its two parts; and again in the second one, where a slice of the
     * image on top ends. */
    assert_int_equal(counts.reads, 3 + 3);
    assert_int_equal(counts.reads_unbroken, 3 + 3);
    for (size_t i = 0; i < log.n_list; i++)
        n_again += log.list[i].again;
    assert_int_equal(n_again, 1); /* its second part is a piece by itself */
    free(log.list);
    chain_free(&chain);
}

/* Of 256 KiB, below an image whose slices end every 32 KiB. */
static void a_blob_is_read_again_at_each_border_above_it(void **state)
{
    struct chain chain = {.layers = calloc(LAYERS_MAX, sizeof(struct layer))};
    struct layer *layer;
    struct log log;

    (void)state;
    layer = &chain.layers[0];
    layer->virtual_bytes = 4 * CLUSTER;
    small_image_init(&layer->small, 9, 4 * CLUSTER, 8, 20);
    small_image_open(&layer->small, 20 * 512);
    chain_add(&chain);
    layer = &chain.layers[1];
    layer->virtual_bytes = 4 * CLUSTER;
    small_image_init(&layer->small, 18, 4 * CLUSTER, 1, 4);
    small_image_l1(&layer->small, 2, 0, 3);
    small_image_l2(&layer->small, 3, 0, FORMAT_ENTRY_COMPRESSED | UINT64_C(3) << 52 | 100 * CLUSTER,
                   0);
    open_layer(&chain);
    log = logged(&chain);
    assert_int_equal(log.n_list, 2); /* the table, and the blob */
    assert_int_equal(log.list[1].said, COMPRESSED);
    assert_int_equal(log.list[1].again, 7);
    free(log.list);
    chain_free(&chain);
}

static int refuse(void *context, const struct piece_batch *batch)
{
    (void)context;
    (void)batch;
    return -EPIPE;
}

static void what_the_sink_returns_stops_the_walk(void **state)
{
    struct chain chain = random_chain(1, SMALL);
    struct chain_compose *compose = chain_compose_new(&chain.run, true);
    struct piece_counts counts = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(chain_compose_part(compose, 0, chain.run.end,
                                        (struct piece_sink){refuse, NULL}, &counts, &err),
                     -EPIPE);
    chain_compose_free(compose);
    chain_free(&chain);
}

static void a_failing_disk_is_an_error(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < 12; at++) {
        struct chain chain = random_chain(2, SMALL);
        struct chain_compose *compose = chain_compose_new(&chain.run, true);
        struct layer *top = &chain.layers[0];
        struct piece_counts counts = {0};
        struct log log = {NULL, 0, 0};
        struct err err = {0};

        top->small.memory.fail_at = top->small.memory.n_requests + at;
        if (chain_compose_part(compose, 0, chain.run.end, (struct piece_sink){log_batch, &log},
                               &counts, &err) < 0)
            assert_string_equal(err.text, IO_MEMORY_FAILS);
        else
            assert_true(at > 2);
        free(log.list);
        chain_compose_free(compose);
        chain_free(&chain);
    }
}

/* ---- tables that cannot be ---- */

/* Some places of one table are walked, the rest is left out and told once. */
static void a_table_named_very_often_is_left_out(void **state)
{
    struct chain chain = {.layers = calloc(LAYERS_MAX, sizeof(struct layer))};
    struct layer *layer = &chain.layers[0];
    struct tables_table table;
    struct piece_counts counts;
    struct log log = {NULL, 0, 0};
    struct err err = {0};
    enum { N = 100 };

    (void)state;
    small_image_init(&layer->small, 9, N * 64 * 512, N, 10);
    for (uint32_t i = 0; i < N; i++)
        small_image_l1(&layer->small, 2, i, 8);
    small_image_l2(&layer->small, 8, 0, 9 * 512, 0);
    small_image_open(&layer->small, 10 * 512);
    table = small_image_table(&layer->small);
    strcpy(table.name, "backing[1] ");
    assert_int_equal(chain_layers_add(&chain.run, &layer->small.image, &table, 0, 0, &err), 0);
    chain.n = 1;
    assert_int_equal(table.findings.total, 1);
    assert_string_equal(table.findings.list[0].where, "backing[1] l1[16]");
    assert_int_equal(chain.run.list[0].n_skips, 1);
    counts = walk(&chain, false, 0, chain.run.end, (struct piece_sink){log_batch, &log});
    assert_int_equal(counts.mapped_bytes, CHAIN_REPEATS_MAX * 512);
    assert_int_equal(counts.corrupt_entries, N - CHAIN_REPEATS_MAX);
    format_findings_free(&table.findings);
    free(log.list);
    chain_free(&chain);
}

/* A thousand images could each name one as often. */
static void what_is_left_of_the_walks_is_for_the_layers_below(void **state)
{
    struct chain chain = {.layers = calloc(LAYERS_MAX, sizeof(struct layer))};
    const uint32_t n_entries[] = {10, 10, 2};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct layer *layer = &chain.layers[i];

        small_image_init(&layer->small, 9, 10 * 64 * 512, 10, 10);
        for (uint32_t at = 0; at < n_entries[i]; at++)
            small_image_l1(&layer->small, 2, at, 8);
        small_image_open(&layer->small, 10 * 512);
        chain_add(&chain);
    }
    assert_int_equal(chain.run.n_repeats, CHAIN_REPEATS_MAX);
    assert_int_equal(chain.run.list[0].n_repeats, 10);
    assert_int_equal(chain.run.list[1].n_repeats, 6);
    assert_false(chain_layer_skips(&chain.run.list[1], 5));
    assert_true(chain_layer_skips(&chain.run.list[1], 6));
    assert_true(chain_layer_skips(&chain.run.list[2], 0));
    chain_free(&chain);
}

/*
 * The first one is read, and found to be zeros. From then on the file knows; 4,096 are told each by
 * itself, and after that those of a table all at once.
 */
static void slices_in_a_hole_are_not_read(void **state)
{
    enum { TABLES = 1024, SLICES = 16, FIRST = 100, TOLD = 1 + 4096 };
    struct chain chain = {.layers = calloc(LAYERS_MAX, sizeof(struct layer))};
    struct layer *layer = &chain.layers[0];
    struct chain_window *window;
    uint64_t bytes = 0, n_requests;
    struct err err = {0};

    (void)state;
    small_image_init(&layer->small, 16, (uint64_t)TABLES << 29, TABLES, 10);
    for (uint32_t i = 0; i < TABLES; i++)
        small_image_l1(&layer->small, 2, i, FIRST + i);
    small_image_open(&layer->small, (FIRST + TABLES) << 16);
    chain_add(&chain);
    assert_int_equal(chain.run.list[0].rules.slice_bytes, 65536 / SLICES);
    window = chain_window_new(&chain.run, false);
    assert_non_null(window);
    n_requests = layer->small.memory.n_requests;
    assert_int_equal(chain_window_compose(window, 0, chain.run.end, SIZE_MAX, &err), 1);
    assert_int_equal(layer->small.memory.n_requests - n_requests, 2);
    assert_int_equal(window->n_ranges, TOLD + 1 + (TABLES - TOLD / SLICES - 1));
    for (size_t i = 0; i < window->n_ranges; i++) {
        assert_int_equal(window->ranges[i].kind, CHAIN_RANGE_L2);
        assert_int_equal(window->ranges[i].begin, (FIRST << 16) + bytes);
        assert_int_equal(window->ranges[i].guest_off, bytes << 13);
        bytes += window->ranges[i].end - window->ranges[i].begin;
    }
    assert_int_equal(bytes, TABLES << 16);

    /* Too many at once: it is as if nothing had happened. */
    chain_window_forget(window);
    assert_int_equal(chain_window_compose(window, 0, chain.run.end, 100, &err), 0);
    assert_int_equal(chain_window_compose(window, 0, chain.run.end, SIZE_MAX, &err), 1);
    assert_int_equal(window->n_ranges, TOLD - 1 + TABLES - 4096 / SLICES);
    chain_window_free(window);
    chain_free(&chain);
}

static void a_table_on_other_metadata_is_not_read(void **state)
{
    struct chain chain = {.layers = calloc(LAYERS_MAX, sizeof(struct layer))};
    struct layer *layer = &chain.layers[0];
    struct piece_counts counts;
    struct log log = {NULL, 0, 0};

    (void)state;
    small_image_init(&layer->small, 9, 3 * 64 * 512, 3, 10);
    small_image_l1(&layer->small, 2, 0, 2); /* the L1 table itself */
    small_image_l1(&layer->small, 2, 1, 8);
    small_image_l1(&layer->small, 2, 2, 0); /* no table, flag "copied" */
    small_image_l2(&layer->small, 8, 0, 9 * 512, 0);
    small_image_open(&layer->small, 10 * 512);
    chain_add(&chain);
    counts = walk(&chain, false, 0, chain.run.end, (struct piece_sink){log_batch, &log});
    assert_int_equal(counts.mapped_bytes, 512);
    assert_int_equal(counts.corrupt_entries, 2);
    free(log.list);
    chain_free(&chain);
}

/* Another table of the image takes the place of the first; the layers below stay. */
static void the_top_may_change(void **state)
{
    struct layer *layers = calloc(2, sizeof(*layers));
    struct chain chain = {.layers = layers};
    struct small_image *small = &layers[0].small;
    struct tables_table table;
    struct piece_counts counts;
    struct log log = {NULL, 0, 0};
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        small_image_init(&layers[i].small, 9, 2 * 64 * 512, 2, 12);
        small_image_l1(&layers[i].small, 2, 0, 8);
        small_image_l2(&layers[i].small, 8, 0, 9 * 512, 0);
    }
    small_image_put(small, 2 * 512 + 8, 512); /* a damaged one: it is on the refcount table */
    small_image_l1(small, 10, 1, 11);         /* the other L1 table, with one cluster less */
    small_image_l2(small, 11, 5, 9 * 512, 0);
    small_image_open(small, 12 * 512);
    small_image_open(&layers[1].small, 12 * 512);
    chain_add(&chain);
    chain_add(&chain);
    assert_int_equal(chain.run.n_skips, 1);

    table = small_image_table(small);
    table.l1_off = 10 * 512;
    assert_int_equal(chain_layers_set_top(&chain.run, &small->image, &table, &err), 0);
    assert_int_equal(chain.run.n_list, 2);
    assert_int_equal(chain.run.n_skips, 0);
    assert_int_equal(chain.run.list[0].l1_off, 10 * 512);
    assert_int_equal(chain.run.list[0].image_file, 0);
    counts = walk(&chain, false, 0, chain.run.end, (struct piece_sink){log_batch, &log});
    assert_int_equal(counts.mapped_bytes, 2 * 512); /* one of each */

    small->memory.fail_at = small->memory.n_requests + 1;
    assert_int_equal(chain_layers_set_top(&chain.run, &small->image, &table, &err), -EIO);
    assert_int_equal(chain.run.n_list, 2);
    assert_int_equal(chain.run.list[0].l1_off, 10 * 512);
    format_findings_free(&table.findings);
    free(log.list);
    chain_free(&chain);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_top_may_change),
        cmocka_unit_test(a_slice_is_read_where_the_layers_above_leave_something_open),
        cmocka_unit_test(a_slice_that_lies_wholly_below_others_is_not_read),
        cmocka_unit_test(a_short_layer_hides_what_a_longer_one_below_it_has),
        cmocka_unit_test(the_last_cluster_of_the_image_itself_counts_whole),
        cmocka_unit_test(what_is_seen_in_part_is_counted_once),
        cmocka_unit_test(a_blob_is_read_again_at_each_border_above_it),
        cmocka_unit_test(what_the_sink_returns_stops_the_walk),
        cmocka_unit_test(a_failing_disk_is_an_error),
        cmocka_unit_test(a_table_named_very_often_is_left_out),
        cmocka_unit_test(what_is_left_of_the_walks_is_for_the_layers_below),
        cmocka_unit_test(slices_in_a_hole_are_not_read),
        cmocka_unit_test(a_table_on_other_metadata_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
