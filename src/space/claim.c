// SPDX-License-Identifier: MIT
/*
 * Owns the order of claims: metadata first, L2 tables among them, then what L2 entries hold. So a
 * cell of metadata is known as such before an entry can claim it.
 */
#include "claim.h"

#include "be.h"
#include "cells.h"
#include "checked.h"
#include "err.h"
#include "fetch.h"
#include "finding.h"
#include "holding.h"
#include "holds.h"
#include "image.h"
#include "io.h"
#include "metadata.h"
#include "refcount.h"
#include "step.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of all tables together: 256 MiB to read in each walk. A thousand snapshots of 8 TiB are 2^24. */
#define L1_ENTRIES_MAX (UINT64_C(1) << 25)

/* To find out what to do with an L2 table takes as long as so many bytes of it. */
#define L2_WORK_BYTES 64

#define BITMAP_WINDOW_BYTES 65536
#define BITMAP_OFFSET UINT64_C(0x00fffffffffffe00)
#define BITMAP_RESERVED UINT64_C(0xff000000000001fe)

/* An L2 table that waits for its bytes. */
struct job {
    struct space_step_l2 l2;
    uint32_t l1_index;
};

/* An L2 table that is named at several indices: all who name it. */
struct repeated {
    uint32_t weight;
    uint16_t walk; /* that it was last taken in */
    uint8_t class;
};

struct space_claims {
    struct format_image *image;
    struct space_claims_options options;
    struct format_entry_rules rules;
    struct space_step_table *tables;
    size_t n_tables;

    struct space_step step; /* of the group that is open */
    size_t open_group;      /* SIZE_MAX: none is */
    struct repeated *repeated;

    /* The walk under way. */
    struct space_cells *cells;
    struct err *err;
    uint16_t walk; /* its number */
    bool owning;   /* it is a second walk */
    bool counted;  /* it is not the first one of all: what is left out was counted */
    uint64_t left_out, untold, overlaps;
    uint64_t work_bytes; /* of all walks */

    struct tables_fetch fetch;
    struct job jobs[TABLES_FETCH_READS];
    size_t n_jobs;

    /* The chunk that is looked at. */
    const struct job *job;
    const uint64_t *raw;
    uint32_t raw_first; /* entry */
};

/* ---- what an L2 table holds ---- */

static void tell_overlap(struct space_claims *claims, uint32_t index)
{
    unsigned words = claims->image->header.l2_entry_bytes / 8;
    const uint64_t *raw = claims->raw + (size_t)(index - claims->raw_first) * words;
    uint64_t entry = be64toh(raw[0]), bitmap = words > 1 ? be64toh(raw[1]) : 0;
    uint64_t place = claims->job->l2.l2_off + (uint64_t)index * words * 8;
    const struct space_step_table *table = &claims->tables[claims->job->l2.member];
    struct format_holding holding = format_holding_of(&claims->rules, entry, bitmap);
    const struct format_extent *extent;
    char where[64], name[32] = "";

    if (holding.left_out) /* that damage is told by others */
        return;
    claims->overlaps++;
    if (claims->options.findings == NULL)
        return;
    if (!format_findings_wants(claims->options.findings, FORMAT_FINDING_DATA_OVERLAP)) {
        format_findings_count(claims->options.findings, FORMAT_FINDING_DATA_OVERLAP, 1);
        return;
    }
    extent = format_metadata_find(claims->step.overlap.metadata, holding.begin,
                                  holding.end - holding.begin);
    if (table->snapshot != TABLE_ACTIVE)
        snprintf(name, sizeof(name), "snapshot[%zu] ", table->snapshot);
    snprintf(where, sizeof(where), "%sl2[%" PRIu32 "][%" PRIu32 "]", name, claims->job->l1_index,
             index);
    format_findings_add(claims->options.findings, FORMAT_FINDING_DATA_OVERLAP, where, &place,
                        "entry 0x%016" PRIx64 " points into %s, where no data can be", entry,
                        extent != NULL ? format_metadata_name(extent->kind)
                                       : "an L2 table or the bits of a bitmap");
}

static void take_batch(void *context, const struct space_holds_batch *batch)
{
    struct space_claims *claims = context;
    const struct space_step_l2 *l2 = &claims->job->l2;
    uint32_t told = UINT32_MAX;

    if (claims->owning) {
        space_cells_own(claims->cells, batch->clusters, batch->n, l2->owner, false);
        return;
    }
    if (space_cells_add(claims->cells, batch->clusters, batch->n, l2->weight, l2->class) == 0)
        return;
    for (size_t i = 0; i < batch->n; i++) {
        uint32_t index = space_holds_entry(batch, i);

        if (index != told && space_cells_is_metadata(claims->cells, batch->clusters[i]))
            tell_overlap(claims, told = index);
    }
}

static uint64_t untold_of(const struct space_claims *claims, size_t len_bytes, uint64_t left_out)
{
    unsigned words = claims->image->header.l2_entry_bytes / 8;
    uint32_t told = claims->job->l2.told, n = (uint32_t)(len_bytes / 8 / words);
    uint64_t untold = 0;

    if (left_out == 0 || told >= claims->raw_first + n)
        return 0;
    if (told <= claims->raw_first)
        return left_out;
    for (uint32_t i = told - claims->raw_first; i < n; i++) {
        const uint64_t *raw = claims->raw + (size_t)i * words;

        untold +=
            format_holding_of(&claims->rules, be64toh(raw[0]), words > 1 ? be64toh(raw[1]) : 0)
                .left_out;
    }
    return untold;
}

static int deliver(void *context, const struct tables_chunk *chunk)
{
    struct space_claims *claims = context;
    unsigned entry_bytes = claims->image->header.l2_entry_bytes;
    const struct space_holds holds = {&claims->rules, take_batch, claims};
    uint64_t left_out;

    if (chunk->bytes == NULL)
        return 0;
    claims->work_bytes += chunk->len_bytes;
    claims->job = &claims->jobs[chunk->cookie];
    claims->raw = chunk->bytes;
    claims->raw_first = chunk->at / entry_bytes;
    left_out = space_holds_chunk(&holds, claims->raw, chunk->len_bytes, claims->raw_first);
    if (!claims->counted && !claims->owning) {
        claims->left_out += left_out;
        claims->untold += untold_of(claims, chunk->len_bytes, left_out);
    }
    return 0;
}

static int drain(struct space_claims *claims)
{
    int ret = tables_fetch_drain(&claims->fetch);

    claims->n_jobs = 0;
    return ret;
}

static int queue(struct space_claims *claims, const struct space_step_l2 *l2, uint32_t l1_index)
{
    int ret;

    if (tables_fetch_in_hole(&claims->fetch, l2->l2_off, (uint32_t)claims->rules.cluster_bytes))
        return 0;
    ret = claims->n_jobs == TABLES_FETCH_READS ? drain(claims) : 0;
    if (ret < 0)
        return ret;
    claims->jobs[claims->n_jobs] = (struct job){*l2, l1_index};
    return tables_fetch_table(&claims->fetch, l2->l2_off, (uint32_t)claims->rules.cluster_bytes,
                              claims->n_jobs++);
}

/* ---- what the L1 tables name ---- */

static void close_group(struct space_claims *claims)
{
    space_step_close(&claims->step);
    free(claims->repeated);
    claims->repeated = NULL;
    claims->open_group = SIZE_MAX;
}

/* How often each of the repeated tables is named. */
static int tally(struct space_claims *claims)
{
    struct space_step *step = &claims->step;
    int ret;

    claims->repeated = calloc(step->overlap.n_repeated, sizeof(*claims->repeated));
    if (claims->repeated == NULL)
        return err_no_memory(claims->err);
    space_step_rewind(step);
    while ((ret = space_step_next(step, claims->err)) == 1) {
        for (uint32_t i = step->l1.first; i < step->l1.first + step->l1.n; i++) {
            space_step_at(step, i);
            for (size_t k = 0; k < step->n_here; k++) {
                const struct space_step_l2 *l2 = &step->here[k];
                struct repeated *repeated;

                if (l2->repeated == TABLES_NOT_REPEATED)
                    continue;
                repeated = &claims->repeated[l2->repeated];
                repeated->weight += l2->weight;
                if (l2->class > repeated->class)
                    repeated->class = (uint8_t)l2->class;
            }
        }
    }
    return ret;
}

/* One group stays open from walk to walk: mostly there is no other. */
static int open_group(struct space_claims *claims, size_t group)
{
    size_t first = group * SPACE_STEP_TABLES_MAX, left = claims->n_tables - first;
    size_t n = left < SPACE_STEP_TABLES_MAX ? left : SPACE_STEP_TABLES_MAX;
    int ret = 0;

    if (claims->open_group != group) {
        close_group(claims);
        ret = space_step_open(&claims->step, claims->image, &claims->tables[first], n, first,
                              claims->err);
        if (ret == 0 && claims->step.overlap.n_repeated > 0)
            ret = tally(claims);
        if (ret == 0)
            claims->open_group = group;
    }
    if (ret == 0)
        space_step_rewind(&claims->step);
    return ret;
}

typedef int take_table(struct space_claims *claims, const struct space_step_l2 *l2,
                       uint32_t l1_index);

static int take_group(struct space_claims *claims, take_table *take)
{
    struct space_step *step = &claims->step;
    int ret;

    while ((ret = space_step_next(step, claims->err)) == 1) {
        ret = 0;
        claims->work_bytes += step->l1.n * 8 * (1 + (uint64_t)step->l1.n_live);
        for (uint32_t i = step->l1.first; i < step->l1.first + step->l1.n && ret == 0; i++) {
            space_step_at(step, i);
            claims->work_bytes += L2_WORK_BYTES * step->n_here;
            for (size_t k = 0; k < step->n_here && ret == 0; k++)
                ret = take(claims, &step->here[k], i);
        }
        if (ret < 0)
            return ret;
    }
    return ret < 0 ? ret : drain(claims); /* while the group is open */
}

/* The table as it is to be walked: a repeated one once, for all who name it. False: it was. */
static bool turn_of(struct space_claims *claims, const struct space_step_l2 *named,
                    struct space_step_l2 *l2)
{
    struct repeated *repeated;

    *l2 = *named;
    if (named->repeated == TABLES_NOT_REPEATED)
        return true;
    repeated = &claims->repeated[named->repeated];
    if (repeated->walk == claims->walk)
        return false;
    repeated->walk = claims->walk;
    l2->weight = repeated->weight;
    l2->class = (enum space_class)repeated->class;
    l2->owner = SPACE_CELLS_MANY;
    return true;
}

static int count_table(struct space_claims *claims, const struct space_step_l2 *l2,
                       uint32_t l1_index)
{
    uint64_t cluster = l2->l2_off >> claims->rules.cluster_bits;

    (void)l1_index;
    space_cells_add(claims->cells, &cluster, 1, l2->weight, SPACE_CLASS_METADATA);
    return 0;
}

static int count_entries(struct space_claims *claims, const struct space_step_l2 *named,
                         uint32_t l1_index)
{
    struct space_step_l2 l2;

    return turn_of(claims, named, &l2) ? queue(claims, &l2, l1_index) : 0;
}

static int own_table(struct space_claims *claims, const struct space_step_l2 *named,
                     uint32_t l1_index)
{
    struct space_step_l2 l2;
    uint64_t cluster = named->l2_off >> claims->rules.cluster_bits;

    (void)l1_index;
    if (turn_of(claims, named, &l2))
        space_cells_own(claims->cells, &cluster, 1, l2.owner, true);
    return 0;
}

static int own_entries(struct space_claims *claims, const struct space_step_l2 *named,
                       uint32_t l1_index)
{
    struct space_step_l2 l2;

    if (!turn_of(claims, named, &l2) || l2.class == SPACE_CLASS_ACTIVE)
        return 0;
    return queue(claims, &l2, l1_index);
}

/* Calls @take for each L2 table at each index of all groups. */
static int take_all(struct space_claims *claims, take_table *take)
{
    size_t n_groups = (claims->n_tables + SPACE_STEP_TABLES_MAX - 1) / SPACE_STEP_TABLES_MAX;

    claims->walk++;
    for (size_t group = 0; group < n_groups; group++) {
        int ret = open_group(claims, group);

        if (ret == 0)
            ret = take_group(claims, take);
        if (ret < 0)
            return ret;
        if (take == count_table && !claims->counted) {
            claims->left_out += claims->step.left_out;
            claims->untold += claims->step.untold;
        }
    }
    return 0;
}

/* ---- other metadata ---- */

static void claim_bytes(struct space_claims *claims, uint64_t off, uint64_t len)
{
    unsigned bits = claims->rules.cluster_bits;

    if (len > 0)
        space_cells_add_metadata(claims->cells, off >> bits, ((off + len - 1) >> bits) + 1);
}

/* The clusters that hold the bits of a bitmap. */
static int claim_bitmap(struct space_claims *claims, const struct format_bitmap *bitmap)
{
    uint64_t left = bitmap->table_bytes;
    unsigned char window[BITMAP_WINDOW_BYTES];

    claim_bytes(claims, bitmap->table_off, bitmap->table_bytes);
    for (uint64_t off = bitmap->table_off; left > 0; off += sizeof(window)) {
        size_t len = left < sizeof(window) ? (size_t)left : sizeof(window);
        int ret = io_read(claims->image->io, off, window, len, claims->err);

        if (ret < 0)
            return ret;
        for (size_t i = 0; i < len; i += 8) {
            uint64_t entry = be64_load(window + i), data = entry & BITMAP_OFFSET;
            bool sound = (entry & BITMAP_RESERVED) == 0 && (data == 0 || (entry & 1) == 0) &&
                         is_aligned(data, claims->rules.cluster_bytes) &&
                         data < claims->rules.file_bytes;

            if (!sound && !claims->counted)
                claims->left_out++;
            if (sound && data != 0)
                claim_bytes(claims, data, claims->rules.cluster_bytes);
        }
        left -= len;
    }
    return 0;
}

static void claim_refcounts(struct space_claims *claims)
{
    const struct format_header *header = &claims->image->header;
    const struct format_refcounts *refcounts = claims->options.refcounts;

    if (!refcounts->readable)
        return;
    claim_bytes(claims, header->reftable_off,
                (uint64_t)header->reftable_clusters << header->cluster_bits);
    for (size_t i = 0; i < refcounts->n_blocks; i++)
        if (refcounts->blocks[i] != 0)
            claim_bytes(claims, refcounts->blocks[i], header->cluster_bytes);
}

static int claim_metadata(struct space_claims *claims)
{
    const struct format_image *image = claims->image;
    int ret = 0;

    claim_bytes(claims, 0, image->header.cluster_bytes);
    claim_bytes(claims, image->header.l1_off, 8 * (uint64_t)image->header.l1_entries);
    claim_bytes(claims, image->header.snapshots_off, image->snapshots.table_bytes);
    claim_bytes(claims, image->header.luks_off, image->header.luks_bytes);
    claim_bytes(claims, image->header.bitmaps_off, image->header.bitmaps_bytes);
    for (size_t i = 0; i < image->snapshots.n_list; i++) {
        const struct format_snapshot *snapshot = &image->snapshots.list[i];

        if (snapshot->readable)
            claim_bytes(claims, snapshot->l1_off, 8 * (uint64_t)snapshot->l1_entries);
    }
    for (size_t i = 0; i < image->bitmaps.n_list && ret == 0; i++)
        ret = claim_bitmap(claims, &image->bitmaps.list[i]);
    claim_refcounts(claims);
    return ret;
}

static void own_l1_tables(struct space_claims *claims)
{
    unsigned bits = claims->rules.cluster_bits;

    for (size_t t = 1; t < claims->n_tables; t++) {
        const struct space_step_table *table = &claims->tables[t];
        uint64_t end = table->l1_off + 8 * (uint64_t)table->l1_entries;
        uint64_t cluster = table->l1_off >> bits;

        if (cluster < claims->cells->first)
            cluster = claims->cells->first;
        for (; cluster << bits < end && cluster < claims->cells->top; cluster++)
            space_cells_own(claims->cells, &cluster, 1, (uint32_t)t, true);
    }
}

/* ---- the walks ---- */

static void begin_walk(struct space_claims *claims, struct space_cells *cells, bool owning,
                       struct err *err)
{
    claims->cells = cells;
    claims->owning = owning;
    claims->err = claims->fetch.err = err;
    claims->n_jobs = 0;
}

int space_claims_count(struct space_claims *claims, struct space_cells *cells, struct err *err)
{
    int ret;

    begin_walk(claims, cells, false, err);
    ret = claim_metadata(claims);
    if (ret == 0)
        ret = take_all(claims, count_table);
    if (ret == 0 && !claims->rules.external_data)
        ret = take_all(claims, count_entries);
    claims->counted = true;
    return ret;
}

int space_claims_own(struct space_claims *claims, struct space_cells *cells, uint64_t *counts,
                     struct err *err)
{
    int ret;

    begin_walk(claims, cells, true, err);
    own_l1_tables(claims);
    ret = take_all(claims, own_table);
    space_cells_sum_owned(cells, counts);
    if (ret == 0 && !claims->rules.external_data)
        ret = take_all(claims, own_entries);
    space_cells_sum_owned(cells, counts);
    return ret;
}

uint64_t space_claims_work_bytes(const struct space_claims *claims)
{
    return claims->work_bytes;
}

uint64_t space_claims_untold(const struct space_claims *claims)
{
    return claims->untold;
}

uint64_t space_claims_left_out(const struct space_claims *claims)
{
    return claims->left_out;
}

uint64_t space_claims_overlaps(const struct space_claims *claims)
{
    return claims->overlaps;
}

/* ---- the tables ---- */

size_t space_claims_tables(const struct space_claims *claims)
{
    return claims->n_tables;
}

size_t space_claims_snapshot(const struct space_claims *claims, size_t table)
{
    return claims->tables[table].snapshot;
}

static struct space_step_table step_table_of(const struct space_claims *claims, size_t snapshot)
{
    struct table table = table_of_snapshot(claims->image, snapshot);
    uint64_t on_disk = format_l1_needed(&claims->image->header, table.virtual_bytes);
    const bool *told = claims->options.told;

    return (struct space_step_table){
        .l1_off = table.l1_off,
        .l1_entries = table.l1_entries,
        .on_disk = on_disk < table.l1_entries ? (uint32_t)on_disk : table.l1_entries,
        .disk_clusters = div_round_up(table.virtual_bytes, claims->image->header.cluster_bytes),
        .snapshot = snapshot,
        .told = told != NULL && told[snapshot == TABLE_ACTIVE ? 0 : snapshot + 1],
    };
}

static int list_tables(struct space_claims *claims, struct err *err)
{
    const struct format_snapshots *snapshots = &claims->image->snapshots;
    uint64_t n_entries = claims->image->header.l1_entries;

    claims->tables = calloc(snapshots->n_list + 1, sizeof(*claims->tables));
    if (claims->tables == NULL)
        return err_no_memory(err);
    claims->tables[claims->n_tables++] = step_table_of(claims, TABLE_ACTIVE);
    for (size_t i = 0; i < snapshots->n_list; i++) {
        const struct format_snapshot *snapshot = &snapshots->list[i];

        if (!snapshot->readable)
            continue;
        n_entries += snapshot->l1_entries;
        claims->tables[claims->n_tables++] = step_table_of(claims, i);
    }
    return n_entries > L1_ENTRIES_MAX ? -EFBIG : 0;
}

int space_claims_new(struct format_image *image, const struct space_claims_options *options,
                     struct space_claims **made, struct err *err)
{
    struct space_claims *claims = calloc(1, sizeof(*claims));
    int ret;

    if (claims == NULL)
        return err_no_memory(err);
    claims->image = image;
    claims->options = *options;
    claims->rules = format_image_rules(image);
    claims->open_group = SIZE_MAX;
    claims->fetch.io = image->io;
    claims->fetch.file_bytes = image->file_bytes;
    claims->fetch.deliver = deliver;
    claims->fetch.context = claims;
    ret = list_tables(claims, err);
    if (ret == 0 && tables_fetch_init(&claims->fetch) < 0)
        ret = err_no_memory(err);
    if (ret < 0)
        space_claims_free(claims);
    else
        *made = claims;
    return ret;
}

void space_claims_free(struct space_claims *claims)
{
    if (claims == NULL)
        return;
    close_group(claims);
    tables_fetch_free(&claims->fetch);
    free(claims->tables);
    free(claims);
}
