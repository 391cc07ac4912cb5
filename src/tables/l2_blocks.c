// SPDX-License-Identifier: MIT
/*
 * Owns the quick way through an L2 table, 64 entries at a time. A block that holds only whole
 * standard clusters, or nothing at all, takes the fastest: a few loops over arrays, no decision per
 * entry. Other sound blocks are decoded into columns, see block.h.
 */
#include "l2_decoder.h"

#include "bits.h"
#include "clones.h"

#include <endian.h>
#include <string.h>

/* Room for a block behind the pieces of the batch. */
static int make_room(struct tables_l2_decoder *decoder)
{
    return decoder->batch->n > PIECE_BATCH_MAX - L2_BLOCK ? tables_l2_flush(decoder) : 0;
}

/*
 * Makes a block of offsets that stand behind the batch's pieces part of a uniform batch: of this
 * one, if they follow its last piece on the guest disk, else of a new one.
 */
static int join_uniform(struct tables_l2_decoder *decoder, uint64_t guest_off)
{
    struct piece_batch *batch = decoder->batch;
    uint32_t n = batch->n;
    int ret;

    if (n > 0 && batch->uniform && batch->guest_first + n * batch->cluster_bytes == guest_off)
        return 0;
    ret = n > 0 ? tables_l2_flush(decoder) : 0;
    memmove(batch->begin, &batch->begin[n], L2_BLOCK * sizeof(batch->begin[0]));
    batch->uniform = true;
    batch->guest_first = guest_off;
    return ret;
}

enum block_kind { BLOCK_EMPTY, BLOCK_DENSE, BLOCK_MIXED };

/*
 * Says of which kind a block is. @begin receives the host offsets, valid for a dense block only. An
 * entry is plain when it has no bit but COPIED and an aligned offset; with extended L2, when all of
 * its parts are allocated besides.
 */
CLONES_PART enum block_kind peek(const struct format_entry_rules *rules, const uint64_t *raw,
                                 unsigned words, uint64_t begin[L2_BLOCK])
{
    const uint64_t plain = FORMAT_ENTRY_OFFSET & ~(rules->cluster_bytes - 1);
    const uint64_t last = rules->file_bytes - 1;
    uint64_t seen = 0, outside = 0, bitmaps = 0, partly = 0;

    for (unsigned i = 0; i < L2_BLOCK; i++) {
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

    for (unsigned i = 1; i < L2_BLOCK; i++)
        any |= begin[i] ^ (begin[i - 1] + cluster_bytes);
    if (any == 0)
        return breaks;
    for (unsigned i = 1; i < L2_BLOCK; i++)
        breaks |= begin[i] != begin[i - 1] + cluster_bytes ? bits_of[i] : 0;
    return breaks;
}

CLONES_PART void count_block(struct tables_l2_decoder *decoder, uint64_t first, uint64_t breaks,
                             uint64_t guest_off)
{
    struct piece_counts *counts = decoder->output.counts;
    uint64_t borders =
        (guest_off & (decoder->rules->request_bytes - 1)) == 0 ? decoder->rules->borders : 0;
    uint64_t halves = decoder->rules->entry.cluster_bytes > PIECE_REQUEST_BYTES ? L2_BLOCK : 0;
    uint64_t inner = breaks & ~UINT64_C(1);

    counts->mapped_clusters += L2_BLOCK;
    counts->mapped_bytes += L2_BLOCK * decoder->rules->entry.cluster_bytes;
    if (decoder->adjacent_end == L2_NONE)
        borders |= 1;
    counts->reads_unbroken += (uint64_t)__builtin_popcountll(borders) + halves;
    counts->reads +=
        (uint64_t)__builtin_popcountll(borders | inner | (decoder->adjacent_end != first)) + halves;
}

/* What keeps space between data; in most blocks there is none. */
CLONES_PART void count_held_zeros(struct tables_l2_decoder *decoder, uint64_t mapped, uint64_t held)
{
    if (held == 0 && mapped == 0)
        return;
    if (held == 0 && decoder->held_zeros == 0) {
        decoder->held_zeros_count = true;
        return;
    }
    for (uint64_t both = mapped | held; both != 0; both &= both - 1) {
        if (held & both & -both)
            decoder->held_zeros++;
        else
            l2_meet_data(decoder);
    }
}

/* A dense block whose offsets stand behind the pieces of the batch already. */
CLONES_PART int decode_dense(struct tables_l2_decoder *decoder, uint32_t index)
{
    struct piece_counts *counts = decoder->output.counts;
    struct piece_batch *batch = decoder->batch;
    uint64_t cluster_bytes = decoder->rules->entry.cluster_bytes;
    uint64_t guest_off = l2_guest_off_of(decoder, index), breaks;
    const uint64_t *begin;
    int ret = join_uniform(decoder, guest_off);

    if (ret < 0)
        return ret;
    begin = &batch->begin[batch->n];
    breaks = block_breaks(begin, batch->n > 0 ? begin[-1] : 0, cluster_bytes);
    counts->check_allocated += L2_BLOCK;
    counts->check_fragmented += (uint64_t)__builtin_popcountll(breaks & ~UINT64_C(1)) +
                                (decoder->check_next != 0 && begin[0] != decoder->check_next);
    decoder->check_next = begin[L2_BLOCK - 1] + cluster_bytes;

    count_block(decoder, begin[0], breaks, guest_off);
    count_held_zeros(decoder, UINT64_MAX, 0);
    decoder->adjacent_end = decoder->check_next;

    batch->breaks[batch->n / L2_BLOCK] = breaks;
    batch->n += L2_BLOCK;
    return batch->n == PIECE_BATCH_MAX ? tables_l2_flush(decoder) : 0;
}

/*
 * The fragmented ones among the entries with a host cluster, by the formula of check: each is
 * compared with the last one before it, wherever that is.
 */
CLONES_PART uint64_t count_fragmented(struct tables_l2_decoder *decoder,
                                      const struct tables_block *block)
{
    uint64_t follows = block->host & block->host << 1; /* one that is in the entry before */
    uint64_t ends = block->host & ~(block->host >> 1);
    uint64_t fragmented = (uint64_t)__builtin_popcountll(follows & ~block->touches);

    for (uint64_t begins = block->host & ~follows; begins != 0; begins &= begins - 1) {
        uint64_t begin = block->begin[__builtin_ctzll(begins)];

        fragmented += decoder->check_next != 0 && begin != decoder->check_next;
        decoder->check_next = block->end[__builtin_ctzll(ends)];
        ends &= ends - 1;
    }
    return fragmented;
}

/* The data reads of standard clusters, as in count_reads. */
CLONES_PART void count_block_reads(struct tables_l2_decoder *decoder,
                                   const struct tables_block *block, uint64_t guest_off)
{
    struct piece_counts *counts = decoder->output.counts;
    uint64_t borders =
        (guest_off & (decoder->rules->request_bytes - 1)) == 0 ? decoder->rules->borders : 0;
    uint64_t first_parts = block->standard, last_parts = block->standard, starts = 0, goes_on;
    uint64_t touches = block->touches | (block->begin[0] == decoder->adjacent_end);

    if (decoder->rules->entry.extended_l2) {
        uint32_t middle = decoder->rules->entry.cluster_bytes > PIECE_REQUEST_BYTES
                              ? UINT32_C(1) << (FORMAT_SUBCLUSTERS / 2)
                              : 0;

        first_parts = last_parts = 0;
        for (unsigned i = 0; i < L2_BLOCK; i++) {
            uint32_t alloc = block->alloc[i] & (uint32_t)all_if(block->standard >> i & 1);

            starts += (unsigned)__builtin_popcount((alloc & ~(alloc << 1)) | (alloc & middle));
            first_parts |= bits_of[i] & all_if((alloc & 1) != 0);
            last_parts |= bits_of[i] & all_if((alloc >> (FORMAT_SUBCLUSTERS - 1)) != 0);
        }
    } else {
        starts = (uint64_t)__builtin_popcountll(block->standard) *
                 (decoder->rules->entry.cluster_bytes > PIECE_REQUEST_BYTES ? 2 : 1);
    }
    goes_on = first_parts & (last_parts << 1 | (decoder->adjacent_end != L2_NONE)) & ~borders;
    counts->reads_unbroken += starts - (uint64_t)__builtin_popcountll(goes_on);
    counts->reads += starts - (uint64_t)__builtin_popcountll(goes_on & touches);
    decoder->adjacent_end = last_parts >> (L2_BLOCK - 1) ? block->end[L2_BLOCK - 1] : L2_NONE;
}

CLONES_PART uint64_t count_held(const struct tables_l2_decoder *decoder,
                                const struct tables_block *block)
{
    uint64_t cluster_bytes = decoder->rules->entry.cluster_bytes, parts = 0;
    uint64_t held = block->standard | block->compressed;

    if (!decoder->rules->entry.extended_l2)
        return (uint64_t)__builtin_popcountll(held) * cluster_bytes;
    for (unsigned i = 0; i < L2_BLOCK; i++)
        parts += (unsigned)__builtin_popcount(block->alloc[i]);
    return parts * (cluster_bytes / FORMAT_SUBCLUSTERS);
}

CLONES_PART void count_columns(struct tables_l2_decoder *decoder, const struct tables_block *block,
                               uint64_t guest_off)
{
    struct piece_counts *counts = decoder->output.counts;
    uint64_t n_compressed = (uint64_t)__builtin_popcountll(block->compressed);

    counts->check_allocated += (uint64_t)__builtin_popcountll(block->host) + n_compressed;
    counts->check_fragmented += count_fragmented(decoder, block) + n_compressed;
    counts->check_compressed += n_compressed;
    counts->mapped_clusters += (uint64_t)__builtin_popcountll(block->standard) + n_compressed;
    counts->mapped_bytes += count_held(decoder, block);
    counts->compressed_clusters += n_compressed;
    counts->zero_clusters += (uint64_t)__builtin_popcountll(block->zero);
    counts->zero_allocated_clusters += (uint64_t)__builtin_popcountll(block->zero & block->host);
    counts->reads += n_compressed;
    counts->reads_unbroken += n_compressed;
    count_block_reads(decoder, block, guest_off);
    count_held_zeros(decoder, block->standard | block->compressed, block->zero & block->host);
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

/* The pieces of zero clusters, behind those of the batch, as the slow way gives them. */
CLONES_PART void make_zeros(struct piece_batch *batch, uint64_t zero, uint64_t host)
{
    for (; zero != 0; zero &= zero - 1) {
        uint32_t i = batch->n + (uint32_t)__builtin_ctzll(zero);

        batch->mapped_bytes[i] = 0;
        batch->missing[i] = 0;
        batch->kind[i] = PIECE_ZERO_ALLOCATED;
        if ((host & zero & -zero) == 0) {
            batch->kind[i] = PIECE_ZERO;
            batch->begin[i] = batch->end[i] = 0;
        }
    }
}

/* The mapped entries of a block become pieces; those of zeros, too, where they are asked for. */
CLONES_PART void add_columns(struct tables_l2_decoder *decoder,
                             const struct tables_block *restrict block, uint64_t guest_off)
{
    const struct tables_l2_rules *rules = decoder->rules;
    struct piece_batch *restrict batch = decoder->batch;
    const uint64_t cluster_bytes = rules->entry.cluster_bytes;
    const uint64_t zero = rules->pieces == TABLES_PIECES_MAPPED ? 0 : block->zero;
    const uint64_t held = block->standard | block->compressed | zero;
    const uint16_t file = rules->data_file;
    const size_t n = batch->n;

    memcpy(&batch->begin[n], block->begin, sizeof(block->begin));
    memcpy(&batch->end[n], block->end, sizeof(block->end));
    for (size_t i = 0; i < L2_BLOCK; i++) {
        batch->guest_off[n + i] = guest_off + i * cluster_bytes;
        batch->guest_bytes[n + i] = (uint32_t)cluster_bytes;
        batch->mapped_bytes[n + i] = (uint32_t)cluster_bytes;
        batch->missing[n + i] = ~block->alloc[i];
        batch->files[n + i] = file;
    }
    for (size_t i = 0; i < L2_BLOCK; i++) {
        uint64_t compressed = all_if((block->compressed & bits_of[i]) != 0);

        batch->slack[n + i] = (uint32_t)(-block->end[i] & (cluster_bytes - 1) & compressed);
        batch->kind[n + i] = compressed ? PIECE_COMPRESSED : PIECE_DATA;
    }
    if (rules->entry.extended_l2)
        for (size_t i = n; i < n + L2_BLOCK; i++)
            batch->mapped_bytes[i] -= (uint32_t)__builtin_popcount(batch->missing[i]) *
                                      (uint32_t)(cluster_bytes / FORMAT_SUBCLUSTERS);
    make_zeros(batch, zero, block->host);
    batch->n += held == UINT64_MAX ? L2_BLOCK : close_up(batch, held);
}

/* A block of which not every entry is plain. True if it was decoded, else it is not counted yet. */
CLONES_PART bool decode_columns(struct tables_l2_decoder *decoder, uint32_t index,
                                const uint64_t *raw, int *ret)
{
    struct piece_batch *batch = decoder->batch;
    struct tables_block block;

    if (decoder->rules->pieces == TABLES_PIECES_DETAIL ||
        !tables_block_decode(&block, &decoder->rules->entry, raw) ||
        (block.compressed != 0 && l2_blobs_are_read_again(decoder)))
        return false;
    *ret = batch->n > 0 && batch->uniform ? tables_l2_flush(decoder) : 0;
    batch->uniform = false;
    count_columns(decoder, &block, l2_guest_off_of(decoder, index));
    add_columns(decoder, &block, l2_guest_off_of(decoder, index));
    return true;
}

CLONES_PART int decode_block(struct tables_l2_decoder *decoder, uint32_t index, const uint64_t *raw,
                             bool extended)
{
    const struct format_entry_rules *rules = &decoder->rules->entry;
    enum block_kind kind;
    uint64_t *begin;
    int ret = l2_begins_slice(decoder, index) ? tables_l2_read_slice(decoder, index) : 0;

    if (ret == 0)
        ret = make_room(decoder);
    if (ret < 0 || index + L2_BLOCK <= decoder->first)
        return ret;
    begin = &decoder->batch->begin[decoder->batch->n];
    kind = peek(rules, raw, extended ? 2 : 1, begin);
    if (kind == BLOCK_EMPTY) {
        decoder->adjacent_end = L2_NONE;
        return 0;
    }
    if (index >= decoder->first && index + L2_BLOCK <= decoder->whole &&
        !l2_reads_are_short(decoder) &&
        (kind == BLOCK_DENSE || decode_columns(decoder, index, raw, &ret)))
        return kind == BLOCK_DENSE ? decode_dense(decoder, index) : ret;
    return tables_l2_decode_entries(decoder, index, raw);
}

/* The smallest table has 64 entries, and chunks are multiples of 4 KiB: whole blocks. */
CLONES int tables_l2_decode_blocks(struct tables_l2_decoder *decoder, const uint64_t *raw, size_t n)
{
    int ret = 0;

    if (decoder->rules->entry.extended_l2)
        for (size_t i = 0; i < n && ret == 0; i += L2_BLOCK, decoder->next += L2_BLOCK)
            ret = decode_block(decoder, decoder->next, raw + 2 * i, true);
    else
        for (size_t i = 0; i < n && ret == 0; i += L2_BLOCK, decoder->next += L2_BLOCK)
            ret = decode_block(decoder, decoder->next, raw + i, false);
    return ret;
}
