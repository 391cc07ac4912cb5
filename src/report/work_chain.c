// SPDX-License-Identifier: MIT
/* Owns the measuring of tables along a backing chain, after each has been measured by itself. */
#include "work.h"

#include "backing.h"
#include "chained.h"
#include "checked.h"
#include "cleanup.h"
#include "err.h"
#include "image.h"

#include <errno.h>
#include <string.h>

/* A walk for each of 65,536 snapshots through 1,000 images would never end. */
#define CHAINED_MAX ((size_t)1 << 18)

/* The figures of the table alone give way to those of the chain. */
static int fill_chained(struct report_work *work, const struct piece_counts *counts,
                        const struct meter_set *meters, struct report_table *table)
{
    uint64_t alone_bytes = table->walk.mapped_bytes;
    uint64_t cluster_bytes = work->image->header.cluster_bytes;
    int ret;

    report_walk_free(&table->walk);
    report_walk_free(&table->end_to_end.walk);
    memset(&table->walk, 0, sizeof(table->walk));
    memset(&table->end_to_end, 0, sizeof(table->end_to_end));
    table->has_check = false;
    table->alone_saved_seconds = report_cost_saved(&table->disk);
    table->chain_depth = (uint32_t)work->backing->chain.n_layers;
    ret = report_work_fill(work, counts, div_round_up(counts->mapped_bytes, cluster_bytes),
                           counts->pieces, meters, table);
    if (ret < 0)
        return ret;
    return report_backing_fill(work->backing, meters->plain, alone_bytes, table, work->err);
}

/*
 * @top: the table of the topmost image. The others are looked at once, before the @first walk, which
 * the pictures are of.
 */
static int walk_down(struct report_work *work, struct tables_table *top, bool first,
                     struct meter_set *meters, struct piece_counts *counts)
{
    struct walk_options options = report_work_options(work);
    struct report_backing *backing = work->backing;
    int ret = 0;

    if (first)
        ret =
            report_backing_look(backing, work->image, &options, &work->report->findings, work->err);
    if (ret == 0)
        ret = report_backing_set_top(backing, work->image, top, work->err);
    if (ret < 0)
        return ret;
    if (first)
        report_work_picture(work, &options);
    return walk_chain(&backing->layers, &work->image->header, (unsigned)backing->chain.n_files,
                      meters, counts, &options, work->err);
}

static int measure_table(struct report_work *work, size_t number, bool first)
{
    CLEANUP(meter_set_free) struct meter_set meters = {.plain = NULL};
    struct tables_table top = tables_table_of_snapshot(work->image, work->chosen[number]);
    struct piece_counts counts;
    int ret = walk_down(work, &top, first, &meters, &counts);

    format_findings_merge(&work->report->findings, &top.findings);
    if (ret < 0)
        return ret;
    if (first)
        report_work_end_pictures(work, &meters);
    return fill_chained(work, &counts, &meters, &work->report->tables[number]);
}

int report_work_measure_chain(struct report_work *work)
{
    size_t n_layers = work->backing->chain.n_layers;
    bool first = true;

    if (n_layers > 1 && work->n_chosen > CHAINED_MAX / n_layers)
        return err_set(work->err, E2BIG,
                       "%zu tables along a chain of %zu images are too many; choose some of them "
                       "with --snapshot",
                       work->n_chosen, n_layers);
    for (size_t i = 0; i < work->n_chosen; i++) {
        struct report_table *table = &work->report->tables[i];
        int ret;

        if (!table->measured)
            continue;
        ret = n_layers == 1 ? report_backing_alone(work->backing, table, work->err)
                            : measure_table(work, i, first);
        if (ret < 0)
            return ret;
        first = false;
    }
    return 0;
}
