/* SPDX-License-Identifier: MIT */
/*
 * What the files of the decoder of L2 tables share (l2.c, l2_entries.c, l2_blocks.c), and nobody
 * else includes.
 *
 * There are two ways through a block of 64 entries. Both count the same, find the same damage and
 * give the same pieces; the quick one is for blocks that it can take without a decision per entry,
 * and says when it cannot.
 */
#ifndef TABLES_L2_DECODER_H
#define TABLES_L2_DECODER_H

#include "block.h"
#include "header.h"
#include "l2.h"
#include "request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(FORMAT_SUBCLUSTERS == PIECE_SUBCLUSTERS,
               "the bits of an extended L2 entry are those of its piece");

#define L2_BLOCK TABLES_BLOCK_ENTRIES
#define L2_NONE UINT64_MAX

static inline bool l2_begins_slice(const struct tables_l2_decoder *decoder, uint32_t index)
{
    return (index & (decoder->rules->slice_entries - 1)) == 0;
}

static inline uint64_t l2_guest_off_of(const struct tables_l2_decoder *decoder, uint32_t index)
{
    return decoder->guest_off + (uint64_t)index * decoder->rules->entry.cluster_bytes;
}

static inline bool l2_reads_are_short(const struct tables_l2_decoder *decoder)
{
    return decoder->rules->read_bytes_max != UINT64_MAX;
}

/* Only clusters of 2 MiB are larger than a request. */
static inline bool l2_blobs_are_read_again(const struct tables_l2_decoder *decoder)
{
    return decoder->rules->entry.cluster_bytes > PIECE_REQUEST_BYTES;
}

/* The gap of what keeps space ends here. @counts: something of the same kind comes behind it. */
static inline void l2_end_gap(struct tables_l2_decoder *decoder, bool counts)
{
    if (decoder->held_zeros > 0 && decoder->held_zeros_count && counts) {
        uint64_t bytes = decoder->held_zeros * decoder->rules->entry.cluster_bytes;

        decoder->output.counts->kept_gap_bytes +=
            bytes < PIECE_READ_OVER_BYTES ? bytes : PIECE_READ_OVER_BYTES;
    }
    decoder->held_zeros = 0;
}

/* In the file to come, tables of small clusters lie among the data. */
static inline bool l2_lies_among_data(const struct tables_l2_decoder *decoder)
{
    return !format_l2_in_front(decoder->rules->entry.cluster_bytes);
}

/* Data come. */
static inline void l2_meet_data(struct tables_l2_decoder *decoder)
{
    l2_end_gap(decoder, true);
    decoder->held_zeros_count = true;
}

/* Hands over what is in the batch, if there is something. Returns what the sink returned. */
int tables_l2_flush(struct tables_l2_decoder *decoder);

/* The slice that begins at entry @index is read before what it maps. Likewise. */
int tables_l2_read_slice(struct tables_l2_decoder *decoder, uint32_t index);

/*
 * The slow way, for any block: entry by entry through the classifier of format/entry.h. @raw: 64
 * entries as they lie in the file, the first of them @index in the table.
 */
int tables_l2_decode_entries(struct tables_l2_decoder *decoder, uint32_t index,
                             const uint64_t *raw);

/*
 * The quick way through @n entries, a multiple of 64, the first of them decoder->next: what it
 * cannot take goes the slow way. Moves decoder->next behind them.
 */
int tables_l2_decode_blocks(struct tables_l2_decoder *decoder, const uint64_t *raw, size_t n);

#endif
