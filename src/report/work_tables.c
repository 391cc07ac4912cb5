// SPDX-License-Identifier: MIT
/* Owns the measuring of an image's tables, each by itself: which are walked together. */
#include "work.h"

#include "err.h"
#include "image.h"
#include "l2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Walked at once: a meter takes 64 KiB, and a hostile image can have 65,536 snapshots. */
#define GROUP_TABLES TABLES_SCAN_MAX

#define NOT_WALKED SIZE_MAX

/* Tables that are walked at once. Those that are the same share a walk. */
struct group {
    size_t n;                             /* tables chosen, readable or not */
    size_t walked[GROUP_TABLES];          /* [i]: index of the i-th one below, or NOT_WALKED */
    struct tables_table of[GROUP_TABLES]; /* the different ones, */
    struct meter_set meters[GROUP_TABLES];
    size_t n_of;
};

static const struct format_snapshot *snapshot_of(const struct report_work *work, size_t chosen)
{
    return chosen == TABLES_TABLE_ACTIVE ? NULL : &work->image->snapshots.list[chosen];
}

/* ---- before the walk ---- */

static struct report_range range_of(const struct tables_span *span, uint64_t virtual_bytes)
{
    uint64_t end;

    if (span == NULL)
        return (struct report_range){.known = false};
    end = span->end < virtual_bytes ? span->end : virtual_bytes;
    return (struct report_range){.known = true,
                                 .guest_off = span->begin,
                                 .len_bytes = end > span->begin ? end - span->begin : 0};
}

/* Both in one piece of memory: there may be 65,536 pairs. */
static int copy_names(struct report_work *work, const struct format_snapshot *snapshot,
                      struct report_table *table)
{
    size_t id = snapshot->id.len, name = snapshot->name.len;
    char *bytes = arena_alloc(&work->report->names, id + name + 2);

    if (bytes == NULL)
        return err_no_memory(work->err);
    memcpy(bytes, snapshot->id.bytes, id + 1);
    memcpy(bytes + id + 1, snapshot->name.bytes, name + 1);
    table->id = (struct format_name){bytes, id};
    table->name = (struct format_name){bytes + id + 1, name};
    return 0;
}

static int begin_table(struct report_work *work, const struct format_snapshot *snapshot,
                       uint64_t virtual_bytes, struct report_table *table)
{
    *table = (struct report_table){.is_snapshot = snapshot != NULL,
                                   .chain_depth = 1,
                                   .virtual_bytes = virtual_bytes,
                                   .range = range_of(work->choice->walk.span, virtual_bytes)};
    return snapshot != NULL ? copy_names(work, snapshot, table) : 0;
}

/* The index of @table among those to be walked; a new one if none of them is the same. */
static size_t join_group(struct group *group, const struct tables_table *table)
{
    size_t i = 0;

    /* Snapshots of an unchanged disk, or of a hostile image, may have the same table. */
    while (i < group->n_of && !tables_table_is_same(&group->of[i], table))
        i++;
    if (i == group->n_of)
        group->of[group->n_of++] = *table;
    return i;
}

/* Takes the next chosen tables, as many as fit, from @first on. */
static int gather(struct report_work *work, size_t first, struct group *group)
{
    size_t left = work->n_chosen - first, n = left < GROUP_TABLES ? left : GROUP_TABLES;

    for (size_t i = 0; i < n; i++) {
        size_t chosen = work->chosen[first + i];
        const struct format_snapshot *snapshot = snapshot_of(work, chosen);
        const struct tables_table table = tables_table_of_snapshot(work->image, chosen);
        int ret;

        work->report->n_tables++;
        ret = begin_table(work, snapshot, table.virtual_bytes, &work->report->tables[first + i]);
        if (ret < 0)
            return ret;
        group->walked[group->n++] =
            snapshot == NULL || snapshot->readable ? join_group(group, &table) : NOT_WALKED;
    }
    return 0;
}

/* ---- after it ---- */

static int fill_lost(const struct report_work *work, const struct tables_table *walked,
                     struct report_table *table)
{
    if (walked->lost.ranges == 0)
        return 0;
    table->lost = malloc(sizeof(*table->lost));
    if (table->lost == NULL)
        return err_no_memory(work->err);
    *table->lost = walked->lost;
    return 0;
}

/* What is known of the image by the walk of its active table, if that was walked whole. */
static void fill_image(struct report_work *work, const struct piece_counts *counts,
                       const struct meter_head *head)
{
    struct report_format *format = &work->report->format;

    format->l2_tables = opt_u64_of(counts->l2_tables);
    format->l2_bytes = opt_u64_of(counts->l2_tables * format->cluster_bytes);
    work->copy_bytes = opt_u64_of(head->read_bytes - head->l2_bytes - head->again_bytes);
}

static int fill_table(struct report_work *work, const struct tables_table *walked,
                      const struct meter_set *meters, struct report_table *table)
{
    const struct format_header *header = &work->image->header;
    const struct piece_counts *counts = &walked->counts;

    if (report_work_fill(work, counts, counts->mapped_clusters, counts->mapped_clusters, meters,
                         table) < 0 ||
        fill_lost(work, walked, table) < 0)
        return -ENOMEM;
    table->has_check = !table->is_snapshot && !table->range.known;
    table->check = (struct report_check){
        .allocated_clusters = counts->check_allocated,
        .total_clusters = tables_l2_clusters(header, header->virtual_bytes),
        .fragmented_clusters = counts->check_fragmented,
        .compressed_clusters = counts->check_compressed,
    };
    if (table->has_check)
        fill_image(work, counts, &meters->plain->head);
    return 0;
}

/* Those that cannot be read stay unknown. */
static int fill_tables(struct report_work *work, size_t first, const struct group *group)
{
    for (size_t i = 0; i < group->n; i++) {
        size_t k = group->walked[i];
        int ret = k == NOT_WALKED ? 0
                                  : fill_table(work, &group->of[k], &group->meters[k],
                                               &work->report->tables[first + i]);

        if (ret < 0)
            return ret;
    }
    return 0;
}

/* The rasters are those of the first table: see struct walk_options. */
static void take_rasters(struct report_work *work, size_t first, struct group *group)
{
    if (first == 0 && group->walked[0] != NOT_WALKED && report_work_pictures_are_of_tables(work))
        report_work_end_pictures(work, &group->meters[group->walked[0]]);
}

/* The findings are told in any case. */
static void end_group(struct report_work *work, struct group *group)
{
    for (size_t i = 0; i < group->n_of; i++) {
        format_findings_merge(&work->report->findings, &group->of[i].findings);
        meter_set_free(&group->meters[i]);
    }
}

/* ---- all of them ---- */

/* The chosen tables from @first on, as many as fit in a group. *@n: so many. */
static int measure_group(struct report_work *work, size_t first, size_t *n)
{
    struct walk_options options = report_work_options(work);
    struct group group = {.n = 0};
    int ret = gather(work, first, &group);

    if (first == 0 && report_work_pictures_are_of_tables(work))
        report_work_picture(work, &options);
    if (ret == 0)
        ret = walk_tables(work->image, group.of, group.n_of, group.meters, &options, work->err);
    if (ret == 0)
        ret = fill_tables(work, first, &group);
    if (ret == 0)
        take_rasters(work, first, &group);
    end_group(work, &group);
    *n = group.n;
    return ret;
}

int report_work_measure_tables(struct report_work *work)
{
    work->report->tables = calloc(work->n_chosen, sizeof(*work->report->tables));
    if (work->report->tables == NULL)
        return err_no_memory(work->err);
    for (size_t first = 0, n; first < work->n_chosen; first += n) {
        int ret = measure_group(work, first, &n);

        if (ret < 0)
            return ret;
    }
    return 0;
}
