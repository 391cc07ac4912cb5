/* SPDX-License-Identifier: MIT */
/*
 * An L2 table in memory, what a walk makes of it, and what the plain words of the definitions make
 * of it, one entry after the other.
 */
#ifndef UNIT_MADE_L2_H
#define UNIT_MADE_L2_H

#include "l2.h"

#include "finding.h"
#include "header.h"
#include "vec.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

#define COPIED FORMAT_ENTRY_COPIED
#define COMPRESSED FORMAT_ENTRY_COMPRESSED
#define ZERO FORMAT_ENTRY_ZERO
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define L2_OFF UINT64_C(0x400000) /* where the table lies in the file */

/* ---- a table, and what a walk makes of it ---- */

struct tables_table {
    struct format_header header;
    struct format_entry_rules entry_rules;
    uint64_t virtual_bytes;
    uint64_t slices_for_bytes; /* the disk size that decides about slices */
    uint32_t l1_index;
    uint64_t *words, *bitmaps; /* host byte order; header.l2_entries of each */
};

static inline struct tables_table table_of(unsigned cluster_bits, bool extended_l2)
{
    struct tables_table table = {0};

    table.header.version = 3;
    table.header.cluster_bits = cluster_bits;
    table.header.cluster_bytes = UINT64_C(1) << cluster_bits;
    table.header.extended_l2 = extended_l2;
    table.header.l2_entry_bytes = extended_l2 ? 16 : 8;
    table.header.l2_bits = cluster_bits - (extended_l2 ? 4 : 3);
    table.header.l2_entries = UINT32_C(1) << table.header.l2_bits;
    table.entry_rules = (struct format_entry_rules){.cluster_bits = cluster_bits,
                                                    .cluster_bytes = table.header.cluster_bytes,
                                                    .file_bytes = TIB,
                                                    .extended_l2 = extended_l2};
    table.virtual_bytes = format_l2_span(&table.header);
    table.words = calloc(table.header.l2_entries, sizeof(*table.words));
    table.bitmaps = calloc(table.header.l2_entries, sizeof(*table.bitmaps));
    assert_non_null(table.words);
    assert_non_null(table.bitmaps);
    return table;
}

static inline void table_free(struct tables_table *table)
{
    free(table->words);
    free(table->bitmaps);
}

static inline uint64_t cluster(const struct tables_table *table, uint64_t n)
{
    return n * table->header.cluster_bytes;
}

static inline uint64_t guest_off_of(const struct tables_table *table, uint32_t index)
{
    return table->l1_index * format_l2_span(&table->header) + cluster(table, index);
}

/* A read of L2 table: so many pieces came before it. */
struct slice_read {
    uint64_t off, bytes;
    size_t n_pieces;
};

struct outcome {
    struct piece_counts counts;
    struct format_findings findings;
    struct piece *pieces;
    size_t n_pieces, cap_pieces;
    struct slice_read *slices;
    size_t n_slices, cap_slices;
    unsigned n_uniform, n_general; /* batches of each shape */
};

static inline void outcome_free(struct outcome *outcome)
{
    free(outcome->slices);
    format_findings_free(&outcome->findings);
    free(outcome->pieces);
}

static inline void add_piece(struct outcome *outcome, struct piece piece)
{
    assert_int_equal(vec_reserve(outcome, pieces), 0);
    outcome->pieces[outcome->n_pieces++] = piece;
}

/* A blob that is read again is a piece that holds nothing. */
static inline void add_again(struct outcome *outcome, uint64_t begin, uint64_t end)
{
    add_piece(outcome, (struct piece){.kind = PIECE_COMPRESSED, .begin = begin, .end = end});
}

/* Slices with nothing between them are one read. */
static inline void add_slice(struct outcome *outcome, uint64_t off, uint64_t bytes)
{
    size_t n = outcome->n_slices;

    if (n > 0 && outcome->slices[n - 1].n_pieces == outcome->n_pieces &&
        outcome->slices[n - 1].off + outcome->slices[n - 1].bytes == off) {
        outcome->slices[n - 1].bytes += bytes;
        return;
    }
    assert_int_equal(vec_reserve(outcome, slices), 0);
    outcome->slices[outcome->n_slices++] = (struct slice_read){off, bytes, outcome->n_pieces};
}

/* What batch.h says of the shape of a batch. */
static inline void check_shape(const struct piece_batch *batch)
{
    assert_false(piece_batch_is_empty(batch));
    assert_int_equal(batch->hole_bytes, 0);
    assert_in_range(batch->n, 0, PIECE_BATCH_MAX);
    if (batch->n == 0 || !batch->uniform)
        return;
    assert_int_equal(batch->n % 64, 0);
    for (uint32_t i = 1; i < batch->n; i++) {
        bool told = batch->breaks[i / 64] >> (i % 64) & 1;

        assert_int_equal(told, batch->begin[i] != batch->begin[i - 1] + batch->cluster_bytes);
    }
}

static inline int collect(void *context, const struct piece_batch *batch)
{
    struct outcome *outcome = context;

    check_shape(batch);
    if (batch->l2_bytes > 0) {
        assert_int_equal(batch->l2_file, PIECE_FILE_IMAGE);
        add_slice(outcome, batch->l2_off, batch->l2_bytes);
    }
    outcome->n_uniform += batch->n > 0 && batch->uniform;
    outcome->n_general += batch->n > 0 && !batch->uniform;
    for (uint32_t i = 0; i < batch->n; i++)
        add_piece(outcome, piece_batch_piece(batch, i));
    if (batch->again_bytes > 0) {
        assert_int_equal(batch->again_file, PIECE_FILE_IMAGE);
        assert_int_equal(batch->again_blob_bytes, batch->again_bytes);
        add_again(outcome, batch->again_off, batch->again_off + batch->again_bytes);
    }
    return 0;
}

/* The bytes of the table, as they lie in the file. */
static inline uint64_t *raw_of(const struct tables_table *table)
{
    uint64_t *raw = malloc(table->header.cluster_bytes);

    assert_non_null(raw);
    for (uint32_t i = 0; i < table->header.l2_entries; i++) {
        if (table->header.extended_l2) {
            raw[2 * i] = htobe64(table->words[i]);
            raw[2 * i + 1] = htobe64(table->bitmaps[i]);
        } else {
            raw[i] = htobe64(table->words[i]);
        }
    }
    return raw;
}

static inline struct outcome walk(const struct tables_table *table, enum tables_pieces pieces,
                                  size_t chunk_bytes)
{
    struct tables_l2_rules rules = tables_l2_rules_of(
        &table->header, &table->entry_rules,
        table->slices_for_bytes > 0 ? table->slices_for_bytes : table->virtual_bytes, pieces);
    struct piece_batch *batch = malloc(sizeof(*batch));
    struct outcome outcome = {0};
    struct tables_l2_output output = {.sink = {collect, &outcome},
                                      .counts = &outcome.counts,
                                      .findings = &outcome.findings,
                                      .table_name = ""};
    struct tables_l2_decoder walk;
    uint64_t *raw = raw_of(table);
    size_t table_bytes = table->header.cluster_bytes;

    assert_non_null(batch);
    memset(batch, 0xa5, sizeof(*batch)); /* what was there before must not matter */
    tables_l2_begin(&walk, &rules, output, batch, L2_OFF, table->l1_index, table->virtual_bytes);
    for (size_t at = 0; at < table_bytes; at += chunk_bytes) {
        size_t left = table_bytes - at;

        assert_int_equal(
            tables_l2_chunk(&walk, raw + at / 8, left < chunk_bytes ? left : chunk_bytes), 0);
    }
    assert_int_equal(tables_l2_end(&walk), 0);
    free(raw);
    free(batch);
    return outcome;
}

static inline struct outcome walk_whole(const struct tables_table *table)
{
    return walk(table, TABLES_PIECES_MAPPED, table->header.cluster_bytes);
}

static inline void fill_in_order(struct tables_table *table, uint64_t first)
{
    for (uint32_t i = 0; i < table->header.l2_entries; i++)
        table->words[i] = COPIED | cluster(table, first + i);
}

/* ---- the same, by the words of doc/definitions.md ---- */

#define PARTS 32 /* of a cluster: subclusters, or as fine */

struct naive {
    const struct tables_table *table;
    enum tables_pieces pieces;
    uint32_t slice_entries;
    bool reading;                   /* the part before is data of the same read, but for a break */
    uint64_t read_end;              /* and ended here in the file */
    uint64_t begin, unbroken_begin; /* on the guest disk; without any break */
    uint64_t kept;                  /* zero clusters that keep space, since the last data */
    bool kept_counts;
    uint64_t next; /* formula of check */
    struct outcome *outcome;
};

static inline void naive_check(struct naive *naive, uint64_t word, uint64_t bitmap)
{
    const struct format_entry_rules *rules = &naive->table->entry_rules;
    struct piece_counts *counts = &naive->outcome->counts;
    uint64_t off = word & UINT64_C(0x00fffffffffffe00);
    bool zero_flag = (word & ZERO) && !rules->extended_l2;

    if (word & COMPRESSED) {
        if (rules->external_data || bitmap != 0)
            return;
        counts->check_allocated++;
        counts->check_compressed++;
        counts->check_fragmented++;
        return;
    }
    if (off == 0 && !(rules->external_data && (word & COPIED) && !zero_flag))
        return;
    counts->check_allocated++;
    if (naive->next != 0 && off != naive->next)
        counts->check_fragmented++;
    naive->next = off + rules->cluster_bytes;
}

static inline void naive_reads(struct naive *naive, const struct format_entry *entry,
                               uint32_t index)
{
    const struct tables_table *table = naive->table;
    struct piece_counts *counts = &naive->outcome->counts;
    uint64_t part_bytes = table->header.cluster_bytes / PARTS;
    bool encrypted = table->header.crypt != FORMAT_CRYPT_NONE;
    uint64_t most = encrypted ? 32 * table->header.cluster_bytes : UINT64_MAX;

    for (unsigned i = 0; i < PARTS; i++) {
        uint64_t guest_off = guest_off_of(table, index) + i * part_bytes;
        uint64_t host_off = entry->begin + i * part_bytes;
        bool border = guest_off % MIB == 0 || (i == 0 && index % naive->slice_entries == 0);

        if (guest_off >= table->virtual_bytes)
            return;
        if (!(entry->alloc >> i & 1)) {
            naive->reading = false;
            continue;
        }
        if (!naive->reading || border || guest_off - naive->unbroken_begin == most) {
            counts->reads_unbroken++;
            naive->unbroken_begin = guest_off;
        }
        if (!naive->reading || border || host_off != naive->read_end ||
            guest_off - naive->begin == most) {
            counts->reads++;
            naive->begin = guest_off;
        }
        naive->reading = true;
        naive->read_end = host_off + part_bytes;
    }
}

/* One piece for each stretch of subclusters that are alike. */
static inline void naive_subclusters(struct naive *naive, const struct format_entry *entry,
                                     uint32_t index)
{
    uint64_t part_bytes = naive->table->header.cluster_bytes / PARTS;
    bool has_cluster = entry->kind != FORMAT_ZERO_PLAIN;
    int before = -1;

    for (unsigned i = 0; i < PARTS; i++) {
        int now = entry->alloc >> i & 1  ? PIECE_DATA
                  : entry->zero >> i & 1 ? (has_cluster ? PIECE_ZERO_ALLOCATED : PIECE_ZERO)
                                         : -1;
        struct piece *last;

        if (now >= 0 && now != before)
            add_piece(
                naive->outcome,
                (struct piece){.kind = (enum piece_kind)now,
                               .guest_off = guest_off_of(naive->table, index) + i * part_bytes,
                               .begin = has_cluster ? entry->begin + i * part_bytes : 0,
                               .end = has_cluster ? entry->begin + i * part_bytes : 0});
        before = now;
        if (now < 0)
            continue;
        last = &naive->outcome->pieces[naive->outcome->n_pieces - 1];
        last->guest_bytes += part_bytes;
        last->end += has_cluster ? part_bytes : 0;
        last->mapped_bytes += now == PIECE_DATA ? part_bytes : 0;
    }
}

/* What is left of the last host cluster that the blob touches. */
static inline uint32_t naive_slack(const struct naive *naive, const struct format_entry *entry)
{
    uint64_t used = entry->end % naive->table->header.cluster_bytes;

    return used == 0 ? 0 : (uint32_t)(naive->table->header.cluster_bytes - used);
}

static inline void naive_piece(struct naive *naive, const struct format_entry *entry,
                               uint32_t index, enum piece_kind kind, uint64_t mapped_bytes)
{
    add_piece(naive->outcome,
              (struct piece){.kind = kind,
                             .guest_off = guest_off_of(naive->table, index),
                             .guest_bytes = naive->table->header.cluster_bytes,
                             .begin = entry->begin,
                             .end = kind == PIECE_ZERO ? 0 : entry->end,
                             .mapped_bytes = mapped_bytes,
                             .missing = kind == PIECE_DATA ? ~entry->alloc : 0,
                             .slack = kind == PIECE_COMPRESSED ? naive_slack(naive, entry) : 0,
                             .file = naive->table->header.external_data});
}

/* What keeps space is a gap between the data of a slice; the tables of small clusters are data. */
static inline void naive_gap_ends(struct naive *naive, bool among)
{
    uint64_t bytes = naive->kept * naive->table->header.cluster_bytes;

    if (among && naive->kept_counts)
        naive->outcome->counts.kept_gap_bytes += bytes < 745500 ? bytes : 745500;
    naive->kept = 0;
}

static inline void naive_entry(struct naive *naive, uint32_t index)
{
    const struct tables_table *table = naive->table;
    struct piece_counts *counts = &naive->outcome->counts;
    uint64_t cluster_bytes = table->header.cluster_bytes, held = 0;
    bool by_subclusters = naive->pieces == TABLES_PIECES_DETAIL && table->header.extended_l2;
    struct format_entry entry = format_entry_of(&table->entry_rules, table->words[index],
                                                table->bitmaps[index], guest_off_of(table, index));

    counts->corrupt_entries += entry.damage != FORMAT_SOUND;
    naive->kept += entry.kind == FORMAT_ZERO_ALLOCATED;
    if (entry.kind == FORMAT_STANDARD || entry.kind == FORMAT_COMPRESSED) {
        naive_gap_ends(naive, true);
        naive->kept_counts = true;
    }
    switch (entry.kind) {
    case FORMAT_STANDARD:
        for (unsigned i = 0; i < PARTS; i++)
            held += entry.alloc >> i & 1 ? cluster_bytes / PARTS : 0;
        counts->mapped_clusters++;
        counts->mapped_bytes += held;
        naive_reads(naive, &entry, index);
        if (by_subclusters)
            naive_subclusters(naive, &entry, index);
        else
            naive_piece(naive, &entry, index, PIECE_DATA, held);
        return;
    case FORMAT_COMPRESSED:
        counts->mapped_clusters++;
        counts->mapped_bytes += cluster_bytes;
        counts->compressed_clusters++;
        naive_piece(naive, &entry, index, PIECE_COMPRESSED, cluster_bytes);
        for (uint64_t at = 0; at < cluster_bytes; at += MIB) {
            if (guest_off_of(table, index) + at >= table->virtual_bytes)
                break;
            counts->reads++;
            counts->reads_unbroken++;
            if (at > 0 && entry.end - entry.begin > 512)
                add_again(naive->outcome, entry.begin, entry.end);
        }
        break;
    case FORMAT_ZERO_PLAIN:
    case FORMAT_ZERO_ALLOCATED:
        counts->zero_clusters++;
        counts->zero_allocated_clusters += entry.kind == FORMAT_ZERO_ALLOCATED;
        if (by_subclusters)
            naive_subclusters(naive, &entry, index);
        else if (naive->pieces != TABLES_PIECES_MAPPED)
            naive_piece(naive, &entry, index,
                        entry.kind == FORMAT_ZERO_PLAIN ? PIECE_ZERO : PIECE_ZERO_ALLOCATED, 0);
        break;
    default:
        break;
    }
    naive->reading = false;
}

static inline struct outcome walk_naive(const struct tables_table *table, enum tables_pieces pieces)
{
    struct outcome outcome = {0};
    struct naive naive = {.table = table, .pieces = pieces, .outcome = &outcome};

    naive.slice_entries =
        tables_l2_slice_bytes(&table->header, table->slices_for_bytes > 0 ? table->slices_for_bytes
                                                                          : table->virtual_bytes) /
        table->header.l2_entry_bytes;
    for (uint32_t i = 0; i < table->header.l2_entries; i++) {
        if (i % naive.slice_entries == 0) {
            naive_gap_ends(&naive, table->header.cluster_bytes < 65536);
            naive.kept_counts = table->header.cluster_bytes < 65536;
        }
        if (i % naive.slice_entries == 0 && guest_off_of(table, i) < table->virtual_bytes)
            add_slice(&outcome, L2_OFF + i * table->header.l2_entry_bytes,
                      naive.slice_entries * table->header.l2_entry_bytes);
        naive_check(&naive, table->words[i], table->bitmaps[i]);
        if (guest_off_of(table, i) < table->virtual_bytes)
            naive_entry(&naive, i);
    }
    naive_gap_ends(&naive, table->header.cluster_bytes < 65536);
    return outcome;
}

/* ---- comparing ---- */

static inline void assert_same_counts(const struct piece_counts *a, const struct piece_counts *b)
{
    assert_int_equal(a->mapped_clusters, b->mapped_clusters);
    assert_int_equal(a->mapped_bytes, b->mapped_bytes);
    assert_int_equal(a->compressed_clusters, b->compressed_clusters);
    assert_int_equal(a->zero_clusters, b->zero_clusters);
    assert_int_equal(a->zero_allocated_clusters, b->zero_allocated_clusters);
    assert_int_equal(a->corrupt_entries, b->corrupt_entries);
    assert_int_equal(a->reads_unbroken, b->reads_unbroken);
    assert_int_equal(a->reads, b->reads);
    assert_int_equal(a->check_allocated, b->check_allocated);
    assert_int_equal(a->check_fragmented, b->check_fragmented);
    assert_int_equal(a->check_compressed, b->check_compressed);
    assert_memory_equal(a, b, sizeof(*a)); /* and what may be added */
}

static inline void assert_same_pieces(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->n_pieces, b->n_pieces);
    for (size_t i = 0; i < a->n_pieces; i++) {
        assert_int_equal(a->pieces[i].kind, b->pieces[i].kind);
        assert_int_equal(a->pieces[i].guest_off, b->pieces[i].guest_off);
        assert_int_equal(a->pieces[i].guest_bytes, b->pieces[i].guest_bytes);
        assert_int_equal(a->pieces[i].begin, b->pieces[i].begin);
        assert_int_equal(a->pieces[i].end, b->pieces[i].end);
        assert_int_equal(a->pieces[i].mapped_bytes, b->pieces[i].mapped_bytes);
        assert_int_equal(a->pieces[i].missing, b->pieces[i].missing);
        assert_int_equal(a->pieces[i].slack, b->pieces[i].slack);
        assert_int_equal(a->pieces[i].file, b->pieces[i].file);
    }
}

static inline void assert_same_slices(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->n_slices, b->n_slices);
    for (size_t i = 0; i < a->n_slices; i++) {
        assert_int_equal(a->slices[i].off, b->slices[i].off);
        assert_int_equal(a->slices[i].bytes, b->slices[i].bytes);
        assert_int_equal(a->slices[i].n_pieces, b->slices[i].n_pieces);
    }
}

static inline void assert_same(const struct outcome *a, const struct outcome *b)
{
    assert_same_counts(&a->counts, &b->counts);
    assert_same_pieces(a, b);
    assert_same_slices(a, b);
}

#endif
