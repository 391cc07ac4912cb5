// SPDX-License-Identifier: MIT
/* Owns the way from batches to both layouts. Knows no places: see layout.c. */
#include "converted.h"

#include "batch.h"
#include "clones.h"
#include "request.h"
#include "sector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE METER_LAYOUT_NONE

struct meter_converted *meter_converted_new(const struct meter_layout_shape *shape)
{
    struct meter_converted *converted = calloc(1, sizeof(*converted));

    if (converted == NULL)
        return NULL;
    converted->shape = *shape;
    converted->read_end = NONE;
    meter_layout_init(&converted->whole);
    return converted;
}

void meter_converted_free(struct meter_converted *converted)
{
    if (converted == NULL)
        return;
    meter_layout_release(&converted->whole);
    meter_layout_free(converted->packed);
    free(converted);
}

void meter_converted_clear(struct meter_converted *converted)
{
    meter_layout_clear(&converted->whole);
    meter_layout_free(converted->packed);
    converted->packed = NULL;
    converted->joined_reads = 0;
    converted->read_end = NONE;
    converted->read_blob = false;
}

/* Up to the first blob both are the same. */
static void begin_packed(struct meter_converted *converted)
{
    if (converted->packed != NULL)
        return;
    converted->packed = meter_layout_copy(&converted->whole);
    if (converted->packed == NULL)
        converted->error = -ENOMEM;
}

/* ---- clusters ---- */

/* The parts of a cluster that are held. */
static void add_held(struct meter_layout *layout, const struct meter_layout_shape *shape,
                     uint64_t guest_off, uint64_t part_bytes, uint32_t missing)
{
    for (unsigned at = 0, n; (n = piece_next_held(missing, &at)) > 0; at += n)
        meter_layout_add_range(layout, shape, guest_off + at * part_bytes,
                               guest_off + (at + n) * part_bytes);
}

static void add_data(struct meter_layout *layout, const struct meter_layout_shape *shape,
                     const struct piece_batch *batch, uint32_t i)
{
    uint64_t guest_off = batch->guest_off[i], bytes = batch->guest_bytes[i];

    if (batch->missing[i] != 0)
        add_held(layout, shape, guest_off, bytes / PIECE_SUBCLUSTERS, batch->missing[i]);
    else
        meter_layout_add_range(layout, shape, guest_off, guest_off + bytes);
}

/* ---- blobs ---- */

/*
 * How long a blob is, is told in sectors: on average half a sector more than it is. Where the next
 * one begins in its last sector, it is known. So a sum may be wrong, but not by much.
 */
CLONES_PART uint64_t last_blob_bytes(uint64_t begin, uint64_t end)
{
    return end - begin > SECTOR_BYTES / 2 ? end - begin - SECTOR_BYTES / 2 : end - begin;
}

CLONES_PART uint64_t blob_bytes(uint64_t begin, uint64_t end, uint64_t next)
{
    return next - begin <= end - begin && end - next < SECTOR_BYTES && next > begin
               ? next - begin
               : last_blob_bytes(begin, end);
}

static uint64_t blob_bytes_of(const struct piece_batch *batch, uint32_t i)
{
    if (i + 1 == batch->n)
        return last_blob_bytes(batch->begin[i], batch->end[i]);
    return blob_bytes(batch->begin[i], batch->end[i], batch->begin[i + 1]);
}

/* Of @n blobs, which another one follows. */
CLONES static uint64_t sum_blobs(const uint64_t *begin, const uint64_t *end, uint32_t n)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum += blob_bytes(begin[i], end[i], begin[i + 1]);
    return sum;
}

/* ---- pieces ---- */

/* Clusters of one slice of one file can be placed all at once. */
static bool is_plain(const struct meter_layout_shape *shape, const struct piece_batch *batch)
{
    return shape->alone && batch->guest_off[0] >> shape->slice_bits ==
                               batch->guest_off[batch->n - 1] >> shape->slice_bits;
}

static void add_blobs(struct meter_layout *layout, const struct meter_layout_shape *shape,
                      const struct piece_batch *batch)
{
    uint32_t last = batch->n - 1, i = 0;
    uint64_t last_bytes = blob_bytes_of(batch, last);

    do /* a table may come before the first one */
        meter_layout_add_blob(layout, shape, batch->guest_off[i], blob_bytes_of(batch, i));
    while (++i <= last && !meter_layout_packs(layout, shape));
    if (i <= last)
        meter_layout_add_blobs(layout, shape, batch->guest_off[i],
                               sum_blobs(&batch->begin[i], &batch->end[i], last - i) + last_bytes,
                               last_bytes);
}

static void add_pieces(struct meter_layout *layout, const struct meter_layout_shape *shape,
                       const struct piece_batch *batch, bool packed)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        if (packed && batch->kind[i] == PIECE_COMPRESSED)
            meter_layout_add_blob(layout, shape, batch->guest_off[i], blob_bytes_of(batch, i));
        else if (piece_is_mapped(batch->kind[i]))
            add_data(layout, shape, batch, i);
    }
}

/* ---- batches ---- */

/* What kinds of pieces a batch has. */
struct kinds {
    bool blobs, only_blobs;
};

static struct kinds kinds_of(const struct piece_batch *batch)
{
    struct kinds kinds = {false, false};

    if (batch->n == 0 || batch->uniform)
        return kinds;
    kinds.blobs = memchr(batch->kind, PIECE_COMPRESSED, batch->n) != NULL;
    kinds.only_blobs = kinds.blobs && memchr(batch->kind, PIECE_DATA, batch->n) == NULL;
    return kinds;
}

static void take(struct meter_layout *layout, const struct meter_layout_shape *shape,
                 const struct piece_batch *batch, struct kinds kinds, bool packed)
{
    bool plain = batch->n > 0 && !batch->uniform && is_plain(shape, batch);

    if (batch->n > 0 && batch->uniform)
        meter_layout_add_range(layout, shape, batch->guest_first,
                               batch->guest_first + batch->n * batch->cluster_bytes);
    else if (plain && shape->part_bytes == shape->cluster_bytes && (!packed || !kinds.blobs))
        meter_layout_add_clusters(layout, shape, batch->guest_off[0], batch->n);
    else if (plain && packed && kinds.only_blobs)
        add_blobs(layout, shape, batch);
    else
        add_pieces(layout, shape, batch, packed);
    if (batch->again_bytes > 0 && packed)
        meter_layout_read_again(layout);
}

/* ---- reads ---- */

static uint64_t request_mask(const struct meter_converted *converted)
{
    uint64_t span = UINT64_C(1) << converted->shape.slice_bits;

    return (span < PIECE_REQUEST_BYTES ? span : PIECE_REQUEST_BYTES) - 1;
}

static void join_reads(struct meter_converted *converted, uint64_t guest_off, bool blob,
                       bool begins)
{
    converted->joined_reads += (blob || converted->read_blob) && begins &&
                               converted->read_end == guest_off &&
                               (guest_off & request_mask(converted)) != 0;
}

static void join_reads_of(struct meter_converted *converted, const struct piece_batch *batch,
                          uint32_t first)
{
    for (uint32_t i = first; i < batch->n; i++) {
        bool blob = batch->kind[i] == PIECE_COMPRESSED;

        join_reads(converted, batch->guest_off[i], blob, (batch->missing[i] & 1) == 0);
        converted->read_blob = blob;
        converted->read_end = batch->missing[i] >> (PIECE_SUBCLUSTERS - 1)
                                  ? NONE
                                  : batch->guest_off[i] + batch->guest_bytes[i];
    }
}

/* Blobs of clusters that follow one another. */
static bool join_many(struct meter_converted *converted, const struct piece_batch *batch)
{
    uint64_t first = batch->guest_off[0], last = batch->guest_off[batch->n - 1];
    uint64_t cluster_bytes = converted->shape.cluster_bytes, mask = request_mask(converted);

    if (!converted->shape.alone || mask < cluster_bytes ||
        last - first != (batch->n - 1) * cluster_bytes)
        return false;
    join_reads(converted, first, true, true);
    converted->joined_reads += batch->n - 1 - (last / (mask + 1) - first / (mask + 1));
    converted->read_blob = true;
    converted->read_end = last + cluster_bytes;
    return true;
}

static void count_reads(struct meter_converted *converted, const struct piece_batch *batch,
                        struct kinds kinds)
{
    if (batch->uniform) {
        join_reads(converted, batch->guest_first, false, true);
        converted->read_end = batch->guest_first + batch->n * batch->cluster_bytes;
        converted->read_blob = false;
    } else if (!kinds.only_blobs || !join_many(converted, batch)) {
        /* Without blobs only the first border may be one, and only the last piece is remembered. */
        if (!kinds.blobs && batch->n > 1 && converted->read_blob)
            join_reads(converted, batch->guest_off[0], false, (batch->missing[0] & 1) == 0);
        if (!kinds.blobs && batch->n > 1)
            converted->read_blob = false;
        join_reads_of(converted, batch, kinds.blobs ? 0 : batch->n - 1);
    }
}

/* ---- the whole ---- */

void meter_converted_take(struct meter_converted *converted, const struct piece_batch *batch)
{
    struct kinds kinds = kinds_of(batch);

    if (kinds.blobs)
        begin_packed(converted);
    if (batch->n > 0)
        count_reads(converted, batch, kinds);
    take(&converted->whole, &converted->shape, batch, kinds, false);
    if (converted->packed != NULL)
        take(converted->packed, &converted->shape, batch, kinds, true);
}

void meter_converted_settle(struct meter_converted *converted)
{
    meter_layout_close(&converted->whole, &converted->shape);
    if (converted->packed != NULL)
        meter_layout_close(converted->packed, &converted->shape);
    converted->read_end = NONE;
    converted->read_blob = false;
}

void meter_converted_join(struct meter_converted *left, const struct meter_converted *right)
{
    meter_converted_settle(left);
    if (right->packed != NULL)
        begin_packed(left);
    if (left->packed != NULL)
        meter_layout_join(left->packed, meter_converted_layout(right, true), &left->shape);
    meter_layout_join(&left->whole, &right->whole, &left->shape);
    left->joined_reads += right->joined_reads;
    if (right->error != 0)
        left->error = right->error;
}

void meter_converted_add_inner(struct meter_converted *left, const struct meter_converted *right,
                               uint64_t times)
{
    if (times == 0)
        return;
    meter_layout_add_inner(&left->whole, &right->whole, times);
    if (left->packed != NULL)
        meter_layout_add_inner(left->packed, meter_converted_layout(right, true), times);
}

const struct meter_layout *meter_converted_layout(const struct meter_converted *converted,
                                                  bool packed)
{
    return packed && converted->packed != NULL ? converted->packed : &converted->whole;
}

int meter_converted_error(const struct meter_converted *converted)
{
    int ret = converted->error != 0 ? converted->error : meter_head_error(&converted->whole.head);

    return ret == 0 && converted->packed != NULL ? meter_head_error(&converted->packed->head) : ret;
}
