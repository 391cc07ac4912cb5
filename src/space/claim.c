// SPDX-License-Identifier: MIT
/*
 * Owns the order of claims: metadata first, L2 tables among them, then what L2 entries hold. So a
 * cell of metadata is known as such before an entry can claim it.
 */
#include "claim.h"

#include "cells.h"
#include "finding.h"
#include "image.h"
#include "refs.h"
#include "table.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- the first walk ---- */

static int count_metadata(void *context, const struct format_reference *reference)
{
    struct space_claims *claims = context;
    unsigned bits = claims->image->header.cluster_bits;
    uint64_t last = reference->off + reference->len_bytes - 1;

    space_cells_add_metadata(claims->cells, reference->off >> bits, (last >> bits) + 1);
    return 0;
}

static int count_l2(void *context, const struct space_named_l2 *l2, uint32_t l1_index)
{
    struct space_claims *claims = context;
    uint64_t cluster = l2->l2_off >> claims->image->header.cluster_bits;

    (void)l1_index;
    space_cells_add(claims->cells, &cluster, 1, l2->weight, SPACE_CLASS_METADATA);
    return 0;
}

static void tell_overlap(struct space_claims *claims, const struct space_refs_data *data,
                         uint32_t index)
{
    const struct space_refs_entry entry = space_refs_entry_of(data, index);
    const struct space_l1_table *table = space_refs_table(claims->refs, data->l2->first);
    const struct format_extent *extent;
    char where[64], name[32] = "";

    if (entry.holding.left_out) /* that damage is told by others */
        return;
    claims->overlaps++;
    if (claims->findings == NULL)
        return;
    if (!format_findings_wants(claims->findings, FORMAT_FINDING_DATA_OVERLAP)) {
        format_findings_count(claims->findings, FORMAT_FINDING_DATA_OVERLAP, 1);
        return;
    }
    extent = format_metadata_find(&claims->image->metadata, entry.holding.begin,
                                  entry.holding.end - entry.holding.begin);
    if (table->snapshot != TABLES_TABLE_ACTIVE)
        snprintf(name, sizeof(name), "snapshot[%zu] ", table->snapshot);
    snprintf(where, sizeof(where), "%sl2[%" PRIu32 "][%" PRIu32 "]", name, data->l1_index, index);
    format_findings_add(claims->findings, FORMAT_FINDING_DATA_OVERLAP, where, &entry.word,
                        "entry 0x%016" PRIx64 " points into %s, where no data can be", entry.entry,
                        extent != NULL ? format_metadata_name(extent->kind)
                                       : "an L2 table or the bits of a bitmap");
}

static void count_data(void *context, const struct space_refs_data *data)
{
    struct space_claims *claims = context;
    const struct space_holds_batch *batch = data->batch;
    uint32_t told = UINT32_MAX;

    if (space_cells_add(claims->cells, batch->clusters, batch->n, data->l2->weight,
                        data->l2->class) == 0)
        return;
    for (size_t i = 0; i < batch->n; i++) {
        uint32_t index = space_holds_entry(batch, i);

        if (index != told && space_cells_is_metadata(claims->cells, batch->clusters[i]))
            tell_overlap(claims, data, told = index);
    }
}

static void count_left_out(void *context, uint64_t n, uint64_t untold)
{
    struct space_claims *claims = context;

    if (claims->counted)
        return;
    claims->left_out += n;
    claims->untold += untold;
}

int space_claims_count(struct space_claims *claims, struct space_cells *cells, struct err *err)
{
    const struct space_refs_sink sink = {.context = claims,
                                         .metadata = count_metadata,
                                         .l2 = count_l2,
                                         .data = count_data,
                                         .left_out = count_left_out};
    int ret;

    claims->cells = cells;
    ret = space_refs_metadata(claims->refs, &sink, err);
    if (ret == 0)
        ret = space_refs_l2(claims->refs, &sink, err);
    if (ret == 0 && !claims->image->header.external_data)
        ret = space_refs_data(claims->refs, &sink, err);
    claims->counted = true;
    return ret;
}

/* ---- the second walk ---- */

static void own_l1_tables(struct space_claims *claims)
{
    unsigned bits = claims->image->header.cluster_bits;
    size_t n_tables = space_refs_n_tables(claims->refs);

    for (size_t t = 1; t < n_tables; t++) {
        const struct space_l1_table *table = space_refs_table(claims->refs, t);
        uint64_t end = table->l1_off + 8 * (uint64_t)table->l1_entries;
        uint64_t cluster = table->l1_off >> bits;

        if (cluster < claims->cells->first)
            cluster = claims->cells->first;
        for (; cluster << bits < end && cluster < claims->cells->top; cluster++)
            space_cells_own(claims->cells, &cluster, 1, (uint32_t)t, true);
    }
}

/* What is named at several indices, even of one snapshot, counts as nobody's own. */
static int own_l2(void *context, const struct space_named_l2 *l2, uint32_t l1_index)
{
    struct space_claims *claims = context;
    uint64_t cluster = l2->l2_off >> claims->image->header.cluster_bits;
    bool once = l2->repeated == TABLES_NOT_REPEATED;

    (void)l1_index;
    space_cells_own(claims->cells, &cluster, 1, once ? l2->owner : SPACE_CELLS_MANY, true);
    return 0;
}

static bool is_not_active(void *context, const struct space_named_l2 *l2)
{
    (void)context;
    return l2->class != SPACE_CLASS_ACTIVE;
}

static void own_data(void *context, const struct space_refs_data *data)
{
    struct space_claims *claims = context;

    space_cells_own(claims->cells, data->batch->clusters, data->batch->n, data->l2->owner, false);
}

int space_claims_own(struct space_claims *claims, struct space_cells *cells, uint64_t *counts,
                     struct err *err)
{
    const struct space_refs_sink sink = {
        .context = claims, .l2 = own_l2, .wants_data = is_not_active, .data = own_data};
    int ret;

    claims->cells = cells;
    own_l1_tables(claims);
    ret = space_refs_l2(claims->refs, &sink, err);
    space_cells_sum_owned(cells, counts);
    if (ret == 0 && !claims->image->header.external_data)
        ret = space_refs_data(claims->refs, &sink, err);
    space_cells_sum_owned(cells, counts);
    return ret;
}
