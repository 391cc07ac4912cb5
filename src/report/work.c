// SPDX-License-Identifier: MIT
/* Owns what the figures of any walk have in common. */
#include "work.h"

#include "err.h"
#include "figures.h"
#include "recipe.h"

struct walk_options report_work_options(const struct report_work *work)
{
    struct walk_options options = work->choice->walk;

    options.rewrite = report_recipe_converts(work->report) ? WALK_CONVERT : WALK_DEFRAG;
    if (work->host.has_stage)
        options.stage = &work->host.stage;
    return options;
}

static int fill_figures(const struct report_work *work, const struct piece_counts *counts,
                        uint64_t mapped_clusters, uint64_t pieces, const struct meter *meter,
                        struct report_table *table)
{
    int ret = report_figures(meter, pieces, &table->walk);

    if (ret < 0)
        return ret;
    table->measured = true;
    table->mapped_clusters = mapped_clusters;
    table->walk.compressed_clusters = counts->compressed_clusters;
    table->walk.zero_clusters = counts->zero_clusters;
    table->walk.zero_allocated_clusters = counts->zero_allocated_clusters;
    table->walk.corrupt_entries = counts->corrupt_entries;
    table->read_split = opt_ratio((double)counts->reads, (double)counts->reads_unbroken);
    report_cost(&work->profile, counts, meter, &table->disk);
    return 0;
}

/* The same walk over the device. */
static int fill_end_to_end(const struct report_work *work, const struct piece_counts *counts,
                           const struct meter_set *meters, struct report_table *table)
{
    const struct meter *device = report_host_meter(&work->host, meters);
    int ret;

    if (device == NULL)
        return 0;
    ret = report_host_figures(&work->host, device, counts, &table->end_to_end);
    if (ret < 0)
        return ret;
    /* Subclusters are walked by themselves, but take no other time where the file is whole. */
    if (work->host.in_one_piece)
        device = meters->plain;
    report_cost_end_to_end(&work->profile, counts, device, &table->end_to_end);
    return 0;
}

int report_work_fill(const struct report_work *work, const struct piece_counts *counts,
                     uint64_t mapped_clusters, uint64_t pieces, const struct meter_set *meters,
                     struct report_table *table)
{
    if (fill_figures(work, counts, mapped_clusters, pieces, meters->plain, table) < 0 ||
        fill_end_to_end(work, counts, meters, table) < 0)
        return err_no_memory(work->err);
    report_cost_after(&work->profile, counts, meters, &work->report->format, table);
    return 0;
}
