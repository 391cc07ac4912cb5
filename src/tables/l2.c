// SPDX-License-Identifier: MIT
/* Owns the way from the raw bytes of an L2 table to blocks of entries, and the batch under
 * construction. */
#include "l2_decoder.h"

#include "checked.h"

#include <stddef.h>

int tables_l2_flush(struct tables_l2_decoder *decoder)
{
    struct piece_batch *batch = decoder->batch;
    int ret = piece_batch_is_empty(batch)
                  ? 0
                  : decoder->output.sink.take(decoder->output.sink.context, batch);

    piece_batch_clear(batch);
    return ret;
}

int tables_l2_read_slice(struct tables_l2_decoder *decoder, uint32_t index)
{
    const struct tables_l2_rules *rules = decoder->rules;
    struct piece_batch *batch = decoder->batch;
    uint64_t off = decoder->l2_off + (uint64_t)index * rules->entry_bytes;
    int ret = 0;

    decoder->adjacent_end = L2_NONE; /* no data read goes on over the border of a slice */
    l2_end_gap(decoder, l2_lies_among_data(decoder));
    decoder->held_zeros_count = l2_lies_among_data(decoder);
    if (index >= decoder->inside || index + rules->slice_entries <= decoder->first)
        return 0;
    if (batch->n > 0)
        ret = tables_l2_flush(decoder);
    if (batch->l2_bytes == 0)
        batch->l2_off = off; /* else the slice before it maps nothing, and both are one read */
    batch->l2_bytes += rules->slice_bytes;
    return ret;
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

void tables_l2_begin(struct tables_l2_decoder *decoder, const struct tables_l2_rules *rules,
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

    piece_batch_clear(batch);
    batch->cluster_bytes = cluster_bytes;
    batch->file = rules->data_file;
    batch->l2_file = rules->l2_file;
    *decoder = (struct tables_l2_decoder){
        .rules = rules,
        .output = output,
        .l2_off = l2_off,
        .guest_off = guest_off,
        .l1_index = l1_index,
        .first = entry_of(rules, guest_off, rules->span.begin, 0),
        .inside = inside < span_end ? inside : span_end,
        .whole = whole < span_end ? whole : span_end,
        .last_bytes = left % cluster_bytes,
        .adjacent_end = L2_NONE,
        .batch = batch,
    };
}

/* A hole of the file: QEMU reads its slices all the same. */
static int decode_zeros(struct tables_l2_decoder *decoder, size_t n)
{
    const uint32_t slice = decoder->rules->slice_entries, end = decoder->next + (uint32_t)n;
    int ret = 0;

    for (uint32_t i = (uint32_t)div_round_up(decoder->next, slice) * slice; i < end && ret == 0;
         i += slice)
        ret = tables_l2_read_slice(decoder, i);
    decoder->adjacent_end = L2_NONE;
    decoder->next = end;
    return ret;
}

int tables_l2_chunk(struct tables_l2_decoder *decoder, const uint64_t *raw, size_t len_bytes)
{
    size_t n = len_bytes / decoder->rules->entry_bytes;

    decoder->asked_size = false;
    if (raw == NULL)
        return decode_zeros(decoder, n);
    return tables_l2_decode_blocks(decoder, raw, n);
}

int tables_l2_end(struct tables_l2_decoder *decoder)
{
    l2_end_gap(decoder, l2_lies_among_data(decoder));
    return tables_l2_flush(decoder);
}
