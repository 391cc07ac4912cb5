/* SPDX-License-Identifier: MIT */
/* Chains of images in memory, what each says of its sectors, and what a walk along them gives. */
#ifndef UNIT_MADE_CHAIN_H
#define UNIT_MADE_CHAIN_H

#include "compose.h"

#include "dice.h"
#include "small_image.h"

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

static inline uint64_t sectors_of(uint64_t bytes)
{
    return bytes / SECTOR;
}

static inline void say(struct layer *layer, uint64_t guest_off, uint64_t bytes, uint8_t said,
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

static inline void add_subclusters(struct layer *layer, struct dice *dice, uint64_t l2,
                                   uint32_t index, uint64_t guest_off)
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

static inline void add_entry(struct layer *layer, struct dice *dice, uint64_t l2, uint32_t index,
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

static inline void make_qcow2(struct layer *layer, struct dice *dice, unsigned cluster_bits,
                              bool extended, uint64_t virtual_bytes)
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
static inline void make_raw(struct layer *layer, struct dice *dice, uint64_t virtual_bytes)
{
    layer->raw = true;
    layer->virtual_bytes = virtual_bytes;
    layer->memory = io_memory_of("", SECTOR * dice_below(dice, sectors_of(virtual_bytes) + 1));
    layer->memory.file_bytes = virtual_bytes;
    say(layer, 0, layer->memory.len, DATA, 0, 0);
    say(layer, layer->memory.len, virtual_bytes - layer->memory.len, ZERO, 0, 0);
}

static inline uint64_t raw_next_hole(struct io *io, uint64_t off)
{
    uint64_t len = ((struct io_memory *)io)->len;

    return off < len ? len : off;
}

/* ---- a chain ---- */

static inline void chain_add(struct chain *chain)
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
    struct tables_table table = small_image_table(&layer->small);
    assert_int_equal(chain_layers_add(&chain->run, &layer->small.image, &table, file, file, &err),
                     0);
    format_findings_free(&table.findings);
}

static inline void chain_free(struct chain *chain)
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
static inline struct chain random_chain(uint64_t seed, enum sizes sizes)
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

static inline struct event *log_add(struct log *log)
{
    if (log->n_list == log->cap_list) {
        log->cap_list = 2 * log->cap_list + 64;
        log->list = realloc(log->list, log->cap_list * sizeof(*log->list));
    }
    return &log->list[log->n_list++];
}

/* Neighbouring reads of one file are one, whoever joins them. */
static inline void log_table(struct log *log, uint16_t file, uint64_t begin, uint64_t end)
{
    struct event *last = log->n_list > 0 ? &log->list[log->n_list - 1] : NULL;

    if (last != NULL && last->table && last->file == file && last->end == begin)
        last->end = end;
    else
        *log_add(log) = (struct event){.table = true, .file = file, .begin = begin, .end = end};
}

static inline int log_batch(void *context, const struct piece_batch *batch)
{
    static const uint8_t said_of[] = {DATA, COMPRESSED, ZERO, ZERO_ALLOCATED};
    struct log *log = context;

    assert_false(piece_batch_is_empty(batch));
    assert_int_equal(batch->hole_bytes, 0);
    if (batch->l2_bytes > 0)
        log_table(log, batch->l2_file, batch->l2_off, batch->l2_off + batch->l2_bytes);
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

static inline void assert_same_log(const struct log *a, const struct log *b)
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

static inline struct piece_counts walk(const struct chain *chain, bool zeros, uint64_t begin,
                                       uint64_t end, struct piece_sink sink)
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

#endif
