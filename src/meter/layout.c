// SPDX-License-Identifier: MIT
/*
 * Owns where convert puts things. Follows block/qcow2-cluster.c (get_cluster_table: a table is
 * allocated before what it maps) and block/qcow2-refcount.c (qcow2_alloc_bytes: where blobs go).
 * Integers only.
 */
#include "layout.h"

#include "counts.h"

#include <stdlib.h>
#include <string.h>

#define NONE METER_LAYOUT_NONE

void meter_layout_init(struct meter_layout *layout)
{
    memset(layout, 0, sizeof(*layout));
    layout->cluster = NONE;
}

void meter_layout_clear(struct meter_layout *layout)
{
    meter_head_clear(&layout->head);
    layout->end = layout->blob_off = layout->blob_end = layout->blobs = 0;
    layout->opened = layout->ways = layout->ways_bytes = 0;
    layout->in_l2 = layout->led_by_blob = layout->any_data = false;
    layout->cluster = NONE;
}

void meter_layout_release(struct meter_layout *layout)
{
    meter_head_free(&layout->head);
}

struct meter_layout *meter_layout_copy(const struct meter_layout *layout)
{
    struct meter_layout *copy = malloc(sizeof(*copy));

    if (copy == NULL)
        return NULL;
    *copy = *layout;
    /* With rows of its own for the moves. */
    memset(copy->head.detours, 0, sizeof(copy->head.detours));
    memset(&copy->head.gaps, 0, sizeof(copy->head.gaps));
    memset(&copy->head.again, 0, sizeof(copy->head.again));
    meter_layout_add_inner(copy, layout, 1);
    return copy;
}

void meter_layout_free(struct meter_layout *layout)
{
    if (layout == NULL)
        return;
    meter_layout_release(layout);
    free(layout);
}

/* ---- the file to be ---- */

static void read_at(struct meter_layout *layout, uint64_t off, uint64_t bytes)
{
    struct meter_head *head = &layout->head;

    if (!head->any || head->at.off != off)
        meter_head_move(head, (struct meter_place){0, off}, bytes);
    head->at.off += bytes;
    head->read_bytes += bytes;
}

/* So many clusters at the end. */
static uint64_t allocate(struct meter_layout *layout, const struct meter_layout_shape *shape,
                         uint64_t n)
{
    uint64_t off = layout->end;

    layout->end += n * shape->cluster_bytes;
    return off;
}

/* ---- tables ---- */

static void begin_l2(struct meter_layout *layout, const struct meter_layout_shape *shape,
                     uint64_t table)
{
    layout->in_l2 = true;
    layout->l2_number = table;
    layout->l2_off = allocate(layout, shape, 1);
    layout->cluster = NONE;
}

static void read_slices(struct meter_layout *layout, const struct meter_layout_shape *shape,
                        uint64_t end)
{
    if (layout->next_slice >= end)
        return;
    read_at(layout, layout->l2_off + layout->next_slice * shape->slice_bytes,
            (end - layout->next_slice) * shape->slice_bytes);
    layout->next_slice = end;
}

static uint64_t slice_of(const struct meter_layout_shape *shape, uint64_t guest_off)
{
    uint64_t inside = guest_off & ((UINT64_C(1) << shape->l2_bits) - 1);

    return inside >> shape->slice_bits;
}

void meter_layout_close(struct meter_layout *layout, const struct meter_layout_shape *shape)
{
    uint64_t begin = layout->l2_number << shape->l2_bits;

    if (layout->in_l2) {
        uint64_t left = shape->end - begin - 1, most = (UINT64_C(1) << shape->l2_bits) - 1;

        read_slices(layout, shape, ((left < most ? left : most) >> shape->slice_bits) + 1);
    }
    layout->in_l2 = false;
}

/* The head goes from blobs to a table. */
static void note_way(struct meter_layout *layout)
{
    uint64_t way = layout->l2_off - layout->blob_off;

    if (layout->opened != 1 || layout->head.at.off != layout->blob_off ||
        way >= PIECE_READ_OVER_BYTES)
        return;
    layout->ways++;
    layout->ways_bytes += way;
}

/* The table for @guest_off, and its slices up to there, are read now if that was not before. */
static void enter(struct meter_layout *layout, const struct meter_layout_shape *shape,
                  uint64_t guest_off)
{
    uint64_t table = guest_off >> shape->l2_bits;

    if (!layout->in_l2 || layout->l2_number != table) {
        meter_layout_close(layout, shape);
        begin_l2(layout, shape, table);
        note_way(layout);
        layout->next_slice =
            shape->begin >> shape->l2_bits == table ? slice_of(shape, shape->begin) : 0;
    }
    read_slices(layout, shape, slice_of(shape, guest_off) + 1);
}

/* ---- clusters ---- */

static uint64_t round_down(uint64_t off, uint64_t unit_bytes)
{
    return off & ~(unit_bytes - 1);
}

static uint64_t round_up(uint64_t off, uint64_t unit_bytes)
{
    return round_down(off + unit_bytes - 1, unit_bytes);
}

/* Further parts of the cluster that was placed last. */
static void add_parts(struct meter_layout *layout, const struct meter_layout_shape *shape,
                      uint64_t begin, uint64_t end)
{
    uint64_t from = round_down(begin, shape->part_bytes), to = round_up(end, shape->part_bytes);

    if (from < layout->placed)
        from = layout->placed;
    if (from >= to)
        return;
    read_at(layout, layout->cluster_off + (from - layout->cluster), to - from);
    layout->placed = to;
}

/* New clusters, of which the first and the last one may be held in part. */
static void add_new(struct meter_layout *layout, const struct meter_layout_shape *shape,
                    uint64_t begin, uint64_t end)
{
    uint64_t first = round_down(begin, shape->cluster_bytes);
    uint64_t last = round_down(end - 1, shape->cluster_bytes);
    uint64_t from = round_down(begin, shape->part_bytes), to = round_up(end, shape->part_bytes);
    uint64_t off = layout->end;

    layout->end += last - first + shape->cluster_bytes;
    read_at(layout, off + (from - first), to - from);
    layout->cluster = last;
    layout->cluster_off = off + (last - first);
    layout->placed = to;
    layout->any_data = true;
}

void meter_layout_add_range(struct meter_layout *layout, const struct meter_layout_shape *shape,
                            uint64_t begin, uint64_t end)
{
    const uint64_t slice_span = UINT64_C(1) << shape->slice_bits;

    while (begin < end) {
        uint64_t stop = round_down(begin, slice_span) + slice_span;

        if (stop > end)
            stop = end;
        enter(layout, shape, begin);
        if (layout->cluster != NONE && begin >= layout->cluster &&
            begin - layout->cluster < shape->cluster_bytes) {
            uint64_t cluster_end = layout->cluster + shape->cluster_bytes;
            uint64_t inside = stop < cluster_end ? stop : cluster_end;

            add_parts(layout, shape, begin, inside);
            begin = inside;
        }
        if (begin < stop)
            add_new(layout, shape, begin, stop);
        begin = stop;
    }
}

void meter_layout_add_clusters(struct meter_layout *layout, const struct meter_layout_shape *shape,
                               uint64_t guest_off, uint64_t n)
{
    enter(layout, shape, guest_off);
    read_at(layout, allocate(layout, shape, n), n * shape->cluster_bytes);
    layout->cluster = NONE;
    layout->any_data = true;
}

/* ---- blobs ---- */

/* So many blobs fit into a cluster, whatever their size and that of the cluster. */
#define BLOBS_ENOUGH UINT16_MAX

static void enter_for_blob(struct meter_layout *layout, const struct meter_layout_shape *shape,
                           uint64_t guest_off)
{
    enter(layout, shape, guest_off);
    if (!layout->any_data)
        layout->led_by_blob = layout->any_data = true;
    layout->cluster = NONE;
}

/* Where a blob begins. */
static uint64_t allocate_blob(struct meter_layout *layout, const struct meter_layout_shape *shape,
                              uint64_t bytes)
{
    uint64_t off;

    if (layout->blobs >= shape->blobs_max)
        layout->blob_off = layout->blob_end; /* its refcount goes no higher */
    if (layout->blob_end - layout->blob_off < bytes) {
        uint64_t cluster = allocate(layout, shape, 1);

        layout->opened++;
        if (layout->blob_off == layout->blob_end || cluster != layout->blob_end) {
            layout->blob_off = cluster;
            layout->blobs = 0;
        }
        layout->blob_end = cluster + shape->cluster_bytes;
    }
    off = layout->blob_off;
    layout->blob_off += bytes;
    if (round_down(off, shape->cluster_bytes) != round_down(layout->blob_off, shape->cluster_bytes))
        layout->blobs = 0;
    layout->blobs++;
    return off;
}

void meter_layout_add_blob(struct meter_layout *layout, const struct meter_layout_shape *shape,
                           uint64_t guest_off, uint64_t bytes)
{
    enter_for_blob(layout, shape, guest_off);
    layout->last_blob = allocate_blob(layout, shape, bytes);
    read_at(layout, layout->last_blob, bytes);
}

bool meter_layout_packs(const struct meter_layout *layout, const struct meter_layout_shape *shape)
{
    return layout->blob_off < layout->blob_end && layout->blob_end == layout->end &&
           shape->blobs_max >= BLOBS_ENOUGH;
}

void meter_layout_add_blobs(struct meter_layout *layout, const struct meter_layout_shape *shape,
                            uint64_t guest_off, uint64_t bytes, uint64_t last_bytes)
{
    enter_for_blob(layout, shape, guest_off);
    read_at(layout, layout->blob_off, bytes);
    layout->blob_off += bytes;
    layout->last_blob = layout->blob_off - last_bytes;
    if (layout->blob_off > layout->blob_end) {
        layout->opened++;
        layout->end = layout->blob_end = round_up(layout->blob_off, shape->cluster_bytes);
    }
}

void meter_layout_read_again(struct meter_layout *layout)
{
    read_at(layout, layout->last_blob, layout->blob_off - layout->last_blob);
}

/* ---- merging ---- */

/*
 * Had it known of it, @right would have put its first blobs into what is left of @left's last
 * cluster of blobs. From there its first tables are further away, and the head goes back for the
 * very first ones, too. What the ways are longer is added as ways of their own: where gaps are read
 * over, that costs the same.
 */
static void go_back_for_blobs(struct meter_layout *left, const struct meter_layout *right,
                              const struct meter_layout_shape *shape)
{
    uint64_t further = left->end - left->blob_off + shape->cluster_bytes, longer, at_most;

    meter_sparse_jumps_add(&left->head.detours[METER_BACKWARD], further, 1);
    meter_sparse_jumps_add(&left->head.detours[METER_FORWARD], further, 1);
    if (right->ways == 0)
        return;
    at_most = PIECE_READ_OVER_BYTES - right->ways_bytes / right->ways;
    longer = further < at_most ? further : at_most;
    meter_sparse_jumps_add_bin(&left->head.detours[METER_FORWARD], meter_jump_bin_of(longer),
                               right->ways, (unsigned __int128)right->ways * longer);
    if (left->opened != 1 || longer < further)
        return;
    left->ways += right->ways;
    left->ways_bytes += right->ways_bytes + right->ways * further;
}

/* The cluster into which the next blob goes. */
static void join_blobs(struct meter_layout *left, const struct meter_layout *right,
                       const struct meter_layout_shape *shape, uint64_t base)
{
    uint64_t room = left->blob_end - left->blob_off;
    uint64_t bytes = shape->cluster_bytes - (right->blob_end - right->blob_off);

    if (right->opened == 0)
        return;
    if (right->led_by_blob && room > 0)
        go_back_for_blobs(left, right, shape);
    if (left->opened == 0) {
        left->ways = right->ways;
        left->ways_bytes = right->ways_bytes;
    }
    if (right->opened == 1 && bytes <= room) {
        left->blob_off += bytes;
        left->blobs += right->blobs;
        left->last_blob = left->blob_off - (right->blob_off - right->last_blob);
        return;
    }
    left->opened += right->opened;
    left->blob_off = base + right->blob_off;
    left->blob_end = base + right->blob_end;
    left->blobs = right->blobs;
    left->last_blob = base + right->last_blob;
}

void meter_layout_join(struct meter_layout *left, const struct meter_layout *right,
                       const struct meter_layout_shape *shape)
{
    uint64_t base = left->end;

    if (!right->head.any)
        return;
    join_blobs(left, right, shape, base);
    if (!left->any_data)
        left->led_by_blob = right->led_by_blob;
    left->any_data |= right->any_data;
    meter_head_move(&left->head, (struct meter_place){0, base + right->head.first.off},
                    right->head.first_bytes);
    meter_head_join(&left->head, &right->head);
    left->head.at.off += base;
    left->end = base + right->end;
    left->cluster = NONE;
}

void meter_layout_add_inner(struct meter_layout *left, const struct meter_layout *right,
                            uint64_t times)
{
    meter_head_add_inner(&left->head, &right->head, times);
}
