// SPDX-License-Identifier: MIT
/*
 * Owns the slow way through an L2 table: damage, the end of the disk, external data files, blobs
 * that are read more than once, short reads of encrypted images, and detail.
 */
#include "l2_decoder.h"

#include "checked.h"
#include "finding.h"
#include "reads.h"
#include "stretch.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>

static int add_piece(struct tables_l2_decoder *decoder, struct piece piece)
{
    struct piece_batch *batch = decoder->batch;
    int ret = 0;

    if (batch->n == PIECE_BATCH_MAX || (batch->n > 0 && batch->uniform))
        ret = tables_l2_flush(decoder);
    batch->uniform = false;
    piece.file = decoder->rules->data_file;
    piece_batch_add(batch, &piece);
    return ret;
}

static const char *describe(enum format_finding_code damage)
{
    switch (damage) {
    case FORMAT_FINDING_L2_RESERVED:
        return "has reserved bits set; it is read without them";
    case FORMAT_FINDING_L2_UNALIGNED:
        return "points to an offset that is not the start of a cluster; it is left out";
    case FORMAT_FINDING_L2_PAST_END:
        return "points past the end of the file; it is left out";
    case FORMAT_FINDING_L2_ZERO_V2:
        return "has the zero flag, which version 2 does not know; it is left out";
    case FORMAT_FINDING_L2_COMPRESSED_COPIED:
        return "is compressed, but has the flag \"copied\"";
    case FORMAT_FINDING_L2_COMPRESSED_RESERVED:
        return "is compressed, with an offset of more than 56 bits; it is left out";
    case FORMAT_FINDING_L2_COMPRESSED_PAST_END:
        return "is compressed, with data past the end of the file; it is left out";
    case FORMAT_FINDING_L2_COMPRESSED_HEADER:
        return "is compressed, with data inside the header; it is left out";
    case FORMAT_FINDING_L2_COMPRESSED_DATA_FILE:
        return "is compressed, which an external data file forbids; it is left out";
    case FORMAT_FINDING_L2_COMPRESSED_BITMAP:
        return "is compressed, but has subcluster bits; it is left out";
    case FORMAT_FINDING_L2_BITMAP:
        return "has contradictory subcluster bits; it is left out";
    case FORMAT_FINDING_L2_DATA_FILE_OFFSET:
        return "points to another offset of the data file than its own; it is left out";
    default:
        return "is damaged";
    }
}

static void report_damage(struct tables_l2_decoder *decoder, uint32_t index, uint64_t entry,
                          enum format_finding_code damage)
{
    struct format_findings *findings = decoder->output.findings;
    uint64_t place = decoder->l2_off + (uint64_t)index * decoder->rules->entry_bytes;
    char where[64];

    decoder->output.counts->corrupt_entries++;
    if (findings == NULL)
        return;
    if (!format_findings_wants(findings, damage)) {
        format_findings_count(findings, damage, 1);
        return;
    }
    snprintf(where, sizeof(where), "%sl2[%" PRIu32 "][%" PRIu32 "]", decoder->output.table_name,
             decoder->l1_index, index);
    format_findings_add(findings, damage, where, &place, "entry 0x%016" PRIx64 " %s", entry,
                        describe(damage));
}

/*
 * block/qcow2-refcount.c, check_refcounts_l2: goes by the type of the entry alone, damaged or not;
 * compressed clusters always count as fragmented.
 */
static void count_check(struct tables_l2_decoder *decoder, uint64_t entry, uint64_t bitmap)
{
    const struct format_entry_rules *rules = &decoder->rules->entry;
    struct piece_counts *counts = decoder->output.counts;
    uint64_t off = entry & FORMAT_ENTRY_OFFSET;

    if (entry & FORMAT_ENTRY_COMPRESSED) {
        if (rules->external_data || bitmap != 0)
            return;
        counts->check_allocated++;
        counts->check_compressed++;
        counts->check_fragmented++;
    } else if (format_has_cluster(rules, entry)) {
        counts->check_allocated++;
        counts->check_fragmented += decoder->check_next != 0 && off != decoder->check_next;
        decoder->check_next = off + rules->cluster_bytes;
    }
}

/* The parts, in 32nds, of the cluster at @guest_off that lie on the disk: it may end inside. */
static uint32_t on_disk(const struct tables_l2_decoder *decoder, uint64_t guest_off)
{
    uint64_t cluster_bytes = decoder->rules->entry.cluster_bytes, parts;

    if (guest_off < l2_guest_off_of(decoder, decoder->whole))
        return UINT32_MAX;
    parts = div_round_up(decoder->last_bytes * FORMAT_SUBCLUSTERS, cluster_bytes);
    return parts == FORMAT_SUBCLUSTERS ? UINT32_MAX : (UINT32_C(1) << parts) - 1;
}

/*
 * Data reads of a standard cluster. With extended L2 each stretch of allocated subclusters is a
 * read of its own; bit 0 goes on with the cluster before if that one's last subcluster did.
 */
static void count_reads(struct tables_l2_decoder *decoder, const struct format_entry *entry,
                        uint64_t guest_off, uint32_t alloc)
{
    const struct format_entry_rules *rules = &decoder->rules->entry;
    struct piece_counts *counts = decoder->output.counts;
    uint32_t starts = alloc & ~(alloc << 1);
    uint32_t borders = (guest_off & (decoder->rules->request_bytes - 1)) == 0 ? 1 : 0;
    bool goes_on = (alloc & 1) && decoder->adjacent_end != L2_NONE && borders == 0;

    if (rules->cluster_bytes > PIECE_REQUEST_BYTES) /* 2 MiB: a request begins in its middle, too */
        borders |= UINT32_C(1) << (FORMAT_SUBCLUSTERS / 2);
    starts |= alloc & borders;
    counts->reads_unbroken += (uint64_t)__builtin_popcount(starts) - goes_on;
    counts->reads +=
        (uint64_t)__builtin_popcount(starts) - (goes_on && decoder->adjacent_end == entry->begin);
    decoder->adjacent_end = alloc >> (FORMAT_SUBCLUSTERS - 1) ? entry->end : L2_NONE;
}

/* As count_reads, where a read also ends so many bytes after it began. */
static void count_short_reads(struct tables_l2_decoder *decoder, const struct format_entry *entry,
                              uint64_t guest_off, uint32_t alloc)
{
    const struct tables_read_limits limits = {decoder->rules->request_bytes,
                                              decoder->rules->read_bytes_max};
    uint64_t part_bytes = decoder->rules->entry.cluster_bytes / FORMAT_SUBCLUSTERS;
    struct piece_counts *counts = decoder->output.counts;
    struct piece_stretch stretch = {0};

    while (piece_next_stretch(alloc, 0, &stretch)) {
        uint64_t begin = guest_off + stretch.first * part_bytes;
        uint64_t end = guest_off + stretch.end * part_bytes;

        if (!stretch.alloc)
            continue;
        if (stretch.first > 0 || decoder->adjacent_end == L2_NONE)
            decoder->unbroken_begin = begin;
        if (stretch.first > 0 || decoder->adjacent_end != entry->begin)
            decoder->read_begin = begin;
        counts->reads_unbroken += tables_count_reads(limits, &decoder->unbroken_begin, begin, end);
        counts->reads += tables_count_reads(limits, &decoder->read_begin, begin, end);
    }
    decoder->adjacent_end = alloc >> (FORMAT_SUBCLUSTERS - 1) ? entry->end : L2_NONE;
}

/* Detail mode: a piece for each stretch of subclusters that are alike. */
static int add_subclusters(struct tables_l2_decoder *decoder, const struct format_entry *entry,
                           uint64_t guest_off)
{
    uint64_t sub_bytes = decoder->rules->entry.cluster_bytes / FORMAT_SUBCLUSTERS;
    bool has_cluster = entry->kind != FORMAT_ZERO_PLAIN;
    struct piece_stretch stretch = {0};

    while (piece_next_stretch(entry->alloc, entry->zero, &stretch)) {
        struct piece piece = {.kind = stretch.alloc ? PIECE_DATA
                                      : has_cluster ? PIECE_ZERO_ALLOCATED
                                                    : PIECE_ZERO,
                              .guest_off = guest_off + stretch.first * sub_bytes,
                              .guest_bytes = (stretch.end - stretch.first) * sub_bytes,
                              .begin = has_cluster ? entry->begin + stretch.first * sub_bytes : 0};
        int ret;

        if (!stretch.alloc && !stretch.zero)
            continue;
        piece.end = has_cluster ? piece.begin + piece.guest_bytes : 0;
        piece.mapped_bytes = stretch.alloc ? piece.guest_bytes : 0;
        ret = add_piece(decoder, piece);
        if (ret < 0)
            return ret;
    }
    return 0;
}

static int add_zero(struct tables_l2_decoder *decoder, const struct format_entry *entry,
                    uint64_t guest_off)
{
    struct piece_counts *counts = decoder->output.counts;
    bool allocated = entry->kind == FORMAT_ZERO_ALLOCATED;

    counts->zero_clusters++;
    counts->zero_allocated_clusters += allocated;
    decoder->held_zeros += allocated;
    decoder->adjacent_end = L2_NONE;
    if (decoder->rules->pieces == TABLES_PIECES_MAPPED)
        return 0;
    if (decoder->rules->pieces == TABLES_PIECES_DETAIL && decoder->rules->entry.extended_l2)
        return add_subclusters(decoder, entry, guest_off);
    return add_piece(decoder, (struct piece){.kind = allocated ? PIECE_ZERO_ALLOCATED : PIECE_ZERO,
                                             .guest_off = guest_off,
                                             .guest_bytes = decoder->rules->entry.cluster_bytes,
                                             .begin = entry->begin,
                                             .end = allocated ? entry->end : 0});
}

/* The requests that touch a cluster, which may lie on the disk in part. */
static uint64_t count_requests(const struct tables_l2_decoder *decoder, uint64_t guest_off)
{
    if (!l2_blobs_are_read_again(decoder))
        return 1;
    return div_round_up(guest_off < l2_guest_off_of(decoder, decoder->whole)
                            ? decoder->rules->entry.cluster_bytes
                            : decoder->last_bytes,
                        PIECE_REQUEST_BYTES);
}

static int read_again(struct tables_l2_decoder *decoder, const struct format_entry *entry)
{
    piece_batch_read_again(decoder->batch, decoder->rules->data_file, entry->begin, entry->end);
    return tables_l2_flush(decoder);
}

static int add_compressed(struct tables_l2_decoder *decoder, const struct format_entry *entry,
                          uint64_t guest_off)
{
    struct piece_counts *counts = decoder->output.counts;
    uint64_t cluster_bytes = decoder->rules->entry.cluster_bytes;
    uint64_t reads = count_requests(decoder, guest_off);
    int ret;

    counts->mapped_clusters++;
    counts->mapped_bytes += cluster_bytes;
    counts->compressed_clusters++;
    l2_meet_data(decoder);
    counts->reads += reads;
    counts->reads_unbroken += reads;
    decoder->adjacent_end = L2_NONE;
    ret =
        add_piece(decoder, (struct piece){.kind = PIECE_COMPRESSED,
                                          .guest_off = guest_off,
                                          .guest_bytes = cluster_bytes,
                                          .begin = entry->begin,
                                          .end = entry->end,
                                          .mapped_bytes = cluster_bytes,
                                          .slack = (uint32_t)(-entry->end & (cluster_bytes - 1))});
    for (; reads > 1 && ret == 0; reads--)
        ret = read_again(decoder, entry);
    return ret;
}

static int add_standard(struct tables_l2_decoder *decoder, const struct format_entry *entry,
                        uint64_t guest_off)
{
    struct piece_counts *counts = decoder->output.counts;
    uint64_t cluster_bytes = decoder->rules->entry.cluster_bytes;
    uint64_t held =
        (uint64_t)__builtin_popcount(entry->alloc) * (cluster_bytes / FORMAT_SUBCLUSTERS);

    if (!decoder->rules->entry.extended_l2)
        held = cluster_bytes; /* alloc is all ones; a 512-byte cluster divides as well */
    counts->mapped_clusters++;
    counts->mapped_bytes += held;
    l2_meet_data(decoder);
    if (l2_reads_are_short(decoder))
        count_short_reads(decoder, entry, guest_off, entry->alloc & on_disk(decoder, guest_off));
    else
        count_reads(decoder, entry, guest_off, entry->alloc & on_disk(decoder, guest_off));
    if (decoder->rules->pieces == TABLES_PIECES_DETAIL && decoder->rules->entry.extended_l2)
        return add_subclusters(decoder, entry, guest_off);
    return add_piece(decoder, (struct piece){.kind = PIECE_DATA,
                                             .guest_off = guest_off,
                                             .guest_bytes = cluster_bytes,
                                             .begin = entry->begin,
                                             .end = entry->end,
                                             .mapped_bytes = held,
                                             .missing = ~entry->alloc});
}

/* The entry of this cluster means nothing. The last cluster of the disk may lie on it in part. */
static void lose(struct tables_l2_decoder *decoder, uint64_t guest_off)
{
    uint64_t len_bytes = guest_off < l2_guest_off_of(decoder, decoder->whole)
                             ? decoder->rules->entry.cluster_bytes
                             : decoder->last_bytes;

    if (decoder->output.lost != NULL)
        piece_lost_add(decoder->output.lost, guest_off, guest_off + len_bytes);
}

static struct format_entry classify(struct tables_l2_decoder *decoder, uint64_t word,
                                    uint64_t bitmap, uint64_t guest_off)
{
    const struct format_entry_rules *rules = &decoder->rules->entry;
    struct format_entry entry = format_entry_of(rules, word, bitmap, guest_off);

    if (!format_may_be_growth(entry.damage) || decoder->asked_size ||
        decoder->output.file_has_grown == NULL)
        return entry;
    decoder->asked_size = true;
    if (decoder->output.file_has_grown(decoder->output.context))
        entry = format_entry_of(rules, word, bitmap, guest_off);
    return entry;
}

static int decode_entry(struct tables_l2_decoder *decoder, uint32_t index, uint64_t word,
                        uint64_t bitmap)
{
    uint64_t guest_off = l2_guest_off_of(decoder, index);
    struct format_entry entry;

    if (index < decoder->first || (word == 0 && bitmap == 0)) {
        decoder->adjacent_end = L2_NONE;
        return 0;
    }
    count_check(decoder, word, bitmap);
    if (index >= decoder->inside)
        return 0;
    entry = classify(decoder, word, bitmap, guest_off);
    if (entry.damage != FORMAT_SOUND)
        report_damage(decoder, index, word, entry.damage);

    switch (entry.kind) {
    case FORMAT_STANDARD:
        return add_standard(decoder, &entry, guest_off);
    case FORMAT_COMPRESSED:
        return add_compressed(decoder, &entry, guest_off);
    case FORMAT_ZERO_PLAIN:
    case FORMAT_ZERO_ALLOCATED:
        return add_zero(decoder, &entry, guest_off);
    case FORMAT_INVALID:
        lose(decoder, guest_off);
        decoder->adjacent_end = L2_NONE;
        return 0;
    default:
        decoder->adjacent_end = L2_NONE;
        return 0;
    }
}

int tables_l2_decode_entries(struct tables_l2_decoder *decoder, uint32_t index, const uint64_t *raw)
{
    bool extended = decoder->rules->entry.extended_l2;
    int ret = 0;

    for (uint32_t i = 0; i < L2_BLOCK && ret == 0; i++)
        ret = extended
                  ? decode_entry(decoder, index + i, be64toh(raw[2 * i]), be64toh(raw[2 * i + 1]))
                  : decode_entry(decoder, index + i, be64toh(raw[i]), 0);
    return ret;
}
