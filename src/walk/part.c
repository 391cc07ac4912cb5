// SPDX-License-Identifier: MIT
/* Owns the choice of the meter that pieces go to. Reads nothing itself. */
#include "part.h"

#include "entry.h"
#include "err.h"
#include "header.h"
#include "shape.h"
#include "stage.h"
#include "walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The meters of an L2 table that is named several times. */
struct walk_kept {
    struct meter_set set;
    uint64_t times[TABLES_SCAN_MAX]; /* that it has been joined to the meters of each table */
};

static struct meter_layout_shape converted(const struct walk_part *part, uint64_t virtual_bytes)
{
    return walk_shape_of_converted(part->header, part->options->span, virtual_bytes);
}

static struct meter_defragged_shape defragged(const struct format_header *header)
{
    return (struct meter_defragged_shape){
        .cluster_bytes = header->cluster_bytes,
        .l2_in_front = format_l2_in_front(header->cluster_bytes),
        .blob_refs = 1 + (uint64_t)header->n_snapshots, /* perhaps they have it, too */
        .refs_max = format_refcount_max(header),
    };
}

/*
 * Defrag puts the active state in order alone: what of @set is of a snapshot needs no such walk.
 * @pictured: it is of the table that there are pictures of.
 */
static int new_set(const struct walk_part *part, uint64_t virtual_bytes, bool active, bool pictured,
                   struct meter_set *set)
{
    const enum walk_rewrite by = part->options->rewrite;
    const struct meter_layout_shape shape = converted(part, virtual_bytes);
    const struct meter_defragged_shape order = defragged(part->header);
    const struct walk_options *options = part->options;
    const struct meter_set_wanted wanted = {
        .stage = part->stage,
        .zeros = walk_has_raster(options),
        .raster = pictured ? options->raster : NULL,
        .staged_raster = pictured ? options->staged_raster : NULL,
        .converted = by == WALK_CONVERT ? &shape : NULL,
        .defragged = by == WALK_DEFRAG && active ? &order : NULL};

    return meter_set_init(set, format_unit_bytes(part->header), PIECE_N_FILES, &wanted);
}

static int take(void *context, const struct piece_batch *batch)
{
    struct walk_part *part = context;

    return meter_set_take(part->into, part->stage, part->stage_state, batch);
}

static int refuse(void *context, const struct piece_batch *batch)
{
    (void)context;
    (void)batch;
    return -ENOMEM;
}

static struct piece_sink begin(void *context, struct tables_members members, size_t keep)
{
    struct walk_part *part = context;
    uint64_t virtual_bytes = part->tables[members.list[0]].virtual_bytes; /* alike for all */

    part->into = &part->shared;
    if (members.n == 1 && keep == TABLES_NOT_KEPT)
        part->into = &part->meters[members.list[0]];
    else if (part->shared.plain != NULL)
        meter_set_clear(&part->shared);
    else if (new_set(part, virtual_bytes, true, true, &part->shared) < 0)
        return (struct piece_sink){refuse, NULL};
    if (part->into->converted != NULL)
        part->into->converted->shape = converted(part, virtual_bytes);
    return (struct piece_sink){take, part};
}

static int again(void *context, struct tables_members members, size_t kept, uint64_t shift)
{
    struct walk_part *part = context;

    for (size_t i = 0; i < members.n; i++) {
        meter_set_join(&part->meters[members.list[i]], &part->kept[kept]->set, shift);
        part->kept[kept]->times[members.list[i]]++;
    }
    return 0;
}

/* The shared meters become the kept ones. */
static int keep_shared(struct walk_part *part, size_t keep)
{
    if (part->kept == NULL)
        part->kept = calloc(TABLES_KEPT_MAX, sizeof(struct walk_kept *));
    if (part->kept == NULL)
        return -ENOMEM;
    part->kept[keep] = calloc(1, sizeof(*part->kept[keep]));
    if (part->kept[keep] == NULL)
        return -ENOMEM;
    part->kept[keep]->set = part->shared;
    part->shared = (struct meter_set){.plain = NULL};
    return 0;
}

static int end(void *context, struct tables_members members, size_t keep)
{
    struct walk_part *part = context;

    if (part->into != &part->shared)
        return 0;
    meter_set_settle(&part->shared);
    if (keep != TABLES_NOT_KEPT) {
        int ret = keep_shared(part, keep);

        return ret < 0 ? ret : again(context, members, keep, 0);
    }
    for (size_t i = 0; i < members.n; i++)
        meter_set_merge(&part->meters[members.list[i]], &part->shared);
    return 0;
}

/* What was joined at many places is added as often, and forgotten. */
static void settle_kept(struct walk_part *part)
{
    for (size_t k = 0; part->kept != NULL && k < TABLES_KEPT_MAX; k++) {
        if (part->kept[k] == NULL)
            continue;
        for (size_t i = 0; i < part->n_tables; i++)
            meter_set_add_inner(&part->meters[i], &part->kept[k]->set, part->kept[k]->times[i]);
        meter_set_free(&part->kept[k]->set);
        free(part->kept[k]);
        part->kept[k] = NULL;
    }
}

int walk_part_scan(struct walk_part *part, struct tables_scan *scan, uint32_t first, uint32_t last,
                   struct err *err)
{
    const struct tables_visitor visitor = {
        .context = part, .begin = begin, .end = end, .again = again};
    int ret = tables_scan_part(scan, first, last, part->tables, &visitor, err);

    settle_kept(part);
    for (size_t i = 0; i < part->n_tables && ret == 0; i++) {
        meter_set_settle(&part->meters[i]);
        ret = meter_set_error(&part->meters[i]);
    }
    return ret == -ENOMEM ? err_no_memory(err) : ret;
}

void walk_part_merge(struct walk_part *left, struct walk_part *right)
{
    for (size_t i = 0; i < left->n_tables; i++) {
        meter_set_merge(&left->meters[i], &right->meters[i]);
        piece_counts_add(&left->tables[i].counts, &right->tables[i].counts);
        piece_lost_merge(&left->tables[i].lost, &right->tables[i].lost, 0);
        format_findings_merge(&left->tables[i].findings, &right->tables[i].findings);
    }
}

void walk_part_clear(struct walk_part *part)
{
    for (size_t i = 0; i < part->n_tables; i++) {
        meter_set_clear(&part->meters[i]);
        memset(&part->tables[i].counts, 0, sizeof(part->tables[i].counts));
        part->tables[i].lost = (struct piece_lost){.ranges = 0};
        format_findings_free(&part->tables[i].findings);
    }
}

static int fill(struct walk_part *part, const struct tables_table *tables)
{
    part->tables = calloc(part->n_tables, sizeof(*part->tables));
    part->meters = calloc(part->n_tables, sizeof(*part->meters));
    if (part->tables == NULL || part->meters == NULL)
        return -ENOMEM;
    if (part->stage != NULL) {
        part->stage_state = part->stage->state_new(part->stage->shared);
        if (part->stage_state == NULL)
            return -ENOMEM;
    }
    for (size_t i = 0; i < part->n_tables; i++) {
        part->tables[i] = tables[i];
        memset(&part->tables[i].counts, 0, sizeof(part->tables[i].counts));
        part->tables[i].lost = (struct piece_lost){.ranges = 0};
        memset(&part->tables[i].findings, 0, sizeof(part->tables[i].findings));
        if (new_set(part, tables[i].virtual_bytes, tables[i].active, i == 0, &part->meters[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

struct walk_part *walk_part_new(const struct format_header *header,
                                const struct tables_table *tables, size_t n_tables,
                                const struct walk_options *options)
{
    struct walk_part *part = calloc(1, sizeof(*part));

    if (part == NULL)
        return NULL;
    part->header = header;
    part->n_tables = n_tables;
    part->options = options;
    part->stage = options->stage;
    if (fill(part, tables) < 0) {
        walk_part_free(part);
        return NULL;
    }
    return part;
}

void walk_part_free(struct walk_part *part)
{
    if (part == NULL)
        return;
    settle_kept(part);
    for (size_t i = 0; i < part->n_tables && part->tables != NULL && part->meters != NULL; i++) {
        format_findings_free(&part->tables[i].findings);
        meter_set_free(&part->meters[i]);
    }
    meter_set_free(&part->shared);
    if (part->stage != NULL)
        part->stage->state_free(part->stage_state);
    free(part->kept);
    free(part->meters);
    free(part->tables);
    free(part);
}
