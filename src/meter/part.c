// SPDX-License-Identifier: MIT
/* Owns the choice of the meter that pieces go to. Reads nothing itself. */
#include "part.h"

#include "entry.h"
#include "err.h"
#include "header.h"
#include "stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The meters of an L2 table that is named several times. */
struct meter_kept {
    struct meter_pair pair;
    uint64_t times[RUN_TABLES_MAX]; /* that it has been joined to the meters of each table */
};

/* ---- pairs ---- */

static int pair_init(const struct meter_part *part, struct meter_pair *pair)
{
    const struct format_header *header = part->header;
    uint64_t unit_bytes =
        header->extended_l2 ? header->cluster_bytes / FORMAT_SUBCLUSTERS : header->cluster_bytes;

    pair->plain = meter_new(unit_bytes, RUN_N_FILES);
    if (part->stage != NULL)
        pair->staged = meter_new(part->stage->unit_bytes, part->stage->n_files);
    if (pair->plain != NULL && (part->stage == NULL || pair->staged != NULL))
        return 0;
    meter_pair_free(pair);
    return -ENOMEM;
}

void meter_pair_free(struct meter_pair *pair)
{
    meter_free(pair->plain);
    meter_free(pair->staged);
    *pair = (struct meter_pair){NULL, NULL};
}

static void pair_clear(struct meter_pair *pair)
{
    meter_clear(pair->plain);
    if (pair->staged != NULL)
        meter_clear(pair->staged);
}

static void pair_join(struct meter_pair *left, const struct meter_pair *right, uint64_t shift)
{
    meter_join(left->plain, right->plain, shift);
    if (left->staged != NULL)
        meter_join(left->staged, right->staged, shift);
}

static void pair_add_inner(struct meter_pair *left, const struct meter_pair *right, uint64_t times)
{
    meter_add_inner(left->plain, right->plain, times);
    if (left->staged != NULL)
        meter_add_inner(left->staged, right->staged, times);
}

static void pair_merge(struct meter_pair *left, const struct meter_pair *right)
{
    pair_join(left, right, 0);
    pair_add_inner(left, right, 1);
}

/* ---- pieces ---- */

static int meter_it(void *context, const struct run_batch *batch)
{
    meter_take(context, batch);
    return 0;
}

static int take(void *context, const struct run_batch *batch)
{
    struct meter_part *part = context;

    meter_take(part->into->plain, batch);
    if (part->stage == NULL)
        return 0;
    return part->stage->take(part->stage_state, batch,
                             (struct run_sink){meter_it, part->into->staged});
}

static int refuse(void *context, const struct run_batch *batch)
{
    (void)context;
    (void)batch;
    return -ENOMEM;
}

static struct run_sink begin(void *context, struct run_members members, size_t keep)
{
    struct meter_part *part = context;

    part->into = &part->shared;
    if (members.n == 1 && keep == RUN_NOT_KEPT)
        part->into = &part->meters[members.list[0]];
    else if (part->shared.plain != NULL)
        pair_clear(&part->shared);
    else if (pair_init(part, &part->shared) < 0)
        return (struct run_sink){refuse, NULL};
    return (struct run_sink){take, part};
}

static int again(void *context, struct run_members members, size_t kept, uint64_t shift)
{
    struct meter_part *part = context;

    for (size_t i = 0; i < members.n; i++) {
        pair_join(&part->meters[members.list[i]], &part->kept[kept]->pair, shift);
        part->kept[kept]->times[members.list[i]]++;
    }
    return 0;
}

/* The shared meters become the kept ones. */
static int keep_shared(struct meter_part *part, size_t keep)
{
    if (part->kept == NULL)
        part->kept = calloc(RUN_KEPT_MAX, sizeof(struct meter_kept *));
    if (part->kept == NULL)
        return -ENOMEM;
    part->kept[keep] = calloc(1, sizeof(*part->kept[keep]));
    if (part->kept[keep] == NULL)
        return -ENOMEM;
    part->kept[keep]->pair = part->shared;
    part->shared = (struct meter_pair){NULL, NULL};
    return 0;
}

static int end(void *context, struct run_members members, size_t keep)
{
    struct meter_part *part = context;

    if (keep != RUN_NOT_KEPT) {
        int ret = keep_shared(part, keep);

        return ret < 0 ? ret : again(context, members, keep, 0);
    }
    for (size_t i = 0; i < members.n && members.n > 1; i++)
        pair_merge(&part->meters[members.list[i]], &part->shared);
    return 0;
}

/* What was joined at many places is added as often, and forgotten. */
static void settle_kept(struct meter_part *part)
{
    for (size_t k = 0; part->kept != NULL && k < RUN_KEPT_MAX; k++) {
        if (part->kept[k] == NULL)
            continue;
        for (size_t i = 0; i < part->n_tables; i++)
            pair_add_inner(&part->meters[i], &part->kept[k]->pair, part->kept[k]->times[i]);
        meter_pair_free(&part->kept[k]->pair);
        free(part->kept[k]);
        part->kept[k] = NULL;
    }
}

int meter_part_scan(struct meter_part *part, struct run_scan *scan, uint32_t first, uint32_t last,
                    struct err *err)
{
    const struct run_visitor visitor = {
        .context = part, .begin = begin, .end = end, .again = again};
    int ret = run_scan_part(scan, first, last, part->tables, &visitor, err);

    settle_kept(part);
    for (size_t i = 0; i < part->n_tables && ret == 0; i++) {
        ret = meter_error(part->meters[i].plain);
        if (ret == 0 && part->stage != NULL)
            ret = meter_error(part->meters[i].staged);
    }
    return ret == -ENOMEM ? err_no_memory(err) : ret;
}

void meter_part_merge(struct meter_part *left, struct meter_part *right)
{
    for (size_t i = 0; i < left->n_tables; i++) {
        pair_merge(&left->meters[i], &right->meters[i]);
        run_counts_add(&left->tables[i].counts, &right->tables[i].counts);
        format_findings_merge(&left->tables[i].findings, &right->tables[i].findings);
    }
}

void meter_part_clear(struct meter_part *part)
{
    for (size_t i = 0; i < part->n_tables; i++) {
        pair_clear(&part->meters[i]);
        memset(&part->tables[i].counts, 0, sizeof(part->tables[i].counts));
        format_findings_free(&part->tables[i].findings);
    }
}

static int fill(struct meter_part *part, const struct run_table *tables)
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
        memset(&part->tables[i].findings, 0, sizeof(part->tables[i].findings));
        if (pair_init(part, &part->meters[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

struct meter_part *meter_part_new(const struct format_header *header,
                                  const struct run_table *tables, size_t n_tables,
                                  const struct run_stage *stage)
{
    struct meter_part *part = calloc(1, sizeof(*part));

    if (part == NULL)
        return NULL;
    part->header = header;
    part->n_tables = n_tables;
    part->stage = stage;
    if (fill(part, tables) < 0) {
        meter_part_free(part);
        return NULL;
    }
    return part;
}

void meter_part_free(struct meter_part *part)
{
    if (part == NULL)
        return;
    settle_kept(part);
    for (size_t i = 0; i < part->n_tables && part->tables != NULL && part->meters != NULL; i++) {
        format_findings_free(&part->tables[i].findings);
        meter_pair_free(&part->meters[i]);
    }
    meter_pair_free(&part->shared);
    if (part->stage != NULL)
        part->stage->state_free(part->stage_state);
    free(part->kept);
    free(part->meters);
    free(part->tables);
    free(part);
}
