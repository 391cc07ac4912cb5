// SPDX-License-Identifier: MIT
/*
 * Proves that an L2 table gives the same counts and pieces as the plain words of the definitions,
 * read one entry after the other, in whatever chunks it comes, with and without detail, on the way
 * of 64 entries at a time and on the way of one.
 */
#include "l2.h"

#include "dice.h"
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

struct table {
    struct format_header header;
    struct format_entry_rules entry_rules;
    uint64_t virtual_bytes;
    uint64_t slices_for_bytes; /* the disk size that decides about slices */
    uint32_t l1_index;
    uint64_t *words, *bitmaps; /* host byte order; header.l2_entries of each */
};

static struct table table_of(unsigned cluster_bits, bool extended_l2)
{
    struct table table = {0};

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

static void table_free(struct table *table)
{
    free(table->words);
    free(table->bitmaps);
}

static uint64_t cluster(const struct table *table, uint64_t n)
{
    return n * table->header.cluster_bytes;
}

static uint64_t guest_off_of(const struct table *table, uint32_t index)
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

static void outcome_free(struct outcome *outcome)
{
    free(outcome->slices);
    format_findings_free(&outcome->findings);
    free(outcome->pieces);
}

static void add_piece(struct outcome *outcome, struct piece piece)
{
    assert_int_equal(vec_reserve(outcome, pieces), 0);
    outcome->pieces[outcome->n_pieces++] = piece;
}

/* A blob that is read again is a piece that holds nothing. */
static void add_again(struct outcome *outcome, uint64_t begin, uint64_t end)
{
    add_piece(outcome, (struct piece){.kind = PIECE_COMPRESSED, .begin = begin, .end = end});
}

/* Slices with nothing between them are one read. */
static void add_slice(struct outcome *outcome, uint64_t off, uint64_t bytes)
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
static void check_shape(const struct piece_batch *batch)
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

static int collect(void *context, const struct piece_batch *batch)
{
    struct outcome *outcome = context;

    check_shape(batch);
    if (batch->table_bytes > 0) {
        assert_int_equal(batch->table_file, PIECE_FILE_IMAGE);
        add_slice(outcome, batch->table_off, batch->table_bytes);
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
static uint64_t *raw_of(const struct table *table)
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

static struct outcome walk(const struct table *table, bool detail, size_t chunk_bytes)
{
    struct tables_l2_rules rules = tables_l2_rules_of(
        &table->header, &table->entry_rules,
        table->slices_for_bytes > 0 ? table->slices_for_bytes : table->virtual_bytes, detail);
    struct piece_batch *batch = malloc(sizeof(*batch));
    struct outcome outcome = {0};
    struct tables_l2_output output = {.sink = {collect, &outcome},
                                      .counts = &outcome.counts,
                                      .findings = &outcome.findings,
                                      .table_name = ""};
    struct tables_l2_walk walk;
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

static struct outcome walk_whole(const struct table *table)
{
    return walk(table, false, table->header.cluster_bytes);
}

/* ---- the same, by the words of doc/definitions.md ---- */

#define PARTS 32 /* of a cluster: subclusters, or as fine */

struct naive {
    const struct table *table;
    bool detail;
    uint32_t slice_entries;
    bool reading;                   /* the part before is data of the same read, but for a break */
    uint64_t read_end;              /* and ended here in the file */
    uint64_t begin, unbroken_begin; /* on the guest disk; without any break */
    uint64_t kept; /* zero clusters that keep space, since the last data */
    bool kept_counts;
    uint64_t next;                  /* formula of check */
    struct outcome *outcome;
};

static void naive_check(struct naive *naive, uint64_t word, uint64_t bitmap)
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

static void naive_reads(struct naive *naive, const struct format_entry *entry, uint32_t index)
{
    const struct table *table = naive->table;
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
static void naive_subclusters(struct naive *naive, const struct format_entry *entry, uint32_t index)
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
static uint32_t naive_slack(const struct naive *naive, const struct format_entry *entry)
{
    uint64_t used = entry->end % naive->table->header.cluster_bytes;

    return used == 0 ? 0 : (uint32_t)(naive->table->header.cluster_bytes - used);
}

static void naive_piece(struct naive *naive, const struct format_entry *entry, uint32_t index,
                        enum piece_kind kind, uint64_t mapped_bytes)
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
static void naive_gap_ends(struct naive *naive, bool among)
{
    uint64_t bytes = naive->kept * naive->table->header.cluster_bytes;

    if (among && naive->kept_counts)
        naive->outcome->counts.kept_gap_bytes += bytes < 745500 ? bytes : 745500;
    naive->kept = 0;
}

static void naive_entry(struct naive *naive, uint32_t index)
{
    const struct table *table = naive->table;
    struct piece_counts *counts = &naive->outcome->counts;
    uint64_t cluster_bytes = table->header.cluster_bytes, held = 0;
    bool by_subclusters = naive->detail && table->header.extended_l2;
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
        else if (naive->detail)
            naive_piece(naive, &entry, index,
                        entry.kind == FORMAT_ZERO_PLAIN ? PIECE_ZERO : PIECE_ZERO_ALLOCATED, 0);
        break;
    default:
        break;
    }
    naive->reading = false;
}

static struct outcome walk_naive(const struct table *table, bool detail)
{
    struct outcome outcome = {0};
    struct naive naive = {.table = table, .detail = detail, .outcome = &outcome};

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

static void assert_same_counts(const struct piece_counts *a, const struct piece_counts *b)
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

static void assert_same_pieces(const struct outcome *a, const struct outcome *b)
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

static void assert_same_slices(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->n_slices, b->n_slices);
    for (size_t i = 0; i < a->n_slices; i++) {
        assert_int_equal(a->slices[i].off, b->slices[i].off);
        assert_int_equal(a->slices[i].bytes, b->slices[i].bytes);
        assert_int_equal(a->slices[i].n_pieces, b->slices[i].n_pieces);
    }
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
    assert_same_counts(&a->counts, &b->counts);
    assert_same_pieces(a, b);
    assert_same_slices(a, b);
}

/* ---- slices and sizes ---- */

static void slices_shrink_when_the_cache_does_not_cover_the_disk(void **state)
{
    static const struct {
        unsigned cluster_bits;
        bool extended_l2;
        uint64_t virtual_bytes;
        uint32_t slice_bytes;
    } cases[] = {
        {16, false, 1, 65536},
        {16, false, 256 * GIB, 65536}, /* 4 Mi entries of 8 bytes: just 32 MiB */
        {16, false, 256 * GIB + 512, 4096},
        {16, true, 128 * GIB, 65536},
        {16, true, 128 * GIB + 512, 4096},
        {9, false, 2 * GIB, 512},
        {9, false, 2 * GIB + 512, 512}, /* never more than a cluster */
        {11, false, 100 * GIB, 2048},
        {12, false, 100 * GIB, 4096},
        {13, false, 32 * GIB, 8192},
        {13, false, 32 * GIB + 512, 4096},
        {21, false, 8 * TIB, 2 << 20},
        {21, false, 8 * TIB + 512, 4096},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct table table = table_of(cases[i].cluster_bits, cases[i].extended_l2);
        struct tables_l2_rules rules;

        assert_int_equal(tables_l2_slice_bytes(&table.header, cases[i].virtual_bytes),
                         cases[i].slice_bytes);
        rules = tables_l2_rules_of(&table.header, &table.entry_rules, cases[i].virtual_bytes, true);
        assert_int_equal(rules.slice_entries,
                         cases[i].slice_bytes / (cases[i].extended_l2 ? 16 : 8));
        assert_int_equal(rules.entries, table.header.l2_entries);
        assert_int_equal(rules.entry_bytes, cases[i].extended_l2 ? 16 : 8);
        assert_true(rules.detail);
        table_free(&table);
    }
}

static void clusters_and_cache_are_rounded_up(void **state)
{
    struct table table = table_of(16, false), extended = table_of(16, true);

    (void)state;
    assert_int_equal(tables_l2_clusters(&table.header, 0), 0);
    assert_int_equal(tables_l2_clusters(&table.header, 512), 1);
    assert_int_equal(tables_l2_clusters(&table.header, 65536), 1);
    assert_int_equal(tables_l2_clusters(&table.header, 65536 + 512), 2);
    assert_int_equal(tables_l2_cache_bytes(&table.header, 0), 0);
    assert_int_equal(tables_l2_cache_bytes(&table.header, 512), 65536);
    assert_int_equal(tables_l2_cache_bytes(&table.header, 512 * MIB), 65536);
    assert_int_equal(tables_l2_cache_bytes(&table.header, 512 * MIB + 512), 2 * 65536);
    assert_int_equal(tables_l2_cache_bytes(&extended.header, 512 * MIB), 2 * 65536);
    assert_int_equal(tables_l2_cache_bytes(&table.header, UINT64_C(1) << 61), UINT64_C(1) << 48);
    table_free(&extended);
    table_free(&table);
}

/* ---- by hand ---- */

static void fill_in_order(struct table *table, uint64_t first)
{
    for (uint32_t i = 0; i < table->header.l2_entries; i++)
        table->words[i] = COPIED | cluster(table, first + i);
}

static void an_empty_table_gives_nothing(void **state)
{
    struct table table = table_of(16, false);
    struct outcome outcome = walk_whole(&table);
    const struct piece_counts none = {0};

    (void)state;
    assert_same_counts(&outcome.counts, &none);
    assert_int_equal(outcome.n_pieces, 0);
    outcome_free(&outcome);
    table_free(&table);
}

static void a_table_in_order_is_one_read_a_mebibyte(void **state)
{
    struct table table = table_of(16, false);
    struct outcome outcome;

    (void)state;
    fill_in_order(&table, 5);
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.mapped_clusters, 8192);
    assert_int_equal(outcome.counts.mapped_bytes, 512 * MIB);
    assert_int_equal(outcome.counts.reads, 512);
    assert_int_equal(outcome.counts.reads_unbroken, 512);
    assert_int_equal(outcome.counts.check_allocated, 8192);
    assert_int_equal(outcome.counts.check_fragmented, 0);
    assert_int_equal(outcome.n_pieces, 8192);
    assert_int_equal(outcome.n_uniform, 8192 / PIECE_BATCH_MAX);
    assert_int_equal(outcome.n_general, 0);
    outcome_free(&outcome);
    table_free(&table);
}

static void a_reversed_table_is_one_read_a_cluster(void **state)
{
    struct table table = table_of(16, false);
    struct outcome outcome;

    (void)state;
    for (uint32_t i = 0; i < 8192; i++)
        table.words[i] = COPIED | cluster(&table, 9000 - i);
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.reads, 8192);
    assert_int_equal(outcome.counts.reads_unbroken, 512);
    assert_int_equal(outcome.counts.check_fragmented, 8191);
    outcome_free(&outcome);
    table_free(&table);
}

/* A request of 1 MiB begins in the middle of each. */
static void a_cluster_of_2_mib_is_two_reads(void **state)
{
    struct table table = table_of(21, false);
    struct outcome outcome;

    (void)state;
    table.virtual_bytes = cluster(&table, 200);
    for (uint32_t i = 0; i < 200; i++)
        table.words[i] = COPIED | cluster(&table, 1000 - i);
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.mapped_clusters, 200);
    assert_int_equal(outcome.counts.reads, 400);
    assert_int_equal(outcome.counts.reads_unbroken, 400);
    assert_true(outcome.n_uniform > 0 && outcome.n_general > 0); /* 3 blocks of 64, and a rest */
    outcome_free(&outcome);
    table_free(&table);
}

/* 32 clusters of 4 KiB at a time, from where each read begins; of 32 KiB a whole request. */
static void encrypted_clusters_are_read_32_at_a_time(void **state)
{
    static const struct {
        unsigned cluster_bits;
        uint32_t first, jump; /* entry; there is a break before it */
        uint64_t reads, unbroken;
    } cases[] = {
        {12, 0, 0, 8, 8},     {12, 1, 0, 8, 8}, /* a request: 256 clusters */
        {12, 31, 0, 8, 8},    {12, 32, 0, 7, 7}, {12, 0, 64, 8, 8}, {12, 0, 65, 9, 8},
        {12, 240, 250, 2, 1}, {14, 0, 0, 2, 2},  {15, 0, 0, 1, 1},  {15, 0, 5, 2, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct table table = table_of(cases[i].cluster_bits, false);
        struct outcome outcome;

        table.header.crypt = i % 2 ? FORMAT_CRYPT_LUKS : FORMAT_CRYPT_AES;
        for (uint32_t j = cases[i].first; j < MIB >> cases[i].cluster_bits; j++)
            table.words[j] =
                COPIED | cluster(&table, j + (cases[i].jump > 0 && j >= cases[i].jump ? 1000 : 5));
        outcome = walk_whole(&table);
        assert_int_equal(outcome.counts.reads, cases[i].reads);
        assert_int_equal(outcome.counts.reads_unbroken, cases[i].unbroken);
        outcome_free(&outcome);
        table_free(&table);
    }
}

/* 1 MiB or less of it on the disk: nobody asks for the second half. */
static void the_last_cluster_of_2_mib_may_be_one_read(void **state)
{
    static const struct {
        uint64_t last_bytes, reads;
    } cases[] = {{512, 1}, {MIB - 512, 1}, {MIB, 1}, {MIB + 512, 2}, {2 * MIB, 2}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct table table = table_of(21, false);
        struct outcome outcome;

        table.words[0] = COPIED | cluster(&table, 5);
        table.words[1] = COPIED | cluster(&table, 6);
        table.words[2] = COPIED | cluster(&table, 7); /* not on the disk */
        table.virtual_bytes = 2 * MIB + cases[i].last_bytes;
        outcome = walk_whole(&table);
        assert_int_equal(outcome.counts.reads, 2 + cases[i].reads);
        assert_int_equal(outcome.counts.mapped_clusters, 2);
        assert_int_equal(outcome.counts.mapped_bytes, 4 * MIB); /* the last one counts whole */
        assert_int_equal(outcome.n_pieces, 2);
        assert_int_equal(outcome.pieces[1].guest_bytes, 2 * MIB);
        assert_int_equal(outcome.counts.check_allocated, 3);
        outcome_free(&outcome);
        table_free(&table);
    }
}

/* The same of compressed ones. */
static void a_blob_is_read_for_each_request_that_touches_it(void **state)
{
    static const struct {
        unsigned cluster_bits;
        uint64_t last_bytes, reads; /* of the last cluster */
    } cases[] = {{20, 512, 1}, {20, MIB, 1},       {21, 512, 1},
                 {21, MIB, 1}, {21, MIB + 512, 2}, {21, 2 * MIB, 2}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct table table = table_of(cases[i].cluster_bits, false);
        uint64_t reads = cases[i].cluster_bits == 21 ? 2 : 1; /* of the 70 others */
        unsigned shift = 62 - (cases[i].cluster_bits - 8);
        struct outcome outcome;

        for (uint64_t j = 0; j <= 70; j++)
            table.words[j] = COMPRESSED | UINT64_C(9) << shift | (cluster(&table, 5) + j * 4700);
        table.virtual_bytes = cluster(&table, 70) + cases[i].last_bytes;
        outcome = walk_whole(&table);
        assert_int_equal(outcome.counts.compressed_clusters, 71);
        assert_int_equal(outcome.counts.reads, 70 * reads + cases[i].reads);
        assert_int_equal(outcome.counts.reads_unbroken, outcome.counts.reads);
        assert_int_equal(outcome.n_pieces, outcome.counts.reads);
        if (reads == 2) {
            assert_int_equal(outcome.pieces[1].guest_bytes, 0);
            assert_int_equal(outcome.pieces[1].begin, cluster(&table, 5));
            assert_int_equal(outcome.pieces[1].end, cluster(&table, 5) + 5120);
            assert_int_equal(outcome.pieces[2].guest_bytes, 2 * MIB);
        }
        outcome_free(&outcome);
        table_free(&table);
    }
}

/* Also where the 63 before it lie in the same block. */
static void the_last_cluster_of_a_block_may_be_one_read(void **state)
{
    struct table table = table_of(21, false);
    struct outcome outcome;

    (void)state;
    fill_in_order(&table, 5);
    table.virtual_bytes = cluster(&table, 127) + MIB;
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.mapped_clusters, 128);
    assert_int_equal(outcome.counts.reads, 2 * 127 + 1);
    outcome_free(&outcome);
    table.virtual_bytes += 512;
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.reads, 2 * 128);
    outcome_free(&outcome);
    table_free(&table);
}

/* Subclusters of 2 KiB: those that begin behind the end of the disk are mapped, but not read. */
static void the_last_extended_cluster_is_read_up_to_the_end(void **state)
{
    static const struct {
        uint64_t last_bytes;
        uint32_t alloc;
        uint64_t reads;
    } cases[] = {
        {512, 1, 1},
        {512, 2, 0},
        {2048, 2, 0},
        {2048 + 512, 2, 1},
        {65536, 2, 1},
        {4096, 0x0000ffff, 1},
        {4096, 0xfffffffc, 0},
        {65536, 0x55555555, 16},
        {32768, 0x55555555, 8},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct table table = table_of(16, true);
        struct outcome outcome;

        table.words[0] = COPIED | cluster(&table, 5);
        table.bitmaps[0] = cases[i].alloc;
        table.virtual_bytes = cases[i].last_bytes;
        outcome = walk_whole(&table);
        assert_int_equal(outcome.counts.reads, cases[i].reads);
        assert_int_equal(outcome.counts.reads_unbroken, cases[i].reads);
        assert_int_equal(outcome.counts.mapped_clusters, 1);
        assert_int_equal(outcome.counts.mapped_bytes,
                         2048 * (uint64_t)__builtin_popcount(cases[i].alloc));
        outcome_free(&outcome);
        table_free(&table);
    }
}

/* One cluster goes on in the next only where both touch, in the guest and in the file. */
static void a_read_goes_on_from_subcluster_31_to_0(void **state)
{
    static const struct {
        uint32_t first, second;
        uint64_t second_host, reads, unbroken;
    } cases[] = {
        {UINT32_MAX, UINT32_MAX, 6, 1, 1}, {UINT32_MAX, UINT32_MAX, 8, 2, 1},
        {0x80000000, 0x00000001, 6, 1, 1}, {0x40000000, 0x00000001, 6, 2, 2},
        {0x80000000, 0x00000002, 6, 2, 2}, {0x80000001, 0x80000001, 6, 3, 3},
        {0x80000001, 0x80000001, 9, 4, 3},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct table table = table_of(16, true);
        struct outcome outcome;

        table.words[0] = COPIED | cluster(&table, 5);
        table.words[1] = COPIED | cluster(&table, cases[i].second_host);
        table.bitmaps[0] = cases[i].first;
        table.bitmaps[1] = cases[i].second;
        outcome = walk_whole(&table);
        assert_int_equal(outcome.counts.reads, cases[i].reads);
        assert_int_equal(outcome.counts.reads_unbroken, cases[i].unbroken);
        outcome_free(&outcome);
        table_free(&table);
    }
}

/* 512 bytes a cluster, 64 entries a table and a slice; a request is 32 slices. */
static void a_slice_border_ends_a_read(void **state)
{
    struct table table = table_of(13, false);
    struct outcome outcome;

    (void)state;
    fill_in_order(&table, 5);
    outcome = walk_whole(&table); /* 1,024 entries, 8 MiB */
    assert_int_equal(outcome.counts.reads, 8);
    outcome_free(&outcome);

    table.slices_for_bytes = TIB; /* slices of 512 entries, 4 MiB: each a request border as well */
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.reads, 8);
    outcome_free(&outcome);
    table_free(&table);

    table = table_of(9, false);
    fill_in_order(&table, 5);
    table.l1_index = 1; /* 32 KiB into the request */
    table.virtual_bytes = MIB;
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.reads, 1);
    assert_int_equal(outcome.counts.reads_unbroken, 1);
    outcome_free(&outcome);
    table_free(&table);
}

/* The formula of qemu-img check, by hand: see "What qemu-img check counts". */
static void check_counts_as_qemu_img_does(void **state)
{
    struct table table = table_of(16, false);
    struct outcome outcome;

    (void)state;
    table.virtual_bytes = cluster(&table, 6);
    table.words[0] = COPIED | cluster(&table, 5);
    table.words[1] = COMPRESSED | cluster(&table, 20); /* fragmented; next stays */
    table.words[2] = COPIED | cluster(&table, 6);      /* is next */
    table.words[3] = ZERO | cluster(&table, 9);        /* allocated, and not next */
    table.words[4] = ZERO;                             /* nothing */
    table.words[5] = 0;                                /* nothing */
    table.words[6] = COPIED | cluster(&table, 10);     /* behind the end of the disk: next */
    table.words[7000] = COPIED | cluster(&table, 12);  /* a hole in step is no excuse */
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.check_allocated, 6);
    assert_int_equal(outcome.counts.check_compressed, 1);
    assert_int_equal(outcome.counts.check_fragmented, 1 + 1 + 1);
    assert_int_equal(outcome.counts.mapped_clusters, 3);
    assert_int_equal(outcome.counts.zero_clusters, 2);
    assert_int_equal(outcome.counts.zero_allocated_clusters, 1);
    outcome_free(&outcome);
    table_free(&table);
}

static void detail_adds_pieces_of_zeros(void **state)
{
    struct table table = table_of(16, false);
    struct outcome plain, detail;

    (void)state;
    table.words[0] = COPIED | cluster(&table, 5);
    table.words[1] = ZERO;
    table.words[2] = ZERO | cluster(&table, 7);
    plain = walk(&table, false, 65536);
    detail = walk(&table, true, 65536);
    assert_same_counts(&plain.counts, &detail.counts);
    assert_int_equal(plain.n_pieces, 1);
    assert_int_equal(detail.n_pieces, 3);
    assert_int_equal(detail.pieces[1].kind, PIECE_ZERO);
    assert_int_equal(detail.pieces[1].begin, 0);
    assert_int_equal(detail.pieces[1].end, 0);
    assert_int_equal(detail.pieces[1].mapped_bytes, 0);
    assert_int_equal(detail.pieces[2].kind, PIECE_ZERO_ALLOCATED);
    assert_int_equal(detail.pieces[2].begin, cluster(&table, 7));
    assert_int_equal(detail.pieces[2].end, cluster(&table, 8));
    assert_int_equal(detail.pieces[2].mapped_bytes, 0);
    outcome_free(&detail);
    outcome_free(&plain);
    table_free(&table);
}

static void detail_cuts_clusters_into_stretches(void **state)
{
    struct table table = table_of(16, true);
    struct outcome plain, detail;

    (void)state;
    table.words[0] = COPIED | cluster(&table, 5);
    table.bitmaps[0] = UINT64_C(0x000000f0) << 32 | 0x8000000f; /* data, zero, nothing, data */
    plain = walk(&table, false, 65536);
    assert_int_equal(plain.n_pieces, 1);
    assert_int_equal(plain.pieces[0].begin, cluster(&table, 5));
    assert_int_equal(plain.pieces[0].end, cluster(&table, 6));
    assert_int_equal(plain.pieces[0].guest_bytes, 65536);
    assert_int_equal(plain.pieces[0].mapped_bytes, 5 * 2048);

    detail = walk(&table, true, 65536);
    assert_int_equal(detail.n_pieces, 3);
    assert_int_equal(detail.pieces[0].kind, PIECE_DATA);
    assert_int_equal(detail.pieces[0].guest_bytes, 4 * 2048);
    assert_int_equal(detail.pieces[1].kind, PIECE_ZERO_ALLOCATED);
    assert_int_equal(detail.pieces[1].guest_off, 4 * 2048);
    assert_int_equal(detail.pieces[1].guest_bytes, 4 * 2048);
    assert_int_equal(detail.pieces[2].kind, PIECE_DATA);
    assert_int_equal(detail.pieces[2].guest_off, 31 * 2048);
    assert_int_equal(detail.pieces[2].begin, cluster(&table, 5) + 31 * 2048);
    assert_int_equal(detail.pieces[2].end, cluster(&table, 6));
    outcome_free(&detail);
    outcome_free(&plain);
    table_free(&table);
}

/* ---- damage ---- */

static void damage_is_told_with_its_place(void **state)
{
    struct table table = table_of(16, false);
    struct outcome outcome;

    (void)state;
    table.l1_index = 5;
    table.virtual_bytes = 6 * format_l2_span(&table.header);
    table.words[17] = COPIED | (cluster(&table, 7) + 512);
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.corrupt_entries, 1);
    assert_int_equal(outcome.findings.total, 1);
    assert_int_equal(outcome.findings.list[0].code, FORMAT_FINDING_L2_UNALIGNED);
    assert_string_equal(outcome.findings.list[0].where, "l2[5][17]");
    assert_true(outcome.findings.list[0].has_host_off);
    assert_int_equal(outcome.findings.list[0].host_off, L2_OFF + 8 * 17);
    assert_non_null(strstr(outcome.findings.list[0].message, "0x8000000000070200"));
    outcome_free(&outcome);
    table_free(&table);

    table = table_of(16, true);
    table.words[17] = cluster(&table, 7);
    table.bitmaps[17] = UINT64_MAX;
    outcome = walk_whole(&table);
    assert_int_equal(outcome.findings.list[0].code, FORMAT_FINDING_L2_BITMAP);
    assert_int_equal(outcome.findings.list[0].host_off, L2_OFF + 16 * 17);
    outcome_free(&outcome);
    table_free(&table);
}

static void every_kind_of_damage_has_words_of_its_own(void **state)
{
    static const struct {
        bool extended_l2, version_2, external_data;
        uint64_t word, bitmap;
        enum format_finding_code code;
    } cases[] = {
        {false, false, false, 0x70002, 0, FORMAT_FINDING_L2_RESERVED},
        {false, false, false, 0x70200, 0, FORMAT_FINDING_L2_UNALIGNED},
        {false, false, false, TIB, 0, FORMAT_FINDING_L2_PAST_END},
        {false, true, false, ZERO, 0, FORMAT_FINDING_L2_ZERO_V2},
        {false, false, false, COMPRESSED | COPIED | 0x70000, 0,
         FORMAT_FINDING_L2_COMPRESSED_COPIED},
        {false, false, false, COMPRESSED | TIB, 0, FORMAT_FINDING_L2_COMPRESSED_PAST_END},
        {false, false, false, COMPRESSED, 0, FORMAT_FINDING_L2_COMPRESSED_HEADER},
        {false, false, true, COMPRESSED | 0x70000, 0, FORMAT_FINDING_L2_COMPRESSED_DATA_FILE},
        {true, false, false, COMPRESSED | 0x70000, 1, FORMAT_FINDING_L2_COMPRESSED_BITMAP},
        {true, false, false, 0x70000, UINT64_MAX, FORMAT_FINDING_L2_BITMAP},
        {false, false, true, 0x70000, 0, FORMAT_FINDING_L2_DATA_FILE_OFFSET},
    };
    char messages[COUNT(cases)][256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct table table = table_of(16, cases[i].extended_l2);
        struct outcome outcome;
        const char *words;

        table.entry_rules.version_2 = cases[i].version_2;
        table.entry_rules.external_data = cases[i].external_data;
        table.words[3] = cases[i].word;
        table.bitmaps[3] = cases[i].bitmap;
        outcome = walk_whole(&table);
        assert_int_equal(outcome.findings.total, 1);
        assert_string_equal(format_finding_name(outcome.findings.list[0].code),
                            format_finding_name(cases[i].code));
        words = outcome.findings.list[0].message + strlen("entry 0x0123456789abcdef");
        snprintf(messages[i], sizeof(messages[i]), "%s", words);
        assert_null(strstr(words, "is damaged"));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(messages[i], messages[k]);
        outcome_free(&outcome);
        table_free(&table);
    }
}

static void damage_behind_the_disk_is_not_told(void **state)
{
    struct table table = table_of(16, false);
    struct outcome outcome;

    (void)state;
    table.virtual_bytes = cluster(&table, 10) - 512;
    table.words[9] = cluster(&table, 7) + 512;  /* the last one, partly on the disk */
    table.words[10] = cluster(&table, 7) + 512; /* not on the disk */
    table.words[8191] = COMPRESSED;
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.corrupt_entries, 1);
    assert_int_equal(outcome.findings.total, 1);
    assert_string_equal(outcome.findings.list[0].where, "l2[0][9]");
    assert_int_equal(outcome.counts.check_allocated, 3); /* check goes by the type alone */
    outcome_free(&outcome);
    table_free(&table);
}

static void a_snapshot_is_named_and_no_list_is_needed(void **state)
{
    struct table table = table_of(9, false);
    struct tables_l2_rules rules =
        tables_l2_rules_of(&table.header, &table.entry_rules, table.virtual_bytes, false);
    struct outcome outcome = {0};
    struct tables_l2_output output = {.sink = {collect, &outcome},
                                      .counts = &outcome.counts,
                                      .findings = &outcome.findings,
                                      .table_name = "snapshot 2 "};
    struct piece_batch *batch = calloc(1, sizeof(*batch));
    struct tables_l2_walk walk;
    uint64_t *raw;

    (void)state;
    table.words[3] = TIB;
    raw = raw_of(&table);
    tables_l2_begin(&walk, &rules, output, batch, L2_OFF, 0, table.virtual_bytes);
    assert_int_equal(tables_l2_chunk(&walk, raw, 512), 0);
    assert_int_equal(tables_l2_end(&walk), 0);
    assert_string_equal(outcome.findings.list[0].where, "snapshot 2 l2[0][3]");

    output.findings = NULL;
    tables_l2_begin(&walk, &rules, output, batch, L2_OFF, 0, table.virtual_bytes);
    assert_int_equal(tables_l2_chunk(&walk, raw, 512), 0);
    assert_int_equal(tables_l2_end(&walk), 0);
    assert_int_equal(outcome.findings.total, 1);
    assert_int_equal(outcome.counts.corrupt_entries, 2);
    free(raw);
    free(batch);
    outcome_free(&outcome);
    table_free(&table);
}

/* ---- a file that grows meanwhile ---- */

struct growth {
    struct tables_l2_rules *rules;
    uint64_t file_bytes; /* what it has grown to */
    unsigned n_asked;
};

static bool ask(void *context)
{
    struct growth *growth = context;
    bool grown = growth->file_bytes > growth->rules->entry.file_bytes;

    growth->n_asked++;
    growth->rules->entry.file_bytes = growth->file_bytes;
    return grown;
}

/* One entry in each of 16 chunks lies behind the end as it was first known. */
static struct outcome walk_growing(uint64_t file_bytes, uint64_t word, unsigned *n_asked)
{
    struct table table = table_of(16, false);
    struct tables_l2_rules rules =
        tables_l2_rules_of(&table.header, &table.entry_rules, table.virtual_bytes, false);
    struct growth growth = {&rules, file_bytes, 0};
    struct outcome outcome = {0};
    struct tables_l2_output output = {.sink = {collect, &outcome},
                                      .counts = &outcome.counts,
                                      .findings = &outcome.findings,
                                      .table_name = "",
                                      .file_has_grown = ask,
                                      .context = &growth};
    struct piece_batch *batch = calloc(1, sizeof(*batch));
    struct tables_l2_walk walk;
    uint64_t *raw;

    fill_in_order(&table, 5);
    for (uint32_t i = 100; i < 8192; i += 512)
        table.words[i] = table.words[i + 1] = word;
    raw = raw_of(&table);
    tables_l2_begin(&walk, &rules, output, batch, L2_OFF, 0, table.virtual_bytes);
    for (size_t at = 0; at < 65536; at += 4096)
        assert_int_equal(tables_l2_chunk(&walk, raw + at / 8, 4096), 0);
    assert_int_equal(tables_l2_end(&walk), 0);
    *n_asked = growth.n_asked;
    free(raw);
    free(batch);
    table_free(&table);
    return outcome;
}

static void what_a_grown_file_holds_is_not_past_its_end(void **state)
{
    unsigned n_asked;
    struct outcome outcome = walk_growing(2 * TIB, TIB, &n_asked);

    (void)state;
    assert_int_equal(outcome.counts.mapped_clusters, 8192);
    assert_int_equal(outcome.counts.corrupt_entries, 0);
    assert_int_equal(outcome.findings.total, 0);
    assert_int_equal(n_asked, 1);
    outcome_free(&outcome);

    outcome = walk_growing(2 * TIB, COMPRESSED | TIB, &n_asked);
    assert_int_equal(outcome.counts.compressed_clusters, 32);
    assert_int_equal(outcome.counts.corrupt_entries, 0);
    assert_int_equal(n_asked, 1);
    outcome_free(&outcome);
}

static void the_size_is_asked_once_a_chunk(void **state)
{
    unsigned n_asked;
    struct outcome outcome = walk_growing(TIB, TIB, &n_asked);

    (void)state;
    assert_int_equal(outcome.counts.corrupt_entries, 32);
    assert_int_equal(outcome.findings.total, 32);
    assert_int_equal(n_asked, 16);
    outcome_free(&outcome);
}

static void the_size_is_not_asked_for_other_damage(void **state)
{
    unsigned n_asked;
    struct outcome outcome = walk_growing(2 * TIB, 0x70200, &n_asked);

    (void)state;
    assert_int_equal(outcome.counts.corrupt_entries, 32);
    assert_int_equal(n_asked, 0);
    outcome_free(&outcome);
}

/* ---- a sink that stops ---- */

struct stopper {
    unsigned calls, stop_at;
};

static int stop(void *context, const struct piece_batch *batch)
{
    struct stopper *stopper = context;

    (void)batch;
    return ++stopper->calls == stopper->stop_at ? -77 : 0;
}

static void what_the_sink_returns_stops_the_walk(void **state)
{
    struct table table = table_of(16, false);
    struct tables_l2_rules rules =
        tables_l2_rules_of(&table.header, &table.entry_rules, table.virtual_bytes, false);
    struct piece_batch *batch = calloc(1, sizeof(*batch));
    unsigned n = 0;
    uint64_t *raw;

    (void)state;
    fill_in_order(&table, 5);
    for (uint32_t i = 4000; i < 6000; i += 70)
        table.words[i] = 0; /* batches of both shapes */
    raw = raw_of(&table);
    for (int ret = -77; ret != 0;) {
        struct stopper stopper = {.stop_at = ++n};
        struct piece_counts counts = {0};
        struct tables_l2_output output = {
            .sink = {stop, &stopper}, .counts = &counts, .table_name = ""};
        struct tables_l2_walk walk;

        tables_l2_begin(&walk, &rules, output, batch, L2_OFF, 0, table.virtual_bytes);
        ret = tables_l2_chunk(&walk, raw, 65536);
        if (ret == 0)
            ret = tables_l2_end(&walk);
        assert_true(ret == 0 || ret == -77);
        if (ret != 0)
            assert_int_equal(stopper.calls, n); /* and not called again */
    }
    assert_true(n > 16);
    free(raw);
    free(batch);
    table_free(&table);
}

/* ---- random tables ---- */

enum style { IN_ORDER, IN_STEP, SHUFFLED, HOLE, ZEROS, PACKED, NOISE, DAMAGED, N_STYLES };

/* An entry, and, in @at, the host cluster that a sequence goes on with. */
static uint64_t random_word(const struct table *table, struct dice *dice, enum style style,
                            uint32_t index, uint64_t *at)
{
    uint64_t n_host = table->entry_rules.file_bytes / table->header.cluster_bytes;
    uint64_t copied = dice_once_in(dice, 2) ? COPIED : 0;
    uint64_t own = guest_off_of(table, index);
    uint64_t host = cluster(table, 1 + dice_below(dice, n_host - 1));
    unsigned shift = 62 - (table->header.cluster_bits - 8);
    uint64_t sectors = dice_below(dice, UINT64_C(1) << (table->header.cluster_bits - 8));

    if (table->entry_rules.external_data && style != NOISE && style != DAMAGED)
        return style == HOLE ? 0 : style == ZEROS ? ZERO | own : COPIED | own;
    switch (style) {
    case IN_ORDER:
        *at = *at % (n_host - 1) + 1;
        return COPIED | cluster(table, *at);
    case IN_STEP:
        *at = *at % (n_host - 1) + 1;
        return index % 5 == 0 ? 0 : COPIED | cluster(table, *at);
    case SHUFFLED:
        return copied | host;
    case ZEROS:
        return dice_once_in(dice, 2) ? ZERO : ZERO | copied | host;
    case PACKED:
        return COMPRESSED | sectors << shift | (host + dice_below(dice, 4096));
    case NOISE:
        return dice_u64(dice);
    case DAMAGED:
        return dice_once_in(dice, 2)   ? host | UINT64_C(1) << (1 + dice_below(dice, 8))
               : dice_once_in(dice, 2) ? copied | (host + 512)
               : dice_once_in(dice, 2) ? table->entry_rules.file_bytes
                                       : COMPRESSED | COPIED | host;
    default:
        return 0;
    }
}

static uint64_t random_bitmap(struct dice *dice)
{
    uint64_t noise = dice_u64(dice), other = dice_u64(dice);

    switch (dice_below(dice, 8)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX << 32; /* all zero */
    case 2:
        return noise; /* mostly contradictory */
    case 3:
        return (noise & UINT32_MAX) | (other & ~noise) << 32;
    case 4:
        return UINT32_MAX << dice_below(dice, 32) & UINT32_MAX;
    case 5:
        return UINT32_MAX >> dice_below(dice, 32);
    default:
        return UINT32_MAX; /* all data */
    }
}

/* Stretches of one style, some of many blocks, some shorter than one. */
static void fill_at_random(struct table *table, struct dice *dice, unsigned n_styles)
{
    uint64_t at = 4;

    for (uint32_t i = 0; i < table->header.l2_entries;) {
        enum style style = (enum style)dice_below(dice, n_styles);
        uint64_t len = dice_below(dice, dice_once_in(dice, 3) ? 700 : 40) + 1;

        if (dice_once_in(dice, 3)) /* go on elsewhere */
            at = dice_below(dice, 100000);
        for (uint64_t k = 0; k < len && i < table->header.l2_entries; k++, i++) {
            table->words[i] = random_word(table, dice, style, i, &at);
            if (table->header.extended_l2 && style != HOLE)
                table->bitmaps[i] =
                    style == PACKED && !dice_once_in(dice, 9) ? 0 : random_bitmap(dice);
        }
    }
}

/* The disk ends somewhere in this table, at its end, or behind it. */
static void choose_size(struct table *table, struct dice *dice)
{
    uint64_t span = format_l2_span(&table->header), inside;

    table->l1_index = (uint32_t)dice_below(dice, 4);
    inside = dice_once_in(dice, 3)   ? span
             : dice_once_in(dice, 2) ? cluster(table, dice_below(dice, table->header.l2_entries))
                                     : dice_below(dice, span / 512) * 512;
    if (inside > cluster(table, 3000) && table->header.l2_entries > 8192)
        inside = cluster(table, 3000) + inside % table->header.cluster_bytes; /* to save time */
    table->virtual_bytes = table->l1_index * span + inside;
    if (inside == span && dice_once_in(dice, 2))
        table->virtual_bytes += span;
    table->slices_for_bytes = dice_once_in(dice, 2) ? UINT64_C(1) << 52 : 0;
}

static void check_against_naive(const struct table *table)
{
    static const size_t chunks[] = {4096, 3 * 4096, 64 << 10, SIZE_MAX / 2};

    for (unsigned detail = 0; detail < 2; detail++) {
        struct outcome expected = walk_naive(table, detail);

        for (size_t i = 0; i < COUNT(chunks); i++) {
            struct outcome outcome;

            if (chunks[i] != SIZE_MAX / 2 && chunks[i] >= table->header.cluster_bytes)
                continue;
            outcome = walk(table, detail, chunks[i]);
            assert_same(&outcome, &expected);
            assert_int_equal(outcome.findings.total, outcome.counts.corrupt_entries);
            outcome_free(&outcome);
        }
        outcome_free(&expected);
    }
}

#define FIRST_ENCRYPTED_SEED 100

static void check_random_tables(unsigned n_rounds, unsigned n_styles, bool version_2,
                                bool external_data, bool extended_l2, uint64_t seed)
{
    bool encrypted = seed >= FIRST_ENCRYPTED_SEED;
    struct dice dice = dice_of(seed);

    for (unsigned bits = extended_l2 ? 14 : 9; bits <= 21; bits++)
        for (unsigned round = 0; round < (bits < 18 ? n_rounds : 1); round++) {
            struct table table = table_of(bits, extended_l2);

            table.header.crypt = encrypted ? FORMAT_CRYPT_LUKS : FORMAT_CRYPT_NONE;
            table.entry_rules.version_2 = version_2;
            table.entry_rules.external_data = external_data;
            choose_size(&table, &dice);
            fill_at_random(&table, &dice, n_styles);
            check_against_naive(&table);
            table_free(&table);
        }
}

static void random_tables_of_data_and_holes(void **state)
{
    (void)state;
    check_random_tables(20, HOLE + 1, false, false, false, 11);
}

static void random_tables_of_all_sound_kinds(void **state)
{
    (void)state;
    check_random_tables(20, PACKED + 1, false, false, false, 12);
}

static void random_tables_with_noise_and_damage(void **state)
{
    (void)state;
    check_random_tables(20, N_STYLES, false, false, false, 13);
}

static void random_tables_of_version_2(void **state)
{
    (void)state;
    check_random_tables(5, N_STYLES, true, false, false, 14);
}

static void random_tables_of_encrypted_images(void **state)
{
    (void)state;
    check_random_tables(15, HOLE + 1, false, false, false, FIRST_ENCRYPTED_SEED);
    check_random_tables(5, N_STYLES, false, false, false, FIRST_ENCRYPTED_SEED + 1);
    check_random_tables(10, N_STYLES, false, false, true, FIRST_ENCRYPTED_SEED + 2);
}

static void random_tables_with_a_data_file(void **state)
{
    (void)state;
    check_random_tables(10, PACKED, false, true, false, 15);
    check_random_tables(5, N_STYLES, false, true, false, 16);
}

static void random_extended_tables(void **state)
{
    (void)state;
    check_random_tables(10, PACKED + 1, false, false, true, 17);
    check_random_tables(5, N_STYLES, false, false, true, 18);
    check_random_tables(5, N_STYLES, false, true, true, 19);
}

/* ---- 64 at a time, and one at a time ---- */

/*
 * A reserved bit in one entry sends its block the long way and changes nothing else: the entry is
 * read without it, and counted as corrupt.
 */
static void both_ways_give_the_same(void **state)
{
    struct dice dice = dice_of(20);

    (void)state;
    for (unsigned bits = 9; bits <= 21; bits++) {
        struct table table = table_of(bits, false);
        uint64_t n_host = table.entry_rules.file_bytes / table.header.cluster_bytes, at = 4;
        uint32_t n_blocks = table.header.l2_entries / 64;
        struct outcome fast, slow;

        for (uint32_t i = 0; i < table.header.l2_entries; i++) {
            at = dice_once_in(&dice, 1 + (i / 64) % 80) ? 1 + dice_below(&dice, n_host - 1)
                                                        : at % (n_host - 1) + 1;
            table.words[i] = COPIED | cluster(&table, at);
        }
        fast = walk_whole(&table);
        assert_int_equal(fast.n_general, 0);
        for (uint32_t block = 0; block < n_blocks; block++)
            table.words[64 * block + dice_below(&dice, 64)] |= 2;
        slow = walk_whole(&table);
        assert_int_equal(slow.n_uniform, 0);
        assert_int_equal(slow.counts.corrupt_entries, n_blocks);
        slow.counts.corrupt_entries = 0;
        assert_same(&fast, &slow);
        outcome_free(&slow);
        outcome_free(&fast);
        table_free(&table);
    }
}

/* Sound bits of subclusters. */
static uint64_t sound_bitmap(struct dice *dice, uint64_t word)
{
    uint64_t alloc = dice_u64(dice) & dice_u64(dice) & UINT32_MAX;

    if (word & COMPRESSED)
        return 0;
    switch (dice_below(dice, 4)) {
    case 0:
        return word & FORMAT_ENTRY_OFFSET ? UINT32_MAX : 0;
    case 1:
        return word & FORMAT_ENTRY_OFFSET ? alloc : alloc << 32;
    case 2:
        return dice_u64(dice) << 32;
    default:
        return word & FORMAT_ENTRY_OFFSET ? alloc | (~alloc & dice_u64(dice)) << 32 : 0;
    }
}

static void fill_soundly(struct table *table, struct dice *dice)
{
    uint64_t at = 4;

    for (uint32_t i = 0; i < table->header.l2_entries; i++) {
        enum style style = (enum style)dice_below(dice, dice_once_in(dice, 2) ? 1 : PACKED + 1);

        table->words[i] = random_word(table, dice, style, i, &at);
        if (table->header.extended_l2) {
            table->words[i] &= ~ZERO;
            table->bitmaps[i] = sound_bitmap(dice, table->words[i]);
        }
    }
}

/* What is damage, but changes the meaning of no entry. */
static uint64_t blemish(uint64_t word)
{
    return word & COMPRESSED ? word | COPIED : word | 2;
}

/* The same for blocks of sound entries of every kind, whole clusters or not. */
static void both_ways_give_the_same_of_every_kind(void **state)
{
    struct dice dice = dice_of(21);

    (void)state;
    for (unsigned extended = 0; extended < 2; extended++)
        for (unsigned bits = extended ? 14 : 9; bits <= 21; bits++) {
            struct table table = table_of(bits, extended);
            uint32_t n_blocks = table.header.l2_entries / 64;
            struct outcome fast, slow;

            fill_soundly(&table, &dice);
            table.slices_for_bytes = bits % 2 == 0 ? UINT64_C(1) << 52 : 0;
            fast = walk_whole(&table);
            assert_int_equal(fast.counts.corrupt_entries, 0);
            assert_true(fast.n_general > 0);
            for (uint32_t block = 0; block < n_blocks; block++) {
                uint32_t odd = 64 * block + (uint32_t)dice_below(&dice, 64);

                table.words[odd] = blemish(table.words[odd]);
            }
            slow = walk_whole(&table);
            assert_int_equal(slow.counts.corrupt_entries, n_blocks);
            slow.counts.corrupt_entries = 0;
            assert_same(&fast, &slow);
            outcome_free(&slow);
            outcome_free(&fast);
            if (bits < 18)
                check_against_naive(&table);
            table_free(&table);
        }
}

/* The same table without the blemishes, against the plain words. */
static void random_tables_without_damage(void **state)
{
    struct dice dice = dice_of(22);

    (void)state;
    for (unsigned extended = 0; extended < 2; extended++)
        for (unsigned bits = extended ? 14 : 9; bits <= 17; bits++)
            for (unsigned round = 0; round < 6; round++) {
                struct table table = table_of(bits, extended);

                choose_size(&table, &dice);
                fill_soundly(&table, &dice);
                check_against_naive(&table);
                table_free(&table);
            }
}

/* One odd entry, at each place of a block in the middle of a table in order. */
static void one_odd_entry_anywhere_in_a_block(void **state)
{
    static const uint64_t odd[] = {
        0, ZERO, COPIED, COMPRESSED | 0x123456, 0x7200, TIB, UINT64_C(1) << 61 | 0x5000};
    struct table table = table_of(12, false);

    (void)state;
    fill_in_order(&table, 5);
    table.virtual_bytes = cluster(&table, 320);
    for (size_t k = 0; k < COUNT(odd); k++)
        for (uint32_t i = 126; i < 194; i++) {
            uint64_t before = table.words[i];

            table.words[i] = odd[k];
            check_against_naive(&table);
            table.words[i] = before;
        }
    table_free(&table);
}

/* What lies behind the end of the disk, in the same block as the last entry or not, is no piece. */
static void the_disk_ends_anywhere_in_a_block(void **state)
{
    struct table table = table_of(12, false);

    (void)state;
    fill_in_order(&table, 5);
    table.words[300] = 0x7200;
    for (uint64_t end = 126; end < 194; end++)
        for (uint64_t part = 0; part < 4096; part += 1536) {
            struct outcome outcome;

            table.virtual_bytes = cluster(&table, end) + part;
            check_against_naive(&table);
            outcome = walk_whole(&table);
            assert_int_equal(outcome.n_pieces, end + (part > 0));
            assert_int_equal(outcome.counts.check_allocated, 512);
            assert_int_equal(outcome.findings.total, 0);
            outcome_free(&outcome);
        }
    table_free(&table);
}

/* The fast way must not take a cluster that begins at or behind the end of the file. */
static void the_file_ends_anywhere_in_a_block(void **state)
{
    struct table table = table_of(12, false);

    (void)state;
    fill_in_order(&table, 5);
    table.virtual_bytes = cluster(&table, 256);
    for (uint64_t n = 64; n < 140; n++)
        for (int more = -1; more <= 1; more++) {
            struct outcome outcome;

            table.entry_rules.file_bytes = cluster(&table, 5 + n) + (uint64_t)(int64_t)more;
            check_against_naive(&table);
            outcome = walk_whole(&table);
            assert_int_equal(outcome.n_pieces, more > 0 ? n + 1 : n);
            outcome_free(&outcome);
        }
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_shrink_when_the_cache_does_not_cover_the_disk),
        cmocka_unit_test(clusters_and_cache_are_rounded_up),
        cmocka_unit_test(an_empty_table_gives_nothing),
        cmocka_unit_test(a_table_in_order_is_one_read_a_mebibyte),
        cmocka_unit_test(a_reversed_table_is_one_read_a_cluster),
        cmocka_unit_test(a_cluster_of_2_mib_is_two_reads),
        cmocka_unit_test(encrypted_clusters_are_read_32_at_a_time),
        cmocka_unit_test(the_last_cluster_of_2_mib_may_be_one_read),
        cmocka_unit_test(a_blob_is_read_for_each_request_that_touches_it),
        cmocka_unit_test(the_last_cluster_of_a_block_may_be_one_read),
        cmocka_unit_test(the_last_extended_cluster_is_read_up_to_the_end),
        cmocka_unit_test(a_read_goes_on_from_subcluster_31_to_0),
        cmocka_unit_test(a_slice_border_ends_a_read),
        cmocka_unit_test(check_counts_as_qemu_img_does),
        cmocka_unit_test(detail_adds_pieces_of_zeros),
        cmocka_unit_test(detail_cuts_clusters_into_stretches),
        cmocka_unit_test(damage_is_told_with_its_place),
        cmocka_unit_test(every_kind_of_damage_has_words_of_its_own),
        cmocka_unit_test(damage_behind_the_disk_is_not_told),
        cmocka_unit_test(a_snapshot_is_named_and_no_list_is_needed),
        cmocka_unit_test(what_a_grown_file_holds_is_not_past_its_end),
        cmocka_unit_test(the_size_is_asked_once_a_chunk),
        cmocka_unit_test(the_size_is_not_asked_for_other_damage),
        cmocka_unit_test(what_the_sink_returns_stops_the_walk),
        cmocka_unit_test(random_tables_of_data_and_holes),
        cmocka_unit_test(random_tables_of_all_sound_kinds),
        cmocka_unit_test(random_tables_with_noise_and_damage),
        cmocka_unit_test(random_tables_of_version_2),
        cmocka_unit_test(random_tables_of_encrypted_images),
        cmocka_unit_test(random_tables_with_a_data_file),
        cmocka_unit_test(random_extended_tables),
        cmocka_unit_test(both_ways_give_the_same),
        cmocka_unit_test(both_ways_give_the_same_of_every_kind),
        cmocka_unit_test(random_tables_without_damage),
        cmocka_unit_test(one_odd_entry_anywhere_in_a_block),
        cmocka_unit_test(the_disk_ends_anywhere_in_a_block),
        cmocka_unit_test(the_file_ends_anywhere_in_a_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
