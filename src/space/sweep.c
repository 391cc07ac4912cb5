// SPDX-License-Identifier: MIT
/* Owns the judgement of single clusters. Where 64 of them are alike, they are taken at once. */
#include "sweep.h"

#include "cells.h"
#include "checked.h"
#include "finding.h"
#include "gap.h"
#include "owner.h"
#include "refcount.h"
#include "size.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHUNK 4096
#define BLOCK 64

/* A part of a window. */
struct chunk {
    uint64_t first;
    size_t n;
    uint16_t references[CHUNK];
    uint16_t refcounts[CHUNK];
    uint8_t classes[CHUNK];
    uint8_t states[CHUNK]; /* enum space_cells_state */
};

static uint64_t file_clusters(const struct space_sweep *sweep)
{
    return div_round_up(sweep->file_bytes, UINT64_C(1) << sweep->cluster_bits);
}

uint64_t space_sweep_end_cluster(const struct space_sweep *sweep)
{
    return file_clusters(sweep) + 1;
}

/* ---- gaps, and what lies between them ---- */

static void tell_owner(const struct space_sweep *sweep, enum space_owner owner, uint64_t first,
                       uint64_t n)
{
    if (sweep->owner_sink != NULL)
        sweep->owner_sink->take(sweep->owner_sink->context, owner, first, n);
}

/* The @n clusters from @first on. */
static void add_gap(struct space_sweep *sweep, uint64_t first, uint64_t n)
{
    if (n == 0)
        return;
    sweep->owners->bytes[SPACE_OWNER_FREE] += n << sweep->cluster_bits;
    tell_owner(sweep, SPACE_OWNER_FREE, first, n);
    for (size_t i = 0; i < sweep->n_gap_sinks; i++)
        sweep->gap_sinks[i].take(sweep->gap_sinks[i].context, (struct space_gap){first, n});
}

/* @n clusters from next on have this owner. */
static void use(struct space_sweep *sweep, enum space_owner owner, uint64_t n)
{
    add_gap(sweep, sweep->next - sweep->gap, sweep->gap);
    tell_owner(sweep, owner, sweep->next, n);
    sweep->gap = sweep->gap_inside = 0;
    sweep->next += n;
    sweep->end = sweep->next;
}

/* ---- refcounts that are wrong ---- */

static void tell_wrong(struct space_sweep *sweep, bool low)
{
    uint16_t refcount = sweep->wrong.refcount, references = sweep->wrong.references;
    bool one = sweep->wrong.n == 1;
    bool or_more = sweep->refcount_bits > 16 && refcount == FORMAT_REFCOUNT_MOST;
    bool full = references == SPACE_CELLS_COUNT_FULL; /* of wide cells, see agree */
    unsigned shown = full ? space_cells_count_max(true) : references;
    char where[64], who[64] = "the cluster has";
    const char *meaning;
    uint64_t place;
    bool has_place = format_refcounts_place(sweep->refcounts, sweep->wrong.first, &place);

    if (!low)
        meaning = "the space will not be given back";
    else if (refcount > 0)
        meaning = "a write through one of them changes what the others see";
    else if (sweep->wrong.first == 0)
        meaning = "a program that writes may overwrite the header";
    else
        meaning = "a program that writes may overwrite what is there";
    if (!one)
        snprintf(who, sizeof(who), "%" PRIu64 " clusters from here on have", sweep->wrong.n);
    snprintf(where, sizeof(where), "refcount[%" PRIu64 "]", sweep->wrong.first);
    format_findings_add(low ? sweep->low : sweep->high,
                        low ? FORMAT_FINDING_REFCOUNT_LOW : FORMAT_FINDING_REFCOUNT_HIGH, where,
                        has_place ? &place : NULL, "%s refcount %" PRIu16 "%s, but %u%s %s%s; %s",
                        who, refcount, or_more ? " or more" : "", shown, full ? " or more" : "",
                        size_noun(shown, "reference", "references"), one ? "" : " each", meaning);
}

static void end_wrong(struct space_sweep *sweep)
{
    bool low = sweep->wrong.refcount < sweep->wrong.references;

    if (sweep->wrong.n == 0)
        return;
    if (low)
        sweep->owners->low += sweep->wrong.n;
    else
        sweep->owners->high += sweep->wrong.n;
    tell_wrong(sweep, low);
    sweep->wrong.n = 0;
}

static bool agree(uint16_t refcount, uint16_t references)
{
    if (references == SPACE_CELLS_COUNT_FULL) /* wide cells: narrow ones are not swept then */
        return refcount >= space_cells_count_max(true);
    return refcount == references;
}

static void compare(struct space_sweep *sweep, uint64_t cluster, uint16_t refcount,
                    uint16_t references)
{
    if (agree(refcount, references)) {
        end_wrong(sweep);
        return;
    }
    if (sweep->wrong.n == 0 || sweep->wrong.first + sweep->wrong.n != cluster ||
        sweep->wrong.refcount != refcount || sweep->wrong.references != references) {
        end_wrong(sweep);
        sweep->wrong.first = cluster;
        sweep->wrong.refcount = refcount;
        sweep->wrong.references = references;
    }
    sweep->wrong.n++;
}

/* ---- single clusters, and many ---- */

/* What of a cluster lies beyond the end of the file. */
static uint64_t overhang_of(const struct space_sweep *sweep, uint64_t cluster)
{
    uint64_t begin = cluster << sweep->cluster_bits, len = UINT64_C(1) << sweep->cluster_bits;

    if (begin >= sweep->file_bytes)
        return len;
    return sweep->file_bytes - begin >= len ? 0 : len - (sweep->file_bytes - begin);
}

static void take_cluster(struct space_sweep *sweep, const struct chunk *chunk, size_t i)
{
    uint64_t cluster = chunk->first + i, len = UINT64_C(1) << sweep->cluster_bits;
    uint64_t in_file = len - overhang_of(sweep, cluster);
    uint16_t references = chunk->references[i], refcount = chunk->refcounts[i];

    if (references > 0) {
        if (sweep->judge)
            compare(sweep, cluster, refcount, references);
        sweep->owners->bytes[chunk->classes[i]] += in_file;
        use(sweep, (enum space_owner)chunk->classes[i], 1);
    } else if (refcount > 0 && in_file > 0 && sweep->judge) {
        sweep->owners->bytes[SPACE_OWNER_LEAKED] += in_file;
        use(sweep, SPACE_OWNER_LEAKED, 1);
    } else {
        sweep->gap++;
        sweep->next++;
        if (refcount > 0 && in_file > 0) {
            sweep->gap_inside = sweep->gap;
            sweep->overhang = len - in_file;
            sweep->end = sweep->next;
        }
    }
}

/* Takes 64 clusters at once if all are free, or all have one owner and the right refcount. */
static bool take_block(struct space_sweep *sweep, const struct chunk *chunk, size_t i)
{
    const uint16_t *references = chunk->references + i, *refcounts = chunk->refcounts + i;
    const uint8_t *classes = chunk->classes + i;
    uint16_t any = 0, differ = 0, none = 0;
    uint8_t other = 0;

    if (chunk->n - i < BLOCK || overhang_of(sweep, chunk->first + i + BLOCK - 1) > 0)
        return false;
    for (size_t k = 0; k < BLOCK; k++) {
        any |= references[k] | refcounts[k];
        differ |= references[k] ^ refcounts[k];
        none |= references[k] == 0;
        other |= classes[k] ^ classes[0];
    }
    if (any == 0) {
        sweep->gap += BLOCK;
        sweep->next += BLOCK;
        return true;
    }
    if (none || other || (differ && sweep->judge))
        return false;
    sweep->owners->bytes[classes[0]] += (uint64_t)BLOCK << sweep->cluster_bits;
    use(sweep, (enum space_owner)classes[0], BLOCK);
    return true;
}

static void take_chunk(struct space_sweep *sweep, const struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->n;) {
        if (take_block(sweep, chunk, i))
            i += BLOCK;
        else
            for (size_t end = i + BLOCK; i < end && i < chunk->n; i++)
                take_cluster(sweep, chunk, i);
    }
}

/* ---- windows ---- */

static void arm(const struct space_sweep *sweep, struct space_cells *cells, struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->n; i++) {
        bool open = chunk->references[i] > 0 && chunk->references[i] != SPACE_CELLS_COUNT_FULL &&
                    chunk->classes[i] != SPACE_CLASS_ACTIVE &&
                    (!sweep->judge || chunk->references[i] == chunk->refcounts[i]);

        chunk->states[i] = !open                                       ? SPACE_CELLS_CLOSED
                           : chunk->classes[i] == SPACE_CLASS_METADATA ? SPACE_CELLS_OPEN_METADATA
                                                                       : SPACE_CELLS_OPEN;
    }
    space_cells_arm(cells, chunk->first, chunk->n, chunk->states);
}

/*
 * Passes over clusters that nothing refers to, and no block counts: they are free. Returns false at
 * the end of the window.
 */
static bool skip_free(struct space_sweep *sweep, const struct space_cells *cells, uint64_t end)
{
    uint64_t next = end;

    if (sweep->refcounts->readable) {
        if (sweep->counted <= sweep->next) /* it was asked for before */
            sweep->counted = format_refcounts_next(sweep->refcounts, sweep->next);
        next = sweep->counted < next ? sweep->counted : next;
    }
    next = space_cells_next(cells, sweep->next, next);
    sweep->gap += next - sweep->next;
    sweep->next = next;
    return next < end;
}

int space_sweep_window(struct space_sweep *sweep, struct space_cells *cells, bool arm_cells,
                       struct err *err)
{
    uint64_t end = space_sweep_end_cluster(sweep);
    struct chunk chunk;

    end = end < cells->end ? end : cells->end;
    sweep->gap += cells->first - sweep->next; /* between two windows */
    sweep->next = cells->first;
    while (sweep->next < end && skip_free(sweep, cells, end)) {
        int ret;

        chunk.first = sweep->next;
        chunk.n = end - chunk.first < CHUNK ? (size_t)(end - chunk.first) : CHUNK;
        ret = format_refcounts_read(sweep->refcounts, chunk.first, chunk.n, chunk.refcounts, err);
        if (ret < 0)
            return ret;
        space_cells_read(cells, chunk.first, chunk.n, chunk.references, chunk.classes);
        take_chunk(sweep, &chunk);
        if (arm_cells)
            arm(sweep, cells, &chunk);
    }
    return 0;
}

void space_sweep_finish(struct space_sweep *sweep)
{
    struct space_owners *owners = sweep->owners;

    end_wrong(sweep);
    add_gap(sweep, sweep->next - sweep->gap, sweep->gap_inside);
    if (sweep->gap_inside > 0) /* the last cluster in use counts as free, see judge */
        owners->bytes[SPACE_OWNER_FREE] -= sweep->overhang;
    owners->end_bytes = sweep->end << sweep->cluster_bits;
    owners->tail_bytes =
        sweep->file_bytes > owners->end_bytes ? sweep->file_bytes - owners->end_bytes : 0;
}
