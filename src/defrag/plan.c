// SPDX-License-Identifier: MIT
/*
 * Owns the order of the new image. First all of its body gets places that count from 0; what comes
 * before the body is as long as the body makes it, and moves it as a whole at the end.
 */
#include "plan.h"

#include "bitmap.h"
#include "bitset.h"
#include "blobs.h"
#include "cells.h"
#include "checked.h"
#include "claim.h"
#include "err.h"
#include "image.h"
#include "refcount.h"
#include "refs.h"
#include "table.h"
#include "vec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define COUNTS_AT_ONCE 4096
#define WINDOW_BYTES (UINT64_C(16) << 20) /* of counts, one byte a cluster */

/* A cluster of its own that holds a blob as well. */
struct mixed {
    uint64_t cluster, to;
};

/* The making of a plan. */
struct making {
    struct format_image *image;
    struct format_refcounts *refcounts;
    struct space_refs *refs;
    struct defrag_plan *plan;
    struct err *err;
    unsigned cluster_bits;
    uint64_t cluster_bytes;
    bool l2_in_front;
    int ret; /* of what has no way to say so */

    uint64_t next;    /* the first free byte of the body; a cluster's begin but within blobs */
    uint64_t l2_next; /* of the L2 tables in front */
    /* Bits by old clusters: has its place; is one of its own; holds blobs. */
    uint64_t *placed, *standard, *blobs;
    struct mixed *mixed; /* what is both */
    size_t n_mixed, cap_mixed;
    uint64_t *l2_seen; /* bits by old clusters, for the walk that looks for L2 tables */

    struct defrag_blobs compressed;
};

static uint64_t round_up(const struct making *making, uint64_t n)
{
    return (n + making->cluster_bytes - 1) & ~(making->cluster_bytes - 1);
}

static int failed(struct making *making, int ret)
{
    if (ret == -ENOMEM)
        return err_no_memory(making->err);
    if (ret == -EFBIG)
        return err_set(making->err, EFBIG,
                       "data lie beyond 256 TiB of the file, which is more than can be put in "
                       "order; qemu-img convert makes a shorter copy of the active state");
    return ret;
}

/* ---- the clusters of data ---- */

static void close_blobs(struct making *making)
{
    if (making->compressed.open)
        making->next = defrag_blobs_close(&making->compressed);
}

/* Where a cluster went that holds a blob as well. */
static uint64_t *mixed_to(struct making *making, uint64_t cluster)
{
    for (size_t i = 0; i < making->n_mixed; i++)
        if (making->mixed[i].cluster == cluster)
            return &making->mixed[i].to;
    return NULL;
}

static int remember_mixed(struct making *making, uint64_t cluster, uint64_t to)
{
    if (!bitset_has(making->blobs, cluster))
        return 0;
    if (vec_reserve(making, mixed) < 0)
        return -ENOMEM;
    making->mixed[making->n_mixed++] = (struct mixed){cluster, to};
    return 0;
}

static int place_cluster(struct making *making, uint64_t cluster, uint64_t guest_cluster)
{
    struct defrag_plan *plan = making->plan;
    uint64_t to;
    int ret;

    if (cluster >= plan->n_clusters)
        return err_set(making->err, EBUSY, "the image changes while it is read");
    if (bitset_has(making->placed, cluster))
        return 0;
    bitset_add(making->placed, cluster);
    if (plan->zeros != NULL && bitset_has(plan->zeros, cluster))
        return 0;
    close_blobs(making);
    to = making->next;
    if (guest_cluster != UINT64_MAX && plan->reserve)
        to = plan->reserved_off + (guest_cluster << making->cluster_bits);
    else
        making->next += making->cluster_bytes;
    plan->moved_bytes += making->cluster_bytes;
    ret = remember_mixed(making, cluster, to);
    if (ret == 0)
        ret = defrag_moves_add(&plan->data, cluster << making->cluster_bits, to,
                               making->cluster_bytes);
    return failed(making, ret);
}

/* ---- blobs ---- */

/*
 * QEMU may leave a blob in a part of a cluster that another entry, with subclusters, does not use.
 * They stay together then.
 */
static int place_mixed_blob(struct making *making, size_t i, uint64_t cluster, uint64_t begin)
{
    const uint64_t *to;
    int ret = place_cluster(making, cluster, UINT64_MAX);

    if (ret < 0)
        return ret;
    to = mixed_to(making, cluster);
    if (to == NULL)
        return err_set(making->err, EBUSY, "the image changes while it is read");
    defrag_blobs_pin(&making->compressed, i, *to + (begin - (cluster << making->cluster_bits)));
    return 0;
}

static int place_blob(struct making *making, const struct format_holding *blob)
{
    uint64_t first = blob->begin >> making->cluster_bits;
    uint64_t last = (blob->end - 1) >> making->cluster_bits;
    size_t i = defrag_blobs_find(&making->compressed, blob->begin);

    if (i == SIZE_MAX)
        return err_set(making->err, EBUSY, "the image changes while it is read");
    if (defrag_blobs_is_placed(&making->compressed, i))
        return 0;
    for (uint64_t cluster = first; cluster <= last && cluster < making->plan->n_clusters;
         cluster++) {
        if (!bitset_has(making->standard, cluster))
            continue;
        if (first == last)
            return place_mixed_blob(making, i, cluster, blob->begin);
        return err_set(making->err, EINVAL,
                       "compressed data at offset 0x%" PRIx64 " reach into a cluster of other "
                       "data, from which they cannot be moved apart; qemu-img convert writes the "
                       "active state anew",
                       blob->begin);
    }
    making->plan->moved_bytes += defrag_blobs_place(&making->compressed, i, making->next);
    return 0;
}

/* What an entry holds: a cluster, or @blob if that is not NULL. */
typedef int take_held(struct making *making, uint64_t cluster, const struct format_holding *blob,
                      uint64_t guest_cluster);

static void take_each(struct making *making, const struct space_refs_data *data, take_held *take)
{
    const struct space_holds_batch *batch = data->batch;
    uint64_t first = (uint64_t)data->l1_index * making->image->header.l2_entries;
    uint32_t last = UINT32_MAX;

    for (size_t i = 0; i < batch->n && making->ret == 0; i++) {
        uint32_t index = space_holds_entry(batch, i);
        struct space_refs_entry entry;
        bool is_blob;

        if (batch->dense) {
            making->ret = take(making, batch->clusters[i], NULL, first + index);
            continue;
        }
        if (index == last) /* another cluster of the same blob */
            continue;
        last = index;
        entry = space_refs_entry_of(data, index);
        is_blob = entry.entry & FORMAT_ENTRY_COMPRESSED;
        making->ret =
            take(making, batch->clusters[i], is_blob ? &entry.holding : NULL, first + index);
    }
}

static int collect_held(struct making *making, uint64_t cluster, const struct format_holding *blob,
                        uint64_t guest_cluster)
{
    (void)guest_cluster;
    if (blob == NULL) {
        if (cluster < making->plan->n_clusters)
            bitset_add(making->standard, cluster);
        return 0;
    }
    for (; cluster <= (blob->end - 1) >> making->cluster_bits; cluster++)
        if (cluster < making->plan->n_clusters) /* behind the end of the file are zeros */
            bitset_add(making->blobs, cluster);
    return failed(making, defrag_blobs_add(&making->compressed, blob->begin, blob->end));
}

static void collect(void *context, const struct space_refs_data *data)
{
    take_each(context, data, collect_held);
}

static int collect_all(struct making *making)
{
    const struct space_refs_sink sink = {.context = making, .data = collect};
    int ret;

    if (making->image->header.external_data) /* there they stay as they are */
        return 0;
    ret = space_refs_data(making->refs, &sink, making->err);
    if (making->ret < 0)
        return making->ret;
    defrag_blobs_settle(&making->compressed);
    if (ret == 0 && making->plan->reserve && making->compressed.n_list > 0)
        ret = err_set(making->err, ENOTSUP,
                      "--reserve cannot work here: it has compressed clusters, which go to a new "
                      "place when they are written to; qemu-img convert makes a copy without any");
    return ret;
}

/* ---- one table after the other ---- */

static int place_l2(struct making *making, uint64_t l2_off)
{
    uint64_t *next = making->l2_in_front ? &making->l2_next : &making->next;
    int ret;

    if (!making->l2_in_front)
        close_blobs(making);
    ret = defrag_moves_add(&making->plan->l2_tables, l2_off, *next, making->cluster_bytes);
    *next += making->cluster_bytes;
    return failed(making, ret);
}

/* Each L2 table once: for the first of the L1 tables, in their order, that names it. */
static bool wants_l2(void *context, const struct space_named_l2 *l2)
{
    struct making *making = context;
    uint64_t cluster = l2->l2_off >> making->cluster_bits;

    if (making->ret < 0 || bitset_has(making->l2_seen, cluster))
        return false;
    bitset_add(making->l2_seen, cluster);
    return true;
}

static int begin_l2(void *context, const struct space_named_l2 *l2, uint32_t l1_index)
{
    struct making *making = context;

    /* With reserve those of the disk are not moved, but made anew. */
    if (making->ret == 0 &&
        !(making->plan->reserve && l1_index < space_refs_table(making->refs, 0)->on_disk))
        making->ret = place_l2(making, l2->l2_off);
    return making->ret;
}

static int place_held(struct making *making, uint64_t cluster, const struct format_holding *blob,
                      uint64_t guest_cluster)
{
    return blob != NULL ? place_blob(making, blob) : place_cluster(making, cluster, guest_cluster);
}

static void take_data(void *context, const struct space_refs_data *data)
{
    take_each(context, data, place_held);
}

static struct space_refs_sink sink_of(struct making *making)
{
    return (struct space_refs_sink){
        .context = making, .wants_data = wants_l2, .begin_data = begin_l2, .data = take_data};
}

static int place_table(struct making *making, size_t number, uint32_t first, uint32_t end)
{
    const struct space_refs_sink sink = sink_of(making);
    int ret;

    if (first >= end)
        return 0;
    ret = space_refs_data_of(making->refs, number, first, end, &sink, making->err);
    if (making->ret < 0)
        return making->ret;
    close_blobs(making);
    return ret;
}

/* The body: the active disk, the disks of snapshots from the newest on, then all VM states. */
static int place_tables(struct making *making)
{
    struct defrag_extent *active = making->plan->active;
    size_t n_tables = space_refs_n_tables(making->refs);
    int ret = 0;

    bitset_clear(making->l2_seen, making->plan->n_clusters);
    for (unsigned vm_state = 0; vm_state < 2; vm_state++) {
        for (size_t i = 0; i < n_tables && ret == 0; i++) {
            size_t number = i == 0 ? 0 : n_tables - i; /* snapshots are listed oldest first */
            const struct space_l1_table *table = space_refs_table(making->refs, number);
            uint64_t *next = making->l2_in_front ? &making->l2_next : &making->next;

            if (number == 0)
                active[vm_state].begin = *next;
            ret = place_table(making, number, vm_state ? table->on_disk : 0,
                              vm_state ? table->l1_entries : table->on_disk);
            if (number == 0)
                active[vm_state].end = *next;
        }
    }
    if (making->plan->reserve)
        active[0] =
            (struct defrag_extent){making->plan->reserved_l2_off, making->plan->reserved_off};
    return ret;
}

/* ---- what bitmaps hold ---- */

static int take_metadata(void *context, const struct format_reference *reference)
{
    struct making *making = context;

    if (reference->kind != FORMAT_META_BITMAP_BITS)
        return 0;
    return place_cluster(making, reference->off >> making->cluster_bits, UINT64_MAX);
}

static void place_bytes(struct making *making, uint64_t len_bytes, uint64_t *off)
{
    if (len_bytes == 0)
        return;
    *off = making->next;
    making->next += round_up(making, len_bytes);
}

static int place_bitmaps(struct making *making)
{
    const struct format_bitmaps *bitmaps = &making->image->bitmaps;
    const struct space_refs_sink sink = {.context = making, .metadata = take_metadata};
    int ret = space_refs_metadata(making->refs, &sink, making->err);

    if (ret < 0)
        return ret;
    for (size_t i = 0; i < bitmaps->n_list; i++)
        place_bytes(making, bitmaps->list[i].table_bytes, &making->plan->bitmap_table_offs[i]);
    place_bytes(making, making->image->header.bitmaps_bytes, &making->plan->bitmaps_off);
    return 0;
}

/* ---- what comes before the body ---- */

/* So many clusters need so many blocks; and a table of so many bytes for these. */
static uint64_t blocks_for(const struct making *making, uint64_t n_clusters)
{
    return div_round_up(n_clusters,
                        making->cluster_bytes * 8 / making->image->header.refcount_bits);
}

/*
 * Blocks for what there is, themselves included, and a table with room for those of a disk that is
 * full. Both only grow from round to round, so it ends.
 */
static int size_refcounts(struct making *making, uint64_t others_bytes)
{
    const struct format_header *header = &making->image->header;
    struct defrag_plan *plan = making->plan;
    uint64_t others = (others_bytes + making->next) / making->cluster_bytes;
    uint64_t guest =
        header->external_data ? 0 : div_round_up(header->virtual_bytes, making->cluster_bytes);
    uint64_t full = others + guest + div_round_up(guest, header->l2_entries);
    uint64_t room = round_up(making, 8 * blocks_for(making, full + blocks_for(making, full)));
    uint64_t n_blocks, table_bytes;

    if (room > FORMAT_REFTABLE_BYTES_MAX)
        room = FORMAT_REFTABLE_BYTES_MAX;
    do {
        n_blocks = plan->n_refblocks;
        table_bytes = plan->reftable_bytes;
        plan->n_refblocks =
            blocks_for(making, others + n_blocks + table_bytes / making->cluster_bytes);
        plan->reftable_bytes = round_up(making, 8 * plan->n_refblocks);
        if (plan->reftable_bytes < room)
            plan->reftable_bytes = room;
    } while (plan->n_refblocks != n_blocks || plan->reftable_bytes != table_bytes);
    if (plan->reftable_bytes > FORMAT_REFTABLE_BYTES_MAX)
        return err_set(making->err, EFBIG,
                       "the refcounts of the new file would need a table of more than 8 MiB");
    return 0;
}

static uint64_t l2_bytes(const struct making *making)
{
    const struct defrag_plan *plan = making->plan;
    uint64_t bytes = plan->reserve ? plan->reserved_off - plan->reserved_l2_off : 0;

    for (size_t i = 0; i < plan->l2_tables.n_list; i++)
        bytes += defrag_moves_at(&plan->l2_tables, i).bytes;
    return bytes;
}

/* Puts the front together, and moves the body behind it. */
static int place_front(struct making *making)
{
    const struct format_image *image = making->image;
    struct defrag_plan *plan = making->plan;
    uint64_t l1_bytes = round_up(making, 8 * (uint64_t)image->header.l1_entries), at;
    uint64_t snapshots_bytes = round_up(making, image->snapshots.table_bytes);
    uint64_t others = making->cluster_bytes + l1_bytes + snapshots_bytes, front;
    int ret;

    for (size_t i = 0; i < image->snapshots.n_list; i++)
        others += round_up(making, 8 * (uint64_t)image->snapshots.list[i].l1_entries);
    ret = size_refcounts(making, others);
    if (ret < 0)
        return ret;
    plan->l1_off = making->cluster_bytes;
    plan->reftable_off = plan->l1_off + l1_bytes;
    plan->refblocks_off = plan->reftable_off + plan->reftable_bytes;
    at = plan->refblocks_off + plan->n_refblocks * making->cluster_bytes;
    plan->snapshots_off = snapshots_bytes > 0 ? at : 0;
    at += snapshots_bytes;
    for (size_t i = 0; i < image->snapshots.n_list; i++) {
        uint64_t bytes = round_up(making, 8 * (uint64_t)image->snapshots.list[i].l1_entries);

        plan->snapshot_l1_offs[i] = bytes > 0 ? at : 0;
        at += bytes;
    }
    front = at;
    if (front + making->next > DEFRAG_OFFSET_END)
        return failed(making, -EFBIG);
    defrag_moves_shift(&plan->data, front);
    defrag_moves_shift(&plan->blobs, front);
    defrag_moves_shift(&plan->l2_tables, front);
    for (unsigned i = 0; i < 2; i++) {
        plan->active[i].begin += front;
        plan->active[i].end += front;
    }
    for (size_t i = 0; i < image->bitmaps.n_list; i++)
        plan->bitmap_table_offs[i] += front;
    plan->bitmaps_off += plan->bitmaps_off > 0 ? front : 0;
    plan->reserved_l2_off += front;
    plan->reserved_off += front;
    plan->file_bytes = front + making->next;
    plan->metadata_bytes = front + l2_bytes(making);
    return 0;
}

/* ---- the whole ---- */

static int count_l2(void *context, const struct space_named_l2 *l2, uint32_t l1_index)
{
    struct making *making = context;

    (void)l1_index;
    if (!bitset_has(making->l2_seen, l2->l2_off >> making->cluster_bits)) {
        bitset_add(making->l2_seen, l2->l2_off >> making->cluster_bits);
        making->next += making->cluster_bytes;
    }
    return 0;
}

/* How long the L2 tables in front are together. */
static int size_l2(struct making *making)
{
    const struct space_refs_sink sink = {.context = making, .l2 = count_l2};
    struct defrag_plan *plan = making->plan;
    const struct format_header *header = &making->image->header;
    uint64_t needed = format_l1_needed(header, header->virtual_bytes);

    if (plan->reserve) { /* one for each L1 entry of the disk; then the disk */
        making->next = needed * making->cluster_bytes;
        plan->reserved_l2_off = 0;
        plan->reserved_off = making->next;
        making->next += round_up(making, header->virtual_bytes);
        return 0;
    }
    return making->l2_in_front ? space_refs_l2(making->refs, &sink, making->err) : 0;
}

/* Of a window of clusters: which have more than one reference. */
static void mark_shared(struct making *making, const struct space_cells *cells, uint64_t end)
{
    uint16_t counts[COUNTS_AT_ONCE];
    uint8_t classes[COUNTS_AT_ONCE];

    end = end < cells->top ? end : cells->top;
    for (uint64_t first = cells->first; first < end; first += COUNTS_AT_ONCE) {
        size_t n = end - first < COUNTS_AT_ONCE ? (size_t)(end - first) : COUNTS_AT_ONCE;

        space_cells_read(cells, first, n, counts, classes);
        for (size_t i = 0; i < n; i++)
            if (counts[i] > 1)
                bitset_add(making->plan->shared, first + i);
    }
}

/* By the references themselves: the old refcounts may be too high. */
static int find_shared(struct making *making)
{
    struct space_claims claims = {.image = making->image, .refs = making->refs};
    size_t n_clusters = making->plan->n_clusters;
    struct space_cells cells;
    int ret = space_cells_init(&cells, WINDOW_BYTES, n_clusters + 1, false) < 0
                  ? err_no_memory(making->err)
                  : 0;

    for (uint64_t first = 0; first < n_clusters && ret == 0; first = cells.end) {
        space_cells_begin(&cells, first);
        ret = space_claims_count(&claims, &cells, making->err);
        mark_shared(making, &cells, n_clusters);
    }
    space_cells_free(&cells);
    return ret;
}

static int allocate(struct making *making, const struct defrag_plan_options *options)
{
    struct defrag_plan *plan = making->plan;
    const struct format_image *image = making->image;
    size_t n = (size_t)div_round_up(image->file_bytes, making->cluster_bytes);

    plan->n_clusters = n;
    plan->shared = bitset_new(n);
    plan->zeros = options->zeros != NULL ? bitset_new(n) : NULL;
    plan->snapshot_l1_offs = calloc(image->snapshots.n_list + 1, sizeof(uint64_t));
    plan->bitmap_table_offs = calloc(image->bitmaps.n_list + 1, sizeof(uint64_t));
    making->placed = bitset_new(n);
    making->standard = bitset_new(n);
    making->blobs = bitset_new(n);
    making->l2_seen = bitset_new(n);
    if (plan->shared == NULL || (options->zeros != NULL && plan->zeros == NULL) ||
        plan->snapshot_l1_offs == NULL || plan->bitmap_table_offs == NULL ||
        making->placed == NULL || making->standard == NULL || making->blobs == NULL ||
        making->l2_seen == NULL)
        return err_no_memory(making->err);
    if (options->zeros != NULL)
        memcpy(plan->zeros, options->zeros, bitset_bytes(n));
    return 0;
}

/* By where they come from; and tables also by where they go, for who makes their bytes. */
static int keep_moves(struct making *making)
{
    struct defrag_plan *plan = making->plan;
    struct defrag_moves *there = &plan->l2_there;

    defrag_moves_sort_by_from(&plan->data);
    defrag_moves_sort_by_from(&plan->blobs);
    there->list = malloc((plan->l2_tables.n_list + 1) * sizeof(*there->list));
    if (there->list == NULL)
        return err_no_memory(making->err);
    memcpy(there->list, plan->l2_tables.list, plan->l2_tables.n_list * sizeof(*there->list));
    there->n_list = there->cap_list = plan->l2_tables.n_list;
    defrag_moves_sort_by_to(there);
    defrag_moves_sort_by_from(&plan->l2_tables);
    return 0;
}

static int open_refs(struct making *making)
{
    const struct space_refs_options refs_options = {making->refcounts, NULL};
    int ret = space_refs_new(making->image, &refs_options, &making->refs, making->err);

    if (ret == -EFBIG)
        ret = err_set(making->err, EFBIG,
                      "its snapshots have too many L1 entries together to be put in order");
    return ret;
}

static int make(struct making *making, const struct defrag_plan_options *options)
{
    return allocate(making, options)
               ?: open_refs(making)
               ?: find_shared(making)
               ?: collect_all(making)
               ?: size_l2(making)
               ?: place_tables(making)
               ?: place_bitmaps(making)
               ?: failed(making, defrag_blobs_move(&making->compressed, &making->plan->blobs))
               ?: place_front(making)
               ?: keep_moves(making);
}

int defrag_plan_make(struct format_image *image, struct format_refcounts *refcounts,
                     const struct defrag_plan_options *options, struct defrag_plan *plan,
                     struct err *err)
{
    const struct format_header *header = &image->header;
    struct making making = {
        .image = image,
        .refcounts = refcounts,
        .plan = plan,
        .err = err,
        .cluster_bits = header->cluster_bits,
        .cluster_bytes = header->cluster_bytes,
        .l2_in_front = format_l2_in_front(header->cluster_bytes) && !options->reserve,
        .compressed = {.cluster_bits = header->cluster_bits,
                       .most_refs = format_refcount_max(header),
                       .refs_of_blob = 1 + (uint64_t)image->snapshots.n_list},
    };
    int ret;

    *plan = (struct defrag_plan){.image = image, .reserve = options->reserve};
    if (making.compressed.refs_of_blob > making.compressed.most_refs)
        making.compressed.refs_of_blob = making.compressed.most_refs;
    ret = make(&making, options);
    space_refs_free(making.refs);
    defrag_blobs_free(&making.compressed);
    free(making.placed);
    free(making.standard);
    free(making.blobs);
    free(making.mixed);
    free(making.l2_seen);
    return ret;
}

void defrag_plan_free(struct defrag_plan *plan)
{
    defrag_moves_free(&plan->data);
    defrag_moves_free(&plan->blobs);
    defrag_moves_free(&plan->l2_tables);
    defrag_moves_free(&plan->l2_there);
    free(plan->shared);
    free(plan->zeros);
    free(plan->snapshot_l1_offs);
    free(plan->bitmap_table_offs);
    memset(plan, 0, sizeof(*plan));
}

bool defrag_plan_is_active(const struct defrag_plan *plan, uint64_t l2_to)
{
    for (unsigned i = 0; i < 2; i++)
        if (l2_to >= plan->active[i].begin && l2_to < plan->active[i].end)
            return true;
    return false;
}
