// SPDX-License-Identifier: MIT
/* Owns the choice of the meter that pieces go to. Reads nothing itself. */
#include "part.h"

#include "entry.h"
#include "err.h"
#include "header.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The meter of an L2 table that is named several times. */
struct meter_kept {
    struct meter *meter;
    uint64_t times[RUN_TABLES_MAX]; /* that it has been joined to the meter of each table */
};

static int take(void *context, const struct run_batch *batch)
{
    meter_take(context, batch);
    return 0;
}

static int refuse(void *context, const struct run_batch *batch)
{
    (void)context;
    (void)batch;
    return -ENOMEM;
}

struct meter *meter_part_meter(const struct format_header *header)
{
    return meter_new(header->cluster_bytes, header->extended_l2
                                                ? header->cluster_bytes / FORMAT_SUBCLUSTERS
                                                : header->cluster_bytes);
}

static struct run_sink begin(void *context, struct run_members members, size_t keep)
{
    struct meter_part *part = context;

    if (members.n == 1 && keep == RUN_NOT_KEPT)
        return (struct run_sink){take, part->meters[members.list[0]]};
    if (part->shared == NULL)
        part->shared = meter_part_meter(part->header);
    if (part->shared == NULL)
        return (struct run_sink){refuse, NULL};
    meter_clear(part->shared);
    return (struct run_sink){take, part->shared};
}

static int again(void *context, struct run_members members, size_t kept, uint64_t shift)
{
    struct meter_part *part = context;

    for (size_t i = 0; i < members.n; i++) {
        meter_join(part->meters[members.list[i]], part->kept[kept]->meter, shift);
        part->kept[kept]->times[members.list[i]]++;
    }
    return 0;
}

/* The meter that was shared becomes the kept one. */
static int keep_shared(struct meter_part *part, size_t keep)
{
    if (part->kept == NULL)
        part->kept = calloc(RUN_KEPT_MAX, sizeof(struct meter_kept *));
    if (part->kept == NULL)
        return -ENOMEM;
    part->kept[keep] = calloc(1, sizeof(*part->kept[keep]));
    if (part->kept[keep] == NULL)
        return -ENOMEM;
    part->kept[keep]->meter = part->shared;
    part->shared = NULL;
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
        meter_merge(part->meters[members.list[i]], part->shared);
    return 0;
}

/* What was joined at many places is added as often, and forgotten. */
static void settle_kept(struct meter_part *part)
{
    for (size_t k = 0; part->kept != NULL && k < RUN_KEPT_MAX; k++) {
        if (part->kept[k] == NULL)
            continue;
        for (size_t i = 0; i < part->n_tables; i++)
            meter_add_inner(part->meters[i], part->kept[k]->meter, part->kept[k]->times[i]);
        meter_free(part->kept[k]->meter);
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
    for (size_t i = 0; i < part->n_tables && ret == 0; i++)
        ret = meter_error(part->meters[i]);
    return ret == -ENOMEM ? err_no_memory(err) : ret;
}

void meter_part_merge(struct meter_part *left, struct meter_part *right)
{
    for (size_t i = 0; i < left->n_tables; i++) {
        meter_merge(left->meters[i], right->meters[i]);
        run_counts_add(&left->tables[i].counts, &right->tables[i].counts);
        format_findings_merge(&left->tables[i].findings, &right->tables[i].findings);
    }
}

void meter_part_clear(struct meter_part *part)
{
    for (size_t i = 0; i < part->n_tables; i++) {
        meter_clear(part->meters[i]);
        memset(&part->tables[i].counts, 0, sizeof(part->tables[i].counts));
        format_findings_free(&part->tables[i].findings);
    }
}

struct meter_part *meter_part_new(const struct format_header *header,
                                  const struct run_table *tables, size_t n_tables)
{
    struct meter_part *part = calloc(1, sizeof(*part));

    if (part == NULL)
        return NULL;
    part->header = header;
    part->n_tables = n_tables;
    part->tables = calloc(n_tables, sizeof(*part->tables));
    part->meters = calloc(n_tables, sizeof(struct meter *));
    for (size_t i = 0; i < n_tables && part->tables != NULL && part->meters != NULL; i++) {
        part->tables[i] = tables[i];
        memset(&part->tables[i].counts, 0, sizeof(part->tables[i].counts));
        memset(&part->tables[i].findings, 0, sizeof(part->tables[i].findings));
        part->meters[i] = meter_part_meter(header);
    }
    if (part->tables == NULL || part->meters == NULL || part->meters[n_tables - 1] == NULL) {
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
        meter_free(part->meters[i]);
    }
    meter_free(part->shared);
    free(part->kept);
    free(part->meters);
    free(part->tables);
    free(part);
}
