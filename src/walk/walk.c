// SPDX-License-Identifier: MIT
/* Owns the cutting of a walk over an image into parts. */
#include "walk.h"

#include "err.h"
#include "fold.h"
#include "image.h"
#include "io.h"
#include "part.h"

#include <stdlib.h>

/* A part has at least this much of L2 tables: half a millisecond of work. At its end nothing more
 * is asked for ahead: where that matters, it has so many times as much. */
#define PART_BYTES_MIN (UINT64_C(2) << 20)
#define PART_AHEADS_MIN 2
/* Of all parts together, since all may be waiting for the first: a meter takes up to some 30 KiB.
 */
#define METERS_MAX 256

struct walk {
    const struct tables_plan *plan;
    const struct walk_options *options;
    const struct format_header *header;
    const struct tables_table *tables;
    size_t n_tables;
    uint32_t n_parts;
};

static uint32_t part_begin(const struct walk *walk, uint32_t part)
{
    uint32_t first = tables_plan_first(walk->plan), n = tables_plan_end(walk->plan) - first;

    return first + (uint32_t)((uint64_t)n * part / walk->n_parts);
}

/* Depends on the image alone, never on the threads: see walk.h. */
static uint32_t count_parts(struct io *io, const struct tables_plan *plan, size_t n_tables,
                            const struct walk_options *options)
{
    uint64_t ahead = PART_AHEADS_MIN * (uint64_t)io_ahead(io);
    uint64_t n = tables_plan_l2_bytes(plan) / (ahead > PART_BYTES_MIN ? ahead : PART_BYTES_MIN);

    if (n > FOLD_PARTS_MAX)
        n = FOLD_PARTS_MAX;
    if (n > METERS_MAX / n_tables)
        n = METERS_MAX / n_tables;
    if (n > WALK_PARTS_BY_HOST_MAX && walk_is_by_host(options))
        n = WALK_PARTS_BY_HOST_MAX;
    if (n > tables_plan_end(plan) - tables_plan_first(plan))
        n = tables_plan_end(plan) - tables_plan_first(plan);
    return n > 0 ? (uint32_t)n : 1;
}

/* ---- for the fold ---- */

static void *tool_new(void *context)
{
    return tables_scan_new(((struct walk *)context)->plan);
}

static void tool_free(void *tool)
{
    tables_scan_free(tool);
}

static void *result_new(void *context)
{
    const struct walk *walk = context;

    return walk_part_new(walk->header, walk->tables, walk->n_tables, walk->options);
}

static void result_clear(void *result)
{
    walk_part_clear(result);
}

static void result_free(void *result)
{
    walk_part_free(result);
}

static int work(void *context, void *tool, uint32_t number, void *result, struct err *err)
{
    const struct walk *walk = context;

    return walk_part_scan(result, tool, part_begin(walk, number), part_begin(walk, number + 1),
                          err);
}

static void merge(void *left, void *right)
{
    walk_part_merge(left, right);
}

/* ---- the whole ---- */

/* Hands the results over to the caller's tables and meters. */
static void hand_over(struct walk_part *whole, struct tables_table *tables,
                      struct meter_set *meters)
{
    for (size_t i = 0; i < whole->n_tables; i++) {
        tables[i].walked = true;
        tables[i].counts = whole->tables[i].counts;
        tables[i].lost = whole->tables[i].lost;
        format_findings_merge(&tables[i].findings, &whole->tables[i].findings);
        meters[i] = whole->meters[i];
        whole->meters[i] = (struct meter_set){.plain = NULL};
    }
}

static int walk_parts(struct format_image *image, const struct tables_plan *plan,
                      struct tables_table *tables, size_t n_tables, struct meter_set *meters,
                      const struct walk_options *options, struct err *err)
{
    struct walk walk = {.plan = plan,
                        .options = options,
                        .header = &image->header,
                        .tables = tables,
                        .n_tables = n_tables,
                        .n_parts = count_parts(image->io, plan, n_tables, options)};
    const struct fold parts = {
        .n_parts = walk.n_parts,
        .context = &walk,
        .tool_new = tool_new,
        .tool_free = tool_free,
        .result_new = result_new,
        .result_clear = result_clear,
        .result_free = result_free,
        .work = work,
        .merge = merge,
        .workers = options->workers,
        .progress = options->progress,
        .progress_context = options->context,
    };
    void *whole;
    int ret = fold(&parts, &whole, err);

    if (ret == 0)
        hand_over(whole, tables, meters);
    walk_part_free(whole);
    return ret;
}

int walk_tables(struct format_image *image, struct tables_table *tables, size_t n_tables,
                struct meter_set *meters, const struct walk_options *options, struct err *err)
{
    struct tables_plan *plan;
    int ret;

    for (size_t i = 0; i < n_tables; i++)
        meters[i] = (struct meter_set){.plain = NULL};
    if (n_tables == 0)
        return 0;
    ret = tables_plan_new(
        image, tables, n_tables, options->span != NULL ? *options->span : TABLES_SPAN_ALL,
        walk_has_raster(options) ? TABLES_PIECES_ZEROS : TABLES_PIECES_MAPPED, &plan, err);
    if (ret < 0)
        return ret;
    if (!tables_plan_looked(plan))
        format_findings_add(&tables[0].findings, FORMAT_FINDING_NOT_LOOKED_FOR, "image", NULL,
                            "there are too many tables to look whether one overlaps another");
    ret = walk_parts(image, plan, tables, n_tables, meters, options, err);
    tables_plan_free(plan);
    return ret;
}
