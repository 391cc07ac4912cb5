// SPDX-License-Identifier: MIT
/*
 * Owns the way from the raw bytes of an L2 table to pieces and counts.
 *
 * Entries are looked at 64 at a time. A block that holds only whole standard clusters (or nothing
 * at all) takes the fastest way: a few loops over arrays, no decision per entry. Other blocks are
 * decoded into columns, if they are sound (see block.h). What remains goes entry by entry through
 * the classifier of format/entry.h: damage, the end of the disk, external data files, blobs that
 * are read more than once, short reads of encrypted images, and detail. All ways give the same
 * figures; the fast ones are only shorter ways to say them.
 */
#include "l2.h"

#include "bits.h"
#include "block.h"
#include "checked.h"
#include "clones.h"
#include "finding.h"
#include "header.h"
#include "reads.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BLOCK TABLES_BLOCK_ENTRIES
#define NONE UINT64_MAX
#define REQUEST_BYTES (UINT64_C(1) << 20)           /* of the guest, for the read split */
#define DEFAULT_L2_CACHE_BYTES (UINT64_C(32) << 20) /* DEFAULT_L2_CACHE_MAX_SIZE, on Linux */
#define SMALL_SLICE_BYTES 4096
#define CRYPT_CLUSTERS 32

uint64_t tables_l2_clusters(const struct format_header *header, uint64_t virtual_bytes)
{
    return div_round_up(virtual_bytes, header->cluster_bytes);
}

uint64_t tables_l2_cache_bytes(const struct format_header *header, uint64_t virtual_bytes)
{
    /* At most 2^52 clusters of 16 bytes: no overflow. */
    uint64_t bytes = tables_l2_clusters(header, virtual_bytes) * header->l2_entry_bytes;

    return (bytes + header->cluster_bytes - 1) & ~(header->cluster_bytes - 1);
}

uint32_t tables_l2_slice_bytes(const struct format_header *header, uint64_t virtual_bytes)
{
    if (tables_l2_cache_bytes(header, virtual_bytes) <= DEFAULT_L2_CACHE_BYTES ||
        header->cluster_bytes < SMALL_SLICE_BYTES)
        return (uint32_t)header->cluster_bytes;
    return SMALL_SLICE_BYTES;
}

uint64_t tables_l2_read_bytes_max(const struct format_header *header)
{
    uint64_t bytes = CRYPT_CLUSTERS * header->cluster_bytes;

    return header->crypt != FORMAT_CRYPT_NONE && bytes < REQUEST_BYTES ? bytes : UINT64_MAX;
}

struct tables_l2_rules tables_l2_rules_of(const struct format_header *header,
                                          const struct format_entry_rules *entry,
                                          uint64_t virtual_bytes, bool detail)
{
    uint32_t slice_bytes = tables_l2_slice_bytes(header, virtual_bytes);

    return (struct tables_l2_rules){
        .entry = *entry,
        .span = TABLES_SPAN_ALL,
        .entries = header->l2_entries,
        .entry_bytes = header->l2_entry_bytes,
        .slice_entries = slice_bytes / header->l2_entry_bytes,
        .slice_bytes = slice_bytes,
        .read_bytes_max = tables_l2_read_bytes_max(header),
        .table_file = PIECE_FILE_IMAGE,
        .data_file = header->external_data ? PIECE_FILE_DATA : PIECE_FILE_IMAGE,
        .detail = detail,
    };
}

/* ---- the batch under construction ---- */

static int flush(struct tables_l2_walk *walk)
{
    struct piece_batch *batch = walk->batch;
    int ret =
        piece_batch_is_empty(batch) ? 0 : walk->output.sink.take(walk->output.sink.context, batch);

    piece_batch_clear(batch);
    return ret;
}

static bool begins_slice(const struct tables_l2_walk *walk, uint32_t index)
{
    return (index & (walk->rules->slice_entries - 1)) == 0;
}

/* The slice that begins at entry @index is read before what it maps. */
static int read_slice(struct tables_l2_walk *walk, uint32_t index)
{
    const struct tables_l2_rules *rules = walk->rules;
    struct piece_batch *batch = walk->batch;
    uint64_t off = walk->l2_off + (uint64_t)index * rules->entry_bytes;
    int ret = 0;

    walk->adjacent_end = NONE; /* no data read goes on over the border of a slice */
    if (index >= walk->inside || index + rules->slice_entries <= walk->first)
        return 0;
    if (batch->n > 0)
        ret = flush(walk);
    if (batch->table_bytes == 0)
        batch->table_off = off; /* else the slice before it maps nothing, and both are one read */
    batch->table_bytes += rules->slice_bytes;
    return ret;
}

static int add_piece(struct tables_l2_walk *walk, struct piece piece)
{
    struct piece_batch *batch = walk->batch;
    int ret = 0;

    if (batch->n == PIECE_BATCH_MAX || (batch->n > 0 && batch->uniform))
        ret = flush(walk);
    batch->uniform = false;
    piece.file = walk->rules->data_file;
    piece_batch_add(batch, &piece);
    return ret;
}

/* Room for a block behind the pieces of the batch. */
static int make_room(struct tables_l2_walk *walk)
{
    return walk->batch->n > PIECE_BATCH_MAX - BLOCK ? flush(walk) : 0;
}

/*
 * Makes a block of offsets that stand behind the batch's pieces part of a uniform batch: of this
 * one, if they follow its last piece on the guest disk, else of a new one.
 */
static int join_uniform(struct tables_l2_walk *walk, uint64_t guest_off)
{
    struct piece_batch *batch = walk->batch;
    uint32_t n = batch->n;
    int ret;

    if (n > 0 && batch->uniform && batch->guest_first + n * batch->cluster_bytes == guest_off)
        return 0;
    ret = n > 0 ? flush(walk) : 0;
    memmove(batch->begin, &batch->begin[n], BLOCK * sizeof(batch->begin[0]));
    batch->uniform = true;
    batch->guest_first = guest_off;
    return ret;
}

/* ---- one entry at a time ---- */

static uint64_t guest_off_of(const struct tables_l2_walk *walk, uint32_t index)
{
    return walk->guest_off + (uint64_t)index * walk->rules->entry.cluster_bytes;
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

static void report_damage(struct tables_l2_walk *walk, uint32_t index, uint64_t entry,
                          enum format_finding_code damage)
{
    struct format_findings *findings = walk->output.findings;
    uint64_t place = walk->l2_off + (uint64_t)index * walk->rules->entry_bytes;
    char where[64];

    walk->output.counts->corrupt_entries++;
    if (findings == NULL)
        return;
    if (!format_findings_wants(findings, damage)) {
        format_findings_count(findings, damage, 1);
        return;
    }
    snprintf(where, sizeof(where), "%sl2[%" PRIu32 "][%" PRIu32 "]", walk->output.table_name,
             walk->l1_index, index);
    format_findings_add(findings, damage, where, &place, "entry 0x%016" PRIx64 " %s", entry,
                        describe(damage));
}

/*
 * block/qcow2-refcount.c, check_refcounts_l2: goes by the type of the entry alone, damaged or not;
 * compressed clusters always count as fragmented.
 */
static void count_check(struct tables_l2_walk *walk, uint64_t entry, uint64_t bitmap)
{
    const struct format_entry_rules *rules = &walk->rules->entry;
    struct piece_counts *counts = walk->output.counts;
    uint64_t off = entry & FORMAT_ENTRY_OFFSET;
    bool zero_flag = !rules->extended_l2 && (entry & FORMAT_ENTRY_ZERO);

    if (entry & FORMAT_ENTRY_COMPRESSED) {
        if (rules->external_data || bitmap != 0)
            return;
        counts->check_allocated++;
        counts->check_compressed++;
        counts->check_fragmented++;
    } else if (off != 0 || (rules->external_data && (entry & FORMAT_ENTRY_COPIED) && !zero_flag)) {
        counts->check_allocated++;
        counts->check_fragmented += walk->check_next != 0 && off != walk->check_next;
        walk->check_next = off + rules->cluster_bytes;
    }
}

/* The parts, in 32nds, of the cluster at @guest_off that lie on the disk: it may end inside. */
static uint32_t on_disk(const struct tables_l2_walk *walk, uint64_t guest_off)
{
    uint64_t cluster_bytes = walk->rules->entry.cluster_bytes, parts;

    if (guest_off < guest_off_of(walk, walk->whole))
        return UINT32_MAX;
    parts = div_round_up(walk->last_bytes * FORMAT_SUBCLUSTERS, cluster_bytes);
    return parts == FORMAT_SUBCLUSTERS ? UINT32_MAX : (UINT32_C(1) << parts) - 1;
}

/*
 * Data reads of a standard cluster. With extended L2 each stretch of allocated subclusters is a
 * read of its own; bit 0 goes on with the cluster before if that one's last subcluster did.
 */
static void count_reads(struct tables_l2_walk *walk, const struct format_entry *entry,
                        uint64_t guest_off, uint32_t alloc)
{
    const struct format_entry_rules *rules = &walk->rules->entry;
    struct piece_counts *counts = walk->output.counts;
    uint32_t starts = alloc & ~(alloc << 1);
    uint32_t borders = (guest_off & (walk->request_bytes - 1)) == 0 ? 1 : 0;
    bool goes_on = (alloc & 1) && walk->adjacent_end != NONE && borders == 0;

    if (rules->cluster_bytes > REQUEST_BYTES) /* 2 MiB: a request begins in its middle, too */
        borders |= UINT32_C(1) << (FORMAT_SUBCLUSTERS / 2);
    starts |= alloc & borders;
    counts->reads_unbroken += (uint64_t)__builtin_popcount(starts) - goes_on;
    counts->reads +=
        (uint64_t)__builtin_popcount(starts) - (goes_on && walk->adjacent_end == entry->begin);
    walk->adjacent_end = alloc >> (FORMAT_SUBCLUSTERS - 1) ? entry->end : NONE;
}

static bool reads_are_short(const struct tables_l2_walk *walk)
{
    return walk->rules->read_bytes_max != UINT64_MAX;
}

/* As count_reads, where a read also ends so many bytes after it began. */
static void count_short_reads(struct tables_l2_walk *walk, const struct format_entry *entry,
                              uint64_t guest_off, uint32_t alloc)
{
    const struct tables_read_limits limits = {walk->request_bytes, walk->rules->read_bytes_max};
    uint64_t part_bytes = walk->rules->entry.cluster_bytes / FORMAT_SUBCLUSTERS;
    struct piece_counts *counts = walk->output.counts;

    for (unsigned i = 0, next; i < FORMAT_SUBCLUSTERS; i = next) {
        uint64_t begin = guest_off + i * part_bytes, end;

        for (next = i + 1; next < FORMAT_SUBCLUSTERS; next++)
            if ((alloc >> next & 1) != (alloc >> i & 1))
                break;
        if (!(alloc >> i & 1))
            continue;
        end = guest_off + next * part_bytes;
        if (i > 0 || walk->adjacent_end == NONE)
            walk->unbroken_begin = begin;
        if (i > 0 || walk->adjacent_end != entry->begin)
            walk->read_begin = begin;
        counts->reads_unbroken += tables_count_reads(limits, &walk->unbroken_begin, begin, end);
        counts->reads += tables_count_reads(limits, &walk->read_begin, begin, end);
    }
    walk->adjacent_end = alloc >> (FORMAT_SUBCLUSTERS - 1) ? entry->end : NONE;
}

/* Detail mode: a piece for each stretch of subclusters that are alike. */
static int add_subclusters(struct tables_l2_walk *walk, const struct format_entry *entry,
                           uint64_t guest_off)
{
    uint64_t sub_bytes = walk->rules->entry.cluster_bytes / FORMAT_SUBCLUSTERS;
    bool has_cluster = entry->kind != FORMAT_ZERO_PLAIN;

    for (unsigned i = 0, next; i < FORMAT_SUBCLUSTERS; i = next) {
        bool alloc = entry->alloc >> i & 1, zero = entry->zero >> i & 1;
        struct piece piece;
        int ret;

        for (next = i + 1; next < FORMAT_SUBCLUSTERS; next++)
            if ((entry->alloc >> next & 1) != alloc || (entry->zero >> next & 1) != zero)
                break;
        if (!alloc && !zero)
            continue;
        piece = (struct piece){.kind = alloc         ? PIECE_DATA
                                       : has_cluster ? PIECE_ZERO_ALLOCATED
                                                     : PIECE_ZERO,
                               .guest_off = guest_off + i * sub_bytes,
                               .guest_bytes = (next - i) * sub_bytes,
                               .begin = has_cluster ? entry->begin + i * sub_bytes : 0};
        piece.end = has_cluster ? piece.begin + piece.guest_bytes : 0;
        piece.mapped_bytes = alloc ? piece.guest_bytes : 0;
        ret = add_piece(walk, piece);
        if (ret < 0)
            return ret;
    }
    return 0;
}

static int add_zero(struct tables_l2_walk *walk, const struct format_entry *entry,
                    uint64_t guest_off)
{
    struct piece_counts *counts = walk->output.counts;
    bool allocated = entry->kind == FORMAT_ZERO_ALLOCATED;

    counts->zero_clusters++;
    counts->zero_allocated_clusters += allocated;
    walk->adjacent_end = NONE;
    if (!walk->rules->detail)
        return 0;
    if (walk->rules->entry.extended_l2)
        return add_subclusters(walk, entry, guest_off);
    return add_piece(walk, (struct piece){.kind = allocated ? PIECE_ZERO_ALLOCATED : PIECE_ZERO,
                                          .guest_off = guest_off,
                                          .guest_bytes = walk->rules->entry.cluster_bytes,
                                          .begin = entry->begin,
                                          .end = allocated ? entry->end : 0});
}

/* Only clusters of 2 MiB are larger than a request. */
static bool blobs_are_read_again(const struct tables_l2_walk *walk)
{
    return walk->rules->entry.cluster_bytes > REQUEST_BYTES;
}

/* The requests that touch a cluster, which may lie on the disk in part. */
static uint64_t count_requests(const struct tables_l2_walk *walk, uint64_t guest_off)
{
    if (!blobs_are_read_again(walk))
        return 1;
    return div_round_up(guest_off < guest_off_of(walk, walk->whole)
                            ? walk->rules->entry.cluster_bytes
                            : walk->last_bytes,
                        REQUEST_BYTES);
}

static int read_again(struct tables_l2_walk *walk, const struct format_entry *entry)
{
    piece_batch_read_again(walk->batch, walk->rules->data_file, entry->begin, entry->end);
    return flush(walk);
}

static int add_compressed(struct tables_l2_walk *walk, const struct format_entry *entry,
                          uint64_t guest_off)
{
    struct piece_counts *counts = walk->output.counts;
    uint64_t cluster_bytes = walk->rules->entry.cluster_bytes;
    uint64_t reads = count_requests(walk, guest_off);
    int ret;

    counts->mapped_clusters++;
    counts->mapped_bytes += cluster_bytes;
    counts->compressed_clusters++;
    counts->reads += reads;
    counts->reads_unbroken += reads;
    walk->adjacent_end = NONE;
    ret = add_piece(walk, (struct piece){.kind = PIECE_COMPRESSED,
                                         .guest_off = guest_off,
                                         .guest_bytes = cluster_bytes,
                                         .begin = entry->begin,
                                         .end = entry->end,
                                         .mapped_bytes = cluster_bytes,
                                         .slack = (uint32_t)(-entry->end & (cluster_bytes - 1))});
    for (; reads > 1 && ret == 0; reads--)
        ret = read_again(walk, entry);
    return ret;
}

static int add_standard(struct tables_l2_walk *walk, const struct format_entry *entry,
                        uint64_t guest_off)
{
    struct piece_counts *counts = walk->output.counts;
    uint64_t cluster_bytes = walk->rules->entry.cluster_bytes;
    uint64_t held =
        (uint64_t)__builtin_popcount(entry->alloc) * (cluster_bytes / FORMAT_SUBCLUSTERS);

    if (!walk->rules->entry.extended_l2)
        held = cluster_bytes; /* alloc is all ones; a 512-byte cluster divides as well */
    counts->mapped_clusters++;
    counts->mapped_bytes += held;
    if (reads_are_short(walk))
        count_short_reads(walk, entry, guest_off, entry->alloc & on_disk(walk, guest_off));
    else
        count_reads(walk, entry, guest_off, entry->alloc & on_disk(walk, guest_off));
    if (walk->rules->detail && walk->rules->entry.extended_l2)
        return add_subclusters(walk, entry, guest_off);
    return add_piece(walk, (struct piece){.kind = PIECE_DATA,
                                          .guest_off = guest_off,
                                          .guest_bytes = cluster_bytes,
                                          .begin = entry->begin,
                                          .end = entry->end,
                                          .mapped_bytes = held,
                                          .missing = ~entry->alloc});
}

/* Damage that a longer file would heal is believed only after a look at the file. */
static struct format_entry classify(struct tables_l2_walk *walk, uint64_t word, uint64_t bitmap,
                                    uint64_t guest_off)
{
    const struct format_entry_rules *rules = &walk->rules->entry;
    struct format_entry entry = format_entry_of(rules, word, bitmap, guest_off);

    if ((entry.damage != FORMAT_FINDING_L2_PAST_END &&
         entry.damage != FORMAT_FINDING_L2_COMPRESSED_PAST_END) ||
        walk->asked_size || walk->output.file_has_grown == NULL)
        return entry;
    walk->asked_size = true;
    if (walk->output.file_has_grown(walk->output.context))
        entry = format_entry_of(rules, word, bitmap, guest_off);
    return entry;
}

static int walk_entry(struct tables_l2_walk *walk, uint32_t index, uint64_t word, uint64_t bitmap)
{
    uint64_t guest_off = guest_off_of(walk, index);
    struct format_entry entry;

    if (index < walk->first || (word == 0 && bitmap == 0)) {
        walk->adjacent_end = NONE;
        return 0;
    }
    count_check(walk, word, bitmap);
    if (index >= walk->inside)
        return 0;
    entry = classify(walk, word, bitmap, guest_off);
    if (entry.damage != FORMAT_SOUND)
        report_damage(walk, index, word, entry.damage);

    switch (entry.kind) {
    case FORMAT_STANDARD:
        return add_standard(walk, &entry, guest_off);
    case FORMAT_COMPRESSED:
        return add_compressed(walk, &entry, guest_off);
    case FORMAT_ZERO_PLAIN:
    case FORMAT_ZERO_ALLOCATED:
        return add_zero(walk, &entry, guest_off);
    default:
        walk->adjacent_end = NONE;
        return 0;
    }
}

/* ---- 64 entries at a time ---- */

enum block_kind { BLOCK_EMPTY, BLOCK_DENSE, BLOCK_MIXED };

/* The loops below keep one answer for 64 entries in the sign of a number: compilers make vector
 * code of additions and ORs, and no branch or comparison is needed. Offsets stay below 2^57. */
#define IS_NEGATIVE(n) ((int64_t)(n) < 0)

/*
 * Says of which kind a block is. @begin receives the host offsets, valid for a dense block only. An
 * entry is plain when it has no bit but COPIED and an aligned offset; with extended L2, when all of
 * its parts are allocated besides.
 */
CLONES_PART enum block_kind peek(const struct format_entry_rules *rules, const uint64_t *raw,
                                 unsigned words, uint64_t begin[BLOCK])
{
    const uint64_t plain = FORMAT_ENTRY_OFFSET & ~(rules->cluster_bytes - 1);
    const uint64_t last = rules->file_bytes - 1;
    uint64_t seen = 0, outside = 0, bitmaps = 0, partly = 0;

    for (unsigned i = 0; i < BLOCK; i++) {
        uint64_t entry = be64toh(raw[words * i]);

        begin[i] = entry & plain;
        seen |= entry;
        outside |= (begin[i] - 1) | (last - begin[i]); /* negative: 0, or past the end */
        if (words == 2) {
            bitmaps |= raw[2 * i + 1];
            partly |= raw[2 * i + 1] ^ htobe64(UINT32_MAX);
        }
    }
    if ((seen | bitmaps) == 0)
        return BLOCK_EMPTY;
    if ((seen & ~(plain | FORMAT_ENTRY_COPIED)) != 0 || IS_NEGATIVE(outside) || partly != 0 ||
        rules->external_data)
        return BLOCK_MIXED;
    return BLOCK_DENSE;
}

/*
 * Bit i: cluster i does not begin where cluster i - 1 ends; @before is the begin before the first.
 * All in order is the common case, and needs no look at single bits.
 */
CLONES_PART uint64_t block_breaks(const uint64_t *begin, uint64_t before, uint64_t cluster_bytes)
{
    uint64_t any = 0, breaks = begin[0] != before + cluster_bytes;

    for (unsigned i = 1; i < BLOCK; i++)
        any |= begin[i] ^ (begin[i - 1] + cluster_bytes);
    if (any == 0)
        return breaks;
    for (unsigned i = 1; i < BLOCK; i++)
        breaks |= begin[i] != begin[i - 1] + cluster_bytes ? bits_of[i] : 0;
    return breaks;
}

CLONES_PART void count_block(struct tables_l2_walk *walk, uint64_t first, uint64_t breaks,
                             uint64_t guest_off)
{
    struct piece_counts *counts = walk->output.counts;
    uint64_t borders = (guest_off & (walk->request_bytes - 1)) == 0 ? walk->borders : 0;
    uint64_t halves = walk->rules->entry.cluster_bytes > REQUEST_BYTES ? BLOCK : 0;
    uint64_t inner = breaks & ~UINT64_C(1);

    counts->mapped_clusters += BLOCK;
    counts->mapped_bytes += BLOCK * walk->rules->entry.cluster_bytes;
    if (walk->adjacent_end == NONE)
        borders |= 1;
    counts->reads_unbroken += (uint64_t)__builtin_popcountll(borders) + halves;
    counts->reads +=
        (uint64_t)__builtin_popcountll(borders | inner | (walk->adjacent_end != first)) + halves;
}

/* A dense block whose offsets stand behind the pieces of the batch already. */
CLONES_PART int walk_dense(struct tables_l2_walk *walk, uint32_t index)
{
    struct piece_counts *counts = walk->output.counts;
    struct piece_batch *batch = walk->batch;
    uint64_t cluster_bytes = walk->rules->entry.cluster_bytes;
    uint64_t guest_off = guest_off_of(walk, index), breaks;
    const uint64_t *begin;
    int ret = join_uniform(walk, guest_off);

    if (ret < 0)
        return ret;
    begin = &batch->begin[batch->n];
    breaks = block_breaks(begin, batch->n > 0 ? begin[-1] : 0, cluster_bytes);
    counts->check_allocated += BLOCK;
    counts->check_fragmented += (uint64_t)__builtin_popcountll(breaks & ~UINT64_C(1)) +
                                (walk->check_next != 0 && begin[0] != walk->check_next);
    walk->check_next = begin[BLOCK - 1] + cluster_bytes;

    count_block(walk, begin[0], breaks, guest_off);
    walk->adjacent_end = walk->check_next;

    batch->breaks[batch->n / BLOCK] = breaks;
    batch->n += BLOCK;
    return batch->n == PIECE_BATCH_MAX ? flush(walk) : 0;
}

/*
 * The fragmented ones among the entries with a host cluster, by the formula of check: each is
 * compared with the last one before it, wherever that is.
 */
CLONES_PART uint64_t count_fragmented(struct tables_l2_walk *walk, const struct tables_block *block)
{
    uint64_t follows = block->host & block->host << 1; /* one that is in the entry before */
    uint64_t ends = block->host & ~(block->host >> 1);
    uint64_t fragmented = (uint64_t)__builtin_popcountll(follows & ~block->touches);

    for (uint64_t begins = block->host & ~follows; begins != 0; begins &= begins - 1) {
        uint64_t begin = block->begin[__builtin_ctzll(begins)];

        fragmented += walk->check_next != 0 && begin != walk->check_next;
        walk->check_next = block->end[__builtin_ctzll(ends)];
        ends &= ends - 1;
    }
    return fragmented;
}

/* The data reads of standard clusters, as in count_reads. */
CLONES_PART void count_block_reads(struct tables_l2_walk *walk, const struct tables_block *block,
                                   uint64_t guest_off)
{
    struct piece_counts *counts = walk->output.counts;
    uint64_t borders = (guest_off & (walk->request_bytes - 1)) == 0 ? walk->borders : 0;
    uint64_t first_parts = block->standard, last_parts = block->standard, starts = 0, goes_on;
    uint64_t touches = block->touches | (block->begin[0] == walk->adjacent_end);

    if (walk->rules->entry.extended_l2) {
        uint32_t middle = walk->rules->entry.cluster_bytes > REQUEST_BYTES
                              ? UINT32_C(1) << (FORMAT_SUBCLUSTERS / 2)
                              : 0;

        first_parts = last_parts = 0;
        for (unsigned i = 0; i < BLOCK; i++) {
            uint32_t alloc = block->alloc[i] & (uint32_t)all_if(block->standard >> i & 1);

            starts += (unsigned)__builtin_popcount((alloc & ~(alloc << 1)) | (alloc & middle));
            first_parts |= bits_of[i] & all_if((alloc & 1) != 0);
            last_parts |= bits_of[i] & all_if((alloc >> (FORMAT_SUBCLUSTERS - 1)) != 0);
        }
    } else {
        starts = (uint64_t)__builtin_popcountll(block->standard) *
                 (walk->rules->entry.cluster_bytes > REQUEST_BYTES ? 2 : 1);
    }
    goes_on = first_parts & (last_parts << 1 | (walk->adjacent_end != NONE)) & ~borders;
    counts->reads_unbroken += starts - (uint64_t)__builtin_popcountll(goes_on);
    counts->reads += starts - (uint64_t)__builtin_popcountll(goes_on & touches);
    walk->adjacent_end = last_parts >> (BLOCK - 1) ? block->end[BLOCK - 1] : NONE;
}

CLONES_PART uint64_t count_held(const struct tables_l2_walk *walk, const struct tables_block *block)
{
    uint64_t cluster_bytes = walk->rules->entry.cluster_bytes, parts = 0;
    uint64_t held = block->standard | block->compressed;

    if (!walk->rules->entry.extended_l2)
        return (uint64_t)__builtin_popcountll(held) * cluster_bytes;
    for (unsigned i = 0; i < BLOCK; i++)
        parts += (unsigned)__builtin_popcount(block->alloc[i]);
    return parts * (cluster_bytes / FORMAT_SUBCLUSTERS);
}

CLONES_PART void count_columns(struct tables_l2_walk *walk, const struct tables_block *block,
                               uint64_t guest_off)
{
    struct piece_counts *counts = walk->output.counts;
    uint64_t n_compressed = (uint64_t)__builtin_popcountll(block->compressed);

    counts->check_allocated += (uint64_t)__builtin_popcountll(block->host) + n_compressed;
    counts->check_fragmented += count_fragmented(walk, block) + n_compressed;
    counts->check_compressed += n_compressed;
    counts->mapped_clusters += (uint64_t)__builtin_popcountll(block->standard) + n_compressed;
    counts->mapped_bytes += count_held(walk, block);
    counts->compressed_clusters += n_compressed;
    counts->zero_clusters += (uint64_t)__builtin_popcountll(block->zero);
    counts->zero_allocated_clusters += (uint64_t)__builtin_popcountll(block->zero & block->host);
    counts->reads += n_compressed;
    counts->reads_unbroken += n_compressed;
    count_block_reads(walk, block, guest_off);
}

/* Behind the pieces of the batch there are 64 more: those whose bits are @held move together. */
CLONES_PART uint32_t close_up(struct piece_batch *batch, uint64_t held)
{
    uint32_t to = batch->n;

    for (; held != 0; held &= held - 1, to++) {
        uint32_t from = batch->n + (uint32_t)__builtin_ctzll(held);

        batch->guest_off[to] = batch->guest_off[from];
        batch->begin[to] = batch->begin[from];
        batch->end[to] = batch->end[from];
        batch->mapped_bytes[to] = batch->mapped_bytes[from];
        batch->missing[to] = batch->missing[from];
        batch->slack[to] = batch->slack[from];
        batch->kind[to] = batch->kind[from];
    }
    return to - batch->n;
}

/* The mapped entries of a block become pieces. */
CLONES_PART void add_columns(struct tables_l2_walk *walk, const struct tables_block *restrict block,
                             uint64_t guest_off)
{
    const struct tables_l2_rules *rules = walk->rules;
    struct piece_batch *restrict batch = walk->batch;
    const uint64_t cluster_bytes = rules->entry.cluster_bytes;
    const uint64_t held = block->standard | block->compressed;
    const uint16_t file = rules->data_file;
    const size_t n = batch->n;

    memcpy(&batch->begin[n], block->begin, sizeof(block->begin));
    memcpy(&batch->end[n], block->end, sizeof(block->end));
    for (size_t i = 0; i < BLOCK; i++) {
        batch->guest_off[n + i] = guest_off + i * cluster_bytes;
        batch->guest_bytes[n + i] = (uint32_t)cluster_bytes;
        batch->mapped_bytes[n + i] = (uint32_t)cluster_bytes;
        batch->missing[n + i] = ~block->alloc[i];
        batch->files[n + i] = file;
    }
    for (size_t i = 0; i < BLOCK; i++) {
        uint64_t compressed = all_if((block->compressed & bits_of[i]) != 0);

        batch->slack[n + i] = (uint32_t)(-block->end[i] & (cluster_bytes - 1) & compressed);
        batch->kind[n + i] = compressed ? PIECE_COMPRESSED : PIECE_DATA;
    }
    if (rules->entry.extended_l2)
        for (size_t i = n; i < n + BLOCK; i++)
            batch->mapped_bytes[i] -= (uint32_t)__builtin_popcount(batch->missing[i]) *
                                      (uint32_t)(cluster_bytes / FORMAT_SUBCLUSTERS);
    batch->n += held == UINT64_MAX ? BLOCK : close_up(batch, held);
}

/* A block of which not every entry is plain. True if it was decoded, else it is not counted yet. */
CLONES_PART bool walk_columns(struct tables_l2_walk *walk, uint32_t index, const uint64_t *raw,
                              int *ret)
{
    struct piece_batch *batch = walk->batch;
    struct tables_block block;

    if (walk->rules->detail || !tables_block_decode(&block, &walk->rules->entry, raw) ||
        (block.compressed != 0 && blobs_are_read_again(walk)))
        return false;
    *ret = batch->n > 0 && batch->uniform ? flush(walk) : 0;
    batch->uniform = false;
    count_columns(walk, &block, guest_off_of(walk, index));
    add_columns(walk, &block, guest_off_of(walk, index));
    return true;
}

static int walk_slowly(struct tables_l2_walk *walk, uint32_t index, const uint64_t *raw)
{
    bool extended = walk->rules->entry.extended_l2;
    int ret = 0;

    for (uint32_t i = 0; i < BLOCK && ret == 0; i++)
        ret = extended ? walk_entry(walk, index + i, be64toh(raw[2 * i]), be64toh(raw[2 * i + 1]))
                       : walk_entry(walk, index + i, be64toh(raw[i]), 0);
    return ret;
}

CLONES_PART int walk_block(struct tables_l2_walk *walk, uint32_t index, const uint64_t *raw,
                           bool extended)
{
    const struct format_entry_rules *rules = &walk->rules->entry;
    enum block_kind kind;
    uint64_t *begin;
    int ret = begins_slice(walk, index) ? read_slice(walk, index) : 0;

    if (ret == 0)
        ret = make_room(walk);
    if (ret < 0 || index + BLOCK <= walk->first)
        return ret;
    begin = &walk->batch->begin[walk->batch->n];
    kind = peek(rules, raw, extended ? 2 : 1, begin);
    if (kind == BLOCK_EMPTY) {
        walk->adjacent_end = NONE;
        return 0;
    }
    if (index >= walk->first && index + BLOCK <= walk->whole && !reads_are_short(walk) &&
        (kind == BLOCK_DENSE || walk_columns(walk, index, raw, &ret)))
        return kind == BLOCK_DENSE ? walk_dense(walk, index) : ret;
    return walk_slowly(walk, index, raw);
}

/* The smallest table has 64 entries, and chunks are multiples of 4 KiB: whole blocks. */
CLONES static int walk_blocks(struct tables_l2_walk *walk, const uint64_t *raw, size_t n)
{
    int ret = 0;

    if (walk->rules->entry.extended_l2)
        for (size_t i = 0; i < n && ret == 0; i += BLOCK, walk->next += BLOCK)
            ret = walk_block(walk, walk->next, raw + 2 * i, true);
    else
        for (size_t i = 0; i < n && ret == 0; i += BLOCK, walk->next += BLOCK)
            ret = walk_block(walk, walk->next, raw + i, false);
    return ret;
}

/* ---- a table ---- */

/* Of the clusters of a block, those that begin a request or a slice if the first one does. */
static uint64_t block_borders(uint64_t clusters)
{
    if (clusters <= 1)
        return UINT64_MAX;
    return clusters >= BLOCK ? 1 : UINT64_MAX / ((UINT64_C(1) << clusters) - 1);
}

/* The entry at @off of a table that begins at @guest_off, or its border on that side. */
static uint32_t entry_of(const struct tables_l2_rules *rules, uint64_t guest_off, uint64_t off,
                         uint64_t round_up)
{
    uint64_t inside = off > guest_off ? off - guest_off : 0;
    uint64_t cluster_bytes = rules->entry.cluster_bytes;

    if (inside >= cluster_bytes * rules->entries)
        return rules->entries;
    return (uint32_t)((inside + round_up) / cluster_bytes);
}

void tables_l2_begin(struct tables_l2_walk *walk, const struct tables_l2_rules *rules,
                     struct tables_l2_output output, struct piece_batch *batch, uint64_t l2_off,
                     uint32_t l1_index, uint64_t virtual_bytes)
{
    uint64_t cluster_bytes = rules->entry.cluster_bytes;
    uint64_t table_bytes = cluster_bytes * rules->entries;
    uint64_t guest_off = l1_index * table_bytes;
    uint64_t left = guest_off < virtual_bytes ? virtual_bytes - guest_off : 0;
    uint32_t inside =
        left >= table_bytes ? rules->entries : (uint32_t)div_round_up(left, cluster_bytes);
    uint32_t whole = left >= table_bytes ? rules->entries : (uint32_t)(left / cluster_bytes);
    uint32_t span_end = entry_of(rules, guest_off, rules->span.end, cluster_bytes - 1);
    uint64_t slice_span = cluster_bytes * rules->slice_entries; /* of the guest disk */
    uint64_t request_bytes = slice_span < REQUEST_BYTES ? slice_span : REQUEST_BYTES;

    piece_batch_clear(batch);
    batch->cluster_bytes = cluster_bytes;
    batch->file = rules->data_file;
    batch->table_file = rules->table_file;
    *walk = (struct tables_l2_walk){
        .rules = rules,
        .output = output,
        .l2_off = l2_off,
        .guest_off = guest_off,
        .l1_index = l1_index,
        .first = entry_of(rules, guest_off, rules->span.begin, 0),
        .inside = inside < span_end ? inside : span_end,
        .whole = whole < span_end ? whole : span_end,
        .last_bytes = left % cluster_bytes,
        .adjacent_end = NONE,
        .request_bytes = request_bytes,
        .borders = block_borders(request_bytes / cluster_bytes),
        .batch = batch,
    };
}

/* A hole of the file: QEMU reads its slices all the same. */
static int walk_zeros(struct tables_l2_walk *walk, size_t n)
{
    const uint32_t slice = walk->rules->slice_entries, end = walk->next + (uint32_t)n;
    int ret = 0;

    for (uint32_t i = (uint32_t)div_round_up(walk->next, slice) * slice; i < end && ret == 0;
         i += slice)
        ret = read_slice(walk, i);
    walk->adjacent_end = NONE;
    walk->next = end;
    return ret;
}

int tables_l2_chunk(struct tables_l2_walk *walk, const uint64_t *raw, size_t len_bytes)
{
    size_t n = len_bytes / walk->rules->entry_bytes;

    walk->asked_size = false;
    if (raw == NULL)
        return walk_zeros(walk, n);
    return walk_blocks(walk, raw, n);
}

int tables_l2_end(struct tables_l2_walk *walk)
{
    return flush(walk);
}
