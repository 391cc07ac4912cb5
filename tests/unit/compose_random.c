// SPDX-License-Identifier: MIT
/*
 * Proves that a walk along a chain gives each sector to the topmost layer that has it, reads each
 * slice of a table when it is first needed, and can be cut wherever it may: random layers against a
 * comparison sector by sector. The rules by hand are in compose.c.
 */
#include "made_chain.h"

#include "chained.h"
#include "same_meter.h"
#include "window.h"
#include "workers.h"

/* ---- what should come out ---- */

/* Sector by sector, from the definitions. */
struct naive {
    const struct chain *chain;
    struct log log;
    bool zeros;
    uint64_t slice[LAYERS_MAX]; /* read last */
    bool read;                  /* a table, since the last sector */
    uint32_t piece;             /* that is open, */
    size_t piece_layer;         /* of this layer, or LAYERS_MAX */
};

/* In images of this size a slice is the whole table. */
static void naive_table(struct naive *naive, size_t depth, uint64_t sector)
{
    const struct layer *layer = &naive->chain->layers[depth];
    uint64_t off;

    if (layer->raw)
        return;
    off = layer->l2_off[sector * SECTOR / layer->span];
    if (off != 0 && off != naive->slice[depth]) {
        log_table(&naive->log, (uint16_t)depth, off, off + layer->small.cluster_bytes);
        naive->slice[depth] = off;
        naive->read = true;
    }
}

/*
 * Does a new request reach the layer here? Images above it cut one at the borders of their slices,
 * and where of clusters that they do not hold one has a place and the other has not, or another.
 */
static bool begins_request(const struct chain *chain, size_t depth, uint64_t off)
{
    if (off % (UINT64_C(1) << 20) == 0)
        return true;
    for (size_t i = 0; i <= depth; i++)
        if (!chain->layers[i].raw && off % chain->layers[i].span == 0)
            return true;
    for (size_t i = 0; i < depth; i++) {
        const uint64_t *host = &chain->layers[i].host[sectors_of(off)];

        if (host[0] != (host[-1] == 0 ? 0 : host[-1] + SECTOR))
            return true;
    }
    return false;
}

/* A table that is read on the way cuts data, but not a blob, which is read whole. */
static void naive_piece(struct naive *naive, size_t depth, uint64_t at)
{
    const struct sector *sector = &naive->chain->layers[depth].sectors[at];
    bool cut = at * SECTOR % naive->chain->run.part_bytes == 0 ||
               (naive->read && sector->said != COMPRESSED);
    struct event *last;

    if (naive->piece_layer == depth && naive->piece == sector->piece && !cut) {
        last = &naive->log.list[naive->log.n_list - 1];
        while (last->table)
            last--;
        last->guest_bytes += SECTOR;
        last->end = sector->end;
        last->again += last->said == COMPRESSED && sector->end - sector->begin > 512 &&
                       at * SECTOR < naive->chain->layers[0].virtual_bytes &&
                       begins_request(naive->chain, depth, at * SECTOR);
    } else {
        last = log_add(&naive->log);
        *last = (struct event){.file = (uint16_t)depth,
                               .said = sector->said,
                               .guest_off = at * SECTOR,
                               .guest_bytes = SECTOR,
                               .begin = sector->begin,
                               .end = sector->end};
    }
    naive->piece_layer = depth;
    naive->piece = sector->piece;
}

static void naive_sector(struct naive *naive, uint64_t at)
{
    const struct chain *chain = naive->chain;
    uint64_t disk = chain->layers[0].virtual_bytes;

    naive->read = false;
    for (size_t depth = 0; depth < chain->n; depth++) {
        const struct layer *layer = &chain->layers[depth];
        uint8_t said;

        if (depth > 0 && (at * SECTOR >= layer->virtual_bytes || at * SECTOR >= disk))
            break;
        naive_table(naive, depth, at);
        said = layer->sectors[at].said;
        if (said == NOTHING)
            continue;
        if (said == DATA || said == COMPRESSED || (said != HIDDEN && naive->zeros)) {
            naive_piece(naive, depth, at);
            return;
        }
        break;
    }
    naive->piece_layer = LAYERS_MAX;
}

static struct log naive_log(const struct chain *chain, bool zeros)
{
    struct naive naive = {.chain = chain, .zeros = zeros, .piece_layer = LAYERS_MAX};

    memset(naive.slice, 0xff, sizeof(naive.slice));
    for (uint64_t at = 0; at < sectors_of(chain->run.end); at++)
        naive_sector(&naive, at);
    return naive.log;
}

static void check_chain(const struct chain *chain)
{
    for (unsigned zeros = 0; zeros < 2; zeros++) {
        struct log ours = {NULL, 0, 0}, expected = naive_log(chain, zeros);

        walk(chain, zeros, 0, chain->run.end, (struct piece_sink){log_batch, &ours});
        assert_same_log(&ours, &expected);
        free(ours.list);
        free(expected.list);
    }
}

static void each_sector_comes_from_the_topmost_layer_that_has_it(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        struct chain chain = random_chain(seed, (enum sizes)(seed % 3));

        check_chain(&chain);
        chain_free(&chain);
    }
}

/* ---- cuts ---- */

static int meter_batch(void *context, const struct piece_batch *batch)
{
    meter_take(context, batch);
    return 0;
}

static struct meter *metered(const struct chain *chain, uint64_t begin, uint64_t end,
                             struct piece_counts *counts)
{
    struct meter *meter = meter_new(SECTOR, LAYERS_MAX);

    *counts = walk(chain, false, begin, end, (struct piece_sink){meter_batch, meter});
    return meter;
}

static void a_walk_can_be_cut_and_merged_wherever_tables_end(void **state)
{
    unsigned n_cuts = 0;

    (void)state;
    for (uint64_t seed = 200; seed < 230; seed++) {
        struct chain chain = random_chain(seed, SMALL);
        struct piece_counts whole_counts;
        struct meter *whole = metered(&chain, 0, chain.run.end, &whole_counts);

        for (uint64_t cut = 0; cut <= chain.run.end; cut += chain.run.part_bytes) {
            struct piece_counts counts, more;
            struct meter *left = metered(&chain, 0, cut, &counts);
            struct meter *right = metered(&chain, cut, chain.run.end, &more);

            meter_merge(left, right);
            piece_counts_add(&counts, &more);
            assert_same_meter(left, whole);
            assert_memory_equal(&counts, &whole_counts, sizeof(counts));
            meter_free(left);
            meter_free(right);
            n_cuts++;
        }
        meter_free(whole);
        chain_free(&chain);
    }
    assert_true(n_cuts > 100);
}

static void the_number_of_threads_changes_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 300; seed < 310; seed++) {
        struct chain chain = random_chain(seed, SMALL);
        struct piece_counts expected;
        struct meter *whole = metered(&chain, 0, chain.run.end, &expected);

        chain.run.l2_bytes = UINT64_C(1) << 40; /* as many parts as there may be */
        for (int threads = 1; threads <= 8; threads += 7) {
            struct workers workers;
            const struct walk_options options = {.workers = &workers};
            struct meter_set set;
            struct piece_counts counts;
            struct err err = {0};

            workers_init(&workers, threads);
            assert_int_equal(walk_chain(&chain.run, &chain.layers[0].small.image.header, LAYERS_MAX,
                                        &set, &counts, &options, &err),
                             0);
            assert_same_meter(set.plain, whole);
            assert_memory_equal(&counts, &expected, sizeof(counts));
            meter_set_free(&set);
        }
        meter_free(whole);
        chain_free(&chain);
    }
}

/* ---- windows ---- */

/* What does not fit in a window is as if nothing had happened, and comes in smaller ones. */
static void windows_of_any_size_give_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 400; seed < 420; seed++) {
        struct chain chain = random_chain(seed, (enum sizes)(seed % 3));
        struct chain_window *large = chain_window_new(&chain.run, true);
        struct chain_window *small = chain_window_new(&chain.run, true);
        struct err err = {0};
        size_t at = 0;
        struct piece_counts sum = {0};

        assert_int_equal(chain_window_compose(large, 0, chain.run.end, SIZE_MAX, &err), 1);
        if (large->n_ranges > 0)
            assert_int_equal(
                chain_window_compose(small, 0, chain.run.end, large->n_ranges / 2, &err), 0);
        for (uint64_t off = 0; off < chain.run.end; off += chain.run.window_bytes) {
            uint64_t end = off + chain.run.window_bytes;

            end = end < chain.run.end ? end : chain.run.end;
            assert_int_equal(chain_window_compose(small, off, end, SIZE_MAX, &err), 1);
            piece_counts_add(&sum, &small->counts);
            for (size_t i = 0; i < small->n_ranges; i++, at++) {
                const struct chain_range *a = &small->ranges[i], *b = &large->ranges[at];

                assert_true(at < large->n_ranges);
                /* Stretches of a raw file are cut at windows: nothing else is. */
                if (chain.layers[b->layer].raw) {
                    while (i + 1 < small->n_ranges && small->ranges[i + 1].layer == b->layer)
                        i++;
                    continue;
                }
                assert_int_equal(a->guest_off, b->guest_off);
                assert_int_equal(a->layer, b->layer);
                assert_int_equal(a->kind, b->kind);
            }
            if (chain.layers[chain.n - 1].raw)
                break; /* its stretches would have to be joined again */
        }
        if (!chain.layers[chain.n - 1].raw) {
            assert_int_equal(at, large->n_ranges);
            assert_memory_equal(&sum, &large->counts, sizeof(sum));
        }
        chain_window_free(large);
        chain_window_free(small);
        chain_free(&chain);
    }
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sector_comes_from_the_topmost_layer_that_has_it),
        cmocka_unit_test(a_walk_can_be_cut_and_merged_wherever_tables_end),
        cmocka_unit_test(the_number_of_threads_changes_nothing),
        cmocka_unit_test(windows_of_any_size_give_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
