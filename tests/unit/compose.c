// SPDX-License-Identifier: MIT
/*
 * Proves that a walk along a chain gives each sector to the topmost layer that has it, reads each
 * slice of a table when it is first needed, counts what is visible, and can be cut wherever it may:
 * random layers against a comparison sector by sector, and each rule once by hand.
 */
#include "compose.h"

#include "chained.h"
#include "dice.h"
#include "same_meter.h"
#include "small_image.h"
#include "window.h"
#include "workers.h"

#include <stdlib.h>

#define SECTOR 512
#define LAYERS_MAX 6
#define SECTORS_MAX 4096

/* ---- a layer, and what it says of each sector ---- */

enum said { NOTHING, DATA, COMPRESSED, ZERO, ZERO_ALLOCATED, HIDDEN };

struct sector {
    uint8_t said;
    uint32_t piece;      /* sectors of one piece have one number */
    uint64_t begin, end; /* host offsets: of this sector, or of the whole blob */
};

struct layer {
    bool raw;
    struct small_image small;
    struct io_memory memory; /* raw: next_data is asked of it */
    uint64_t virtual_bytes;
    uint64_t *l2_off; /* [L1 index]; 0: there is none */
    uint64_t span;
    struct sector sectors[SECTORS_MAX];
    uint64_t compressed, zero, zero_allocated; /* not counted here: see expect_counts */
    uint32_t cluster_of[SECTORS_MAX];
    uint64_t host[SECTORS_MAX]; /* where a sector has its place, held or not; 0: it has none */
};

struct chain {
    size_t n;
    struct layer *layers;
    struct chain_layers run;
};

static uint64_t sectors_of(uint64_t bytes)
{
    return bytes / SECTOR;
}

static void say(struct layer *layer, uint64_t guest_off, uint64_t bytes, uint8_t said,
                uint64_t begin, uint64_t end)
{
    static uint32_t pieces;

    pieces++;
    for (uint64_t at = 0; at < bytes && sectors_of(guest_off + at) < SECTORS_MAX; at += SECTOR) {
        struct sector *sector = &layer->sectors[sectors_of(guest_off + at)];

        *sector = (struct sector){.said = said, .piece = pieces, .begin = begin, .end = end};
        if (said == DATA || said == ZERO_ALLOCATED) {
            sector->begin = begin + at;
            sector->end = begin + at + SECTOR;
        }
    }
}

/* Host cluster numbers are below this; the file is as long. */
#define HOST_CLUSTERS 4000

static void add_subclusters(struct layer *layer, struct dice *dice, uint64_t l2, uint32_t index,
                            uint64_t guest_off)
{
    uint64_t sub = layer->small.cluster_bytes / 32;
    uint64_t host = (100 + dice_below(dice, HOST_CLUSTERS - 200)) * layer->small.cluster_bytes;
    uint32_t alloc = (uint32_t)(dice_u64(dice) & dice_u64(dice) & dice_u64(dice)), zero;
    unsigned next;

    if (dice_once_in(dice, 3))
        alloc = 0;
    zero = (uint32_t)(dice_u64(dice) & dice_u64(dice)) & ~alloc;
    small_image_l2(&layer->small, l2, index, host, (uint64_t)zero << 32 | alloc);
    for (uint64_t at = 0; at < 32 * sub && sectors_of(guest_off + at) < SECTORS_MAX; at += SECTOR)
        layer->host[sectors_of(guest_off + at)] = host + at;
    for (unsigned i = 0; i < 32; i = next) {
        uint8_t said = alloc >> i & 1 ? DATA : zero >> i & 1 ? ZERO_ALLOCATED : NOTHING;

        for (next = i + 1; next < 32; next++)
            if (said != (alloc >> next & 1 ? DATA : zero >> next & 1 ? ZERO_ALLOCATED : NOTHING))
                break;
        if (said != NOTHING)
            say(layer, guest_off + i * sub, (next - i) * sub, said, host + i * sub, 0);
    }
}

static void add_entry(struct layer *layer, struct dice *dice, uint64_t l2, uint32_t index,
                      uint64_t guest_off)
{
    uint64_t cluster_bytes = layer->small.cluster_bytes;
    uint64_t host = (100 + dice_below(dice, HOST_CLUSTERS - 200)) * cluster_bytes;
    unsigned shift = 62 - ((unsigned)__builtin_ctzll(cluster_bytes) - 8);
    uint64_t blob = host + dice_below(dice, 500);

    switch (dice_below(dice, 12)) {
    case 0:
    case 1:
        small_image_l2(&layer->small, l2, index,
                       FORMAT_ENTRY_COMPRESSED | UINT64_C(1) << shift | blob, 0);
        say(layer, guest_off, cluster_bytes, COMPRESSED, blob, (blob & ~UINT64_C(511)) + 1024);
        assert_true(blob >> shift == 0);
        break;
    case 2:
    case 3:
        if (layer->small.extended_l2)
            break;
        small_image_l2(&layer->small, l2, index, FORMAT_ENTRY_ZERO, 0);
        say(layer, guest_off, cluster_bytes, ZERO, 0, 0);
        break;
    case 4:
        if (layer->small.extended_l2)
            break;
        small_image_l2(&layer->small, l2, index, host | FORMAT_ENTRY_ZERO, 0);
        say(layer, guest_off, cluster_bytes, ZERO_ALLOCATED, host, host + cluster_bytes);
        break;
    case 5:
        if (!dice_once_in(dice, 4))
            break;
        small_image_l2(&layer->small, l2, index, UINT64_C(1) << 50, 0); /* past the end */
        say(layer, guest_off, cluster_bytes, HIDDEN, 0, 0);
        break;
    case 6:
    case 7:
    case 8:
        if (layer->small.extended_l2) {
            add_subclusters(layer, dice, l2, index, guest_off);
        } else {
            small_image_l2(&layer->small, l2, index, FORMAT_ENTRY_COPIED | host, 0);
            say(layer, guest_off, cluster_bytes, DATA, host, 0);
        }
        break;
    default:
        break; /* unallocated */
    }
}

static void make_qcow2(struct layer *layer, struct dice *dice, unsigned cluster_bits, bool extended,
                       uint64_t virtual_bytes)
{
    uint64_t cluster_bytes = UINT64_C(1) << cluster_bits;
    uint32_t entries = (uint32_t)(cluster_bytes / (extended ? 16 : 8)), n_l1;
    uint64_t first_l2;

    layer->span = entries * cluster_bytes;
    layer->virtual_bytes = virtual_bytes;
    n_l1 = (uint32_t)((virtual_bytes + layer->span - 1) / layer->span);
    first_l2 = 2 + (8 * (uint64_t)n_l1 + cluster_bytes - 1) / cluster_bytes;
    small_image_init(&layer->small, cluster_bits, virtual_bytes, n_l1, first_l2 + n_l1);
    if (extended)
        small_image_features(&layer->small, FORMAT_INCOMPAT_EXTENDED_L2);
    layer->l2_off = calloc(n_l1 + 1, sizeof(*layer->l2_off));
    for (uint32_t i = 0; i < n_l1; i++) {
        if (dice_once_in(dice, 3))
            continue;
        if (dice_once_in(dice, 20)) { /* a damaged L1 entry hides all that it would map */
            small_image_put(&layer->small, 2 * cluster_bytes + 8 * (uint64_t)i, UINT64_C(1) << 50);
            say(layer, i * layer->span, layer->span, HIDDEN, 0, 0);
            continue;
        }
        small_image_l1(&layer->small, 2, i, first_l2 + i);
        layer->l2_off[i] = (first_l2 + i) * cluster_bytes;
        for (uint32_t k = 0; k < entries; k++) {
            uint64_t guest_off = i * layer->span + k * cluster_bytes;

            if (guest_off < virtual_bytes && sectors_of(guest_off) < SECTORS_MAX)
                add_entry(layer, dice, first_l2 + i, k, guest_off);
        }
    }
    small_image_open(&layer->small, HOST_CLUSTERS * cluster_bytes);
}

/* Data up to some place, then a hole. */
static void make_raw(struct layer *layer, struct dice *dice, uint64_t virtual_bytes)
{
    layer->raw = true;
    layer->virtual_bytes = virtual_bytes;
    layer->memory = io_memory_of("", SECTOR * dice_below(dice, sectors_of(virtual_bytes) + 1));
    layer->memory.file_bytes = virtual_bytes;
    say(layer, 0, layer->memory.len, DATA, 0, 0);
    say(layer, layer->memory.len, virtual_bytes - layer->memory.len, ZERO, 0, 0);
}

static uint64_t raw_next_hole(struct io *io, uint64_t off)
{
    uint64_t len = ((struct io_memory *)io)->len;

    return off < len ? len : off;
}

/* ---- a chain ---- */

static void chain_add(struct chain *chain)
{
    static struct io_ops raw_ops;
    struct layer *layer = &chain->layers[chain->n];
    uint16_t file = (uint16_t)chain->n++;
    struct err err = {0};

    if (layer->raw) {
        raw_ops = *layer->memory.io.ops;
        raw_ops.next_hole = raw_next_hole;
        layer->memory.io.ops = &raw_ops;
        assert_int_equal(chain_layers_add_raw(&chain->run, &layer->memory.io,
                                              layer->memory.file_bytes, layer->virtual_bytes, file,
                                              &err),
                         0);
        return;
    }
    struct table table = small_image_table(&layer->small);
    assert_int_equal(chain_layers_add(&chain->run, &layer->small.image, &table, file, file, &err),
                     0);
    format_findings_free(&table.findings);
}

static void chain_free(struct chain *chain)
{
    chain_layers_free(&chain->run);
    for (size_t i = 0; i < chain->n; i++) {
        free(chain->layers[i].l2_off);
        if (!chain->layers[i].raw)
            small_image_free(&chain->layers[i].small);
    }
    free(chain->layers);
}

enum sizes { SMALL, LARGE, MIXED };

/* Clusters: small ones, and many parts; or 16 KiB and more, with subclusters, and one part. */
static struct chain random_chain(uint64_t seed, enum sizes sizes)
{
    static const unsigned small[] = {9, 10}, large[] = {14, 15}, mixed[] = {9, 12, 14, 16};
    struct dice dice = dice_of(seed);
    struct chain chain = {.layers = calloc(LAYERS_MAX, sizeof(struct layer))};
    size_t n = 1 + dice_below(&dice, LAYERS_MAX);

    for (size_t i = 0; i < n; i++) {
        uint64_t sectors = 200 + dice_below(&dice, SECTORS_MAX - 200);
        unsigned bits = sizes == SMALL   ? small[dice_below(&dice, 2)]
                        : sizes == LARGE ? large[dice_below(&dice, 2)]
                                         : mixed[dice_below(&dice, 4)];

        if (i > 0 && i + 1 == n && dice_once_in(&dice, 2))
            make_raw(&chain.layers[i], &dice, sectors * SECTOR);
        else
            make_qcow2(&chain.layers[i], &dice, bits, bits >= 14 && dice_once_in(&dice, 2),
                       sectors * SECTOR);
        chain_add(&chain);
    }
    return chain;
}

/* ---- what comes out, and what should ---- */

struct event {
    bool table;
    uint16_t file;
    uint8_t said;
    uint64_t guest_off, guest_bytes, begin, end;
    unsigned again; /* times that it is read again */
};

struct log {
    struct event *list;
    size_t n_list, cap_list;
};

static struct event *log_add(struct log *log)
{
    if (log->n_list == log->cap_list) {
        log->cap_list = 2 * log->cap_list + 64;
        log->list = realloc(log->list, log->cap_list * sizeof(*log->list));
    }
    return &log->list[log->n_list++];
}

/* Neighbouring reads of one file are one, whoever joins them. */
static void log_table(struct log *log, uint16_t file, uint64_t begin, uint64_t end)
{
    struct event *last = log->n_list > 0 ? &log->list[log->n_list - 1] : NULL;

    if (last != NULL && last->table && last->file == file && last->end == begin)
        last->end = end;
    else
        *log_add(log) = (struct event){.table = true, .file = file, .begin = begin, .end = end};
}

static int log_batch(void *context, const struct piece_batch *batch)
{
    static const uint8_t said_of[] = {DATA, COMPRESSED, ZERO, ZERO_ALLOCATED};
    struct log *log = context;

    assert_false(piece_batch_is_empty(batch));
    assert_int_equal(batch->hole_bytes, 0);
    if (batch->table_bytes > 0)
        log_table(log, batch->table_file, batch->table_off, batch->table_off + batch->table_bytes);
    for (uint32_t i = 0; i < batch->n; i++) {
        struct piece piece = piece_batch_piece(batch, i);
        bool mapped = piece.kind == PIECE_DATA || piece.kind == PIECE_COMPRESSED;

        assert_int_equal(piece.mapped_bytes, mapped ? piece.guest_bytes : 0);
        assert_int_equal(piece.missing, 0);
        *log_add(log) = (struct event){.file = piece.file,
                                       .said = said_of[piece.kind],
                                       .guest_off = piece.guest_off,
                                       .guest_bytes = piece.guest_bytes,
                                       .begin = piece.begin,
                                       .end = piece.end};
    }
    if (batch->again_bytes > 0) {
        struct event *last = &log->list[log->n_list - 1];

        while (last->table)
            last--;
        assert_int_equal(last->said, COMPRESSED);
        assert_int_equal(batch->again_file, last->file);
        assert_int_equal(batch->again_off, last->begin);
        assert_int_equal(batch->again_bytes, last->end - last->begin);
        assert_int_equal(batch->again_blob_bytes, batch->again_bytes);
        last->again++;
    }
    return 0;
}

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

static void assert_same_log(const struct log *a, const struct log *b)
{
    assert_int_equal(a->n_list, b->n_list);
    for (size_t i = 0; i < a->n_list; i++) {
        assert_int_equal(a->list[i].table, b->list[i].table);
        assert_int_equal(a->list[i].file, b->list[i].file);
        assert_int_equal(a->list[i].said, b->list[i].said);
        assert_int_equal(a->list[i].guest_off, b->list[i].guest_off);
        assert_int_equal(a->list[i].guest_bytes, b->list[i].guest_bytes);
        assert_int_equal(a->list[i].begin, b->list[i].begin);
        assert_int_equal(a->list[i].end, b->list[i].end);
        assert_int_equal(a->list[i].again, b->list[i].again);
    }
}

static struct piece_counts walk(const struct chain *chain, bool zeros, uint64_t begin, uint64_t end,
                                struct piece_sink sink)
{
    struct chain_compose *compose = chain_compose_new(&chain->run, zeros);
    struct piece_counts counts = {0};
    struct err err = {0};

    assert_non_null(compose);
    if (chain_compose_part(compose, begin, end, sink, &counts, &err) < 0)
        fail_msg("%s", err.text);
    chain_compose_free(compose);
    return counts;
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

        chain.run.table_bytes = UINT64_C(1) << 40; /* as many parts as there may be */
        for (int threads = 1; threads <= 8; threads += 7) {
            struct workers workers;
            const struct walk_options options = {.workers = &workers};
            struct meter_pair pair;
            struct piece_counts counts;
            struct err err = {0};

            workers_init(&workers, threads);
            assert_int_equal(walk_chain(&chain.run, LAYERS_MAX, &pair, &counts, &options, &err), 0);
            assert_same_meter(pair.plain, whole);
            assert_memory_equal(&counts, &expected, sizeof(counts));
            meter_pair_free(&pair);
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

/* ---- by hand ---- */

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
    struct table table;
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
        assert_int_equal(window->ranges[i].kind, CHAIN_RANGE_TABLE);
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
    struct table table;
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
        cmocka_unit_test(each_sector_comes_from_the_topmost_layer_that_has_it),
        cmocka_unit_test(a_walk_can_be_cut_and_merged_wherever_tables_end),
        cmocka_unit_test(the_number_of_threads_changes_nothing),
        cmocka_unit_test(windows_of_any_size_give_the_same),
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
