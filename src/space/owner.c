// SPDX-License-Identifier: MIT
/*
 * Owns the passes. For each window over the file: a walk that counts all references, a sweep along
 * the window, and, if there are snapshots, a second walk that finds what one of them alone owns.
 */
#include "owner.h"

#include "cells.h"
#include "claim.h"
#include "err.h"
#include "finding.h"
#include "image.h"
#include "io.h"
#include "refcount.h"
#include "refs.h"
#include "sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)SPACE_OWNER_SNAPSHOT == SPACE_CLASS_SNAPSHOT &&
                   (int)SPACE_OWNER_VM_STATE == SPACE_CLASS_VM_STATE &&
                   (int)SPACE_OWNER_ACTIVE == SPACE_CLASS_ACTIVE &&
                   (int)SPACE_OWNER_METADATA == SPACE_CLASS_METADATA,
               "classes are the first owners");

/* With no more tables, narrow cells do for all clusters but those that hold many blobs. */
#define NARROW_TABLES_MAX 60

#define CELL_WORK 4 /* a byte of cells takes as long as so many of tables */

#define NEEDS_WIDE 1 /* of a pass: begin anew with wider cells */

struct pass {
    struct format_image *image;
    const struct space_owner_options *options;
    struct space_owners *owners;
    struct err *err;
    struct format_refcounts refcounts;
    struct space_refs *refs;
    struct space_claims claims;
    struct space_cells cells;
    struct space_sweep sweep;
    struct space_gap_sink gap_sinks[2];
    uint64_t swept_bytes;            /* of cells, in all windows */
    struct format_findings findings; /* of the passes */
    struct format_findings high;     /* refcounts that are too high */
    uint64_t *owned;                 /* clusters, for each table */
};

/* ---- sums of all windows ---- */

static void forget(struct space_owners *owners)
{
    struct space_owners empty = {.exclusive_clusters = owners->exclusive_clusters,
                                 .n_snapshots = owners->n_snapshots};

    *owners = empty;
}

/*
 * Is every reference known? A table that cannot be read may have named whatever seems to belong to
 * nobody, and so may an entry that points where it cannot.
 */
static bool is_whole(const struct pass *pass)
{
    const struct format_image *image = pass->image;

    if (pass->claims.left_out > 0 || pass->claims.overlaps > 0 || !image->snapshots.whole ||
        !image->bitmaps.whole)
        return false;
    for (size_t i = 0; i < image->snapshots.n_list; i++)
        if (!image->snapshots.list[i].readable)
            return false;
    return image->header.crypt != FORMAT_CRYPT_LUKS || image->header.luks_bytes > 0;
}

static void sum_up(struct pass *pass)
{
    struct space_owners *owners = pass->owners;
    size_t n_tables = space_refs_n_tables(pass->refs);

    space_sweep_finish(&pass->sweep);
    owners->whole = is_whole(pass);
    if (owners->whole) /* else a missing reference may be one that is hidden */
        format_findings_merge(&pass->findings, &pass->high);
    owners->known = true;
    owners->leaks_known = pass->sweep.judge;
    owners->left_out = pass->claims.left_out;
    owners->untold = pass->claims.untold;
    for (size_t t = 1; t < n_tables; t++)
        if (t <= space_cells_table_max(pass->cells.wide))
            owners->exclusive_clusters[space_refs_table(pass->refs, t)->snapshot] =
                opt_u64_of(pass->owned[t]);
}

/* ---- windows ---- */

/* Refcounts are written late while an image is dirty, or in use. */
static bool refcounts_are_believed(const struct pass *pass)
{
    return pass->refcounts.readable && pass->refcounts.whole && !pass->options->written &&
           !(pass->image->header.incompatible & FORMAT_INCOMPAT_DIRTY);
}

static void begin_sweep(struct pass *pass)
{
    const struct format_header *header = &pass->image->header;

    size_t n_sinks = 0;

    pass->gap_sinks[n_sinks++] = space_gap_histogram_sink(&pass->owners->gaps);
    if (pass->options->gaps != NULL)
        pass->gap_sinks[n_sinks++] = *pass->options->gaps;
    for (size_t i = 0; i < n_sinks; i++)
        pass->gap_sinks[i].begin(pass->gap_sinks[i].context);
    if (pass->options->owners != NULL)
        pass->options->owners->begin(pass->options->owners->context);
    pass->sweep = (struct space_sweep){
        .refcounts = &pass->refcounts,
        .judge = refcounts_are_believed(pass),
        .cluster_bits = header->cluster_bits,
        .refcount_bits = header->refcount_bits,
        .file_bytes = pass->image->file_bytes,
        .owners = pass->owners,
        .gap_sinks = pass->gap_sinks,
        .n_gap_sinks = n_sinks,
        .owner_sink = pass->options->owners,
        .low = &pass->findings,
        .high = &pass->high,
    };
}

static int take_window(struct pass *pass, uint64_t first)
{
    bool several = space_refs_n_tables(pass->refs) > 1;
    int ret;

    space_cells_begin(&pass->cells, first);
    ret = space_claims_count(&pass->claims, &pass->cells, pass->err);
    if (ret == 0 && pass->cells.full && !pass->cells.wide)
        return NEEDS_WIDE;
    if (ret == 0)
        ret = space_sweep_window(&pass->sweep, &pass->cells, several, pass->err);
    pass->swept_bytes += (pass->cells.top - pass->cells.first) << pass->cells.wide;
    if (ret == 0 && several)
        ret = space_claims_own(&pass->claims, &pass->cells, pass->owned, pass->err);
    return ret;
}

/* Where the next window begins: where something is. UINT64_MAX: there is none. */
static uint64_t next_window(struct pass *pass)
{
    uint64_t next = pass->cells.beyond;

    if (pass->refcounts.readable) {
        uint64_t counted = format_refcounts_next(&pass->refcounts, pass->cells.end);

        next = counted < next ? counted : next;
    }
    return next < space_sweep_end_cluster(&pass->sweep) ? next : UINT64_MAX;
}

static bool is_too_much(const struct pass *pass)
{
    uint64_t most = pass->options->work_bytes;
    struct opt_u64 stored = io_allocated(pass->image->io);

    if (most == 0)
        most = SPACE_OWNER_WORK_BYTES +
               SPACE_OWNER_WORK_TIMES * (stored.known ? stored.value : pass->image->file_bytes);
    return space_refs_work_bytes(pass->refs) + CELL_WORK * pass->swept_bytes > most;
}

/* It ends: each window begins behind the one before, and their number is limited. */
static int take_windows(struct pass *pass)
{
    for (uint64_t first = 0; first != UINT64_MAX; first = next_window(pass)) {
        int ret;

        if (pass->owners->windows++ == SPACE_OWNER_WINDOWS_MAX || is_too_much(pass))
            return -EFBIG; /* no error: it is not known then */
        ret = take_window(pass, first);
        if (ret != 0)
            return ret;
    }
    sum_up(pass);
    return 0;
}

static int try_cells(struct pass *pass, bool wide)
{
    uint64_t bytes =
        pass->options->window_bytes > 0 ? pass->options->window_bytes : SPACE_OWNER_WINDOW_BYTES;
    int ret;

    forget(pass->owners);
    format_findings_free(&pass->findings);
    format_findings_free(&pass->high);
    begin_sweep(pass);
    memset(pass->owned, 0, space_refs_n_tables(pass->refs) * sizeof(*pass->owned));
    ret = space_cells_init(&pass->cells, bytes, space_sweep_end_cluster(&pass->sweep), wide);
    ret = ret < 0 ? err_no_memory(pass->err) : take_windows(pass);
    space_cells_free(&pass->cells);
    return ret;
}

/* ---- the whole ---- */

static int take_passes(struct pass *pass)
{
    const struct space_refs_options options = {&pass->refcounts, pass->options->told};
    int ret = space_refs_new(pass->image, &options, &pass->refs, pass->err);

    if (ret < 0)
        return ret;
    pass->claims = (struct space_claims){
        .image = pass->image,
        .refs = pass->refs,
        /* Half of a change looks like damage. */
        .findings = pass->options->written ? NULL : &pass->findings,
    };
    pass->owned = calloc(space_refs_n_tables(pass->refs), sizeof(*pass->owned));
    if (pass->owned == NULL)
        return err_no_memory(pass->err);
    ret = space_refs_n_tables(pass->refs) > NARROW_TABLES_MAX ? NEEDS_WIDE : try_cells(pass, false);
    return ret == NEEDS_WIDE ? try_cells(pass, true) : ret;
}

int space_owner_find(struct format_image *image, const struct space_owner_options *options,
                     struct space_owners *owners, struct err *err)
{
    struct pass pass = {.image = image, .options = options, .owners = owners, .err = err};
    struct format_findings of_table = {0};
    int ret;

    memset(owners, 0, sizeof(*owners));
    owners->n_snapshots = image->snapshots.n_list;
    owners->exclusive_clusters =
        calloc(owners->n_snapshots + 1, sizeof(*owners->exclusive_clusters));
    if (owners->exclusive_clusters == NULL)
        return err_no_memory(err);
    ret = format_refcounts_open(image, &pass.refcounts, &of_table, err);
    if (ret == 0)
        ret = take_passes(&pass);
    if (ret == -EFBIG && err->code == 0) {
        forget(owners);
        format_findings_free(&pass.findings);
        ret = 0;
    }
    format_findings_merge(options->findings, &of_table);
    format_findings_merge(options->findings, &pass.findings);
    format_findings_free(&pass.high);
    space_refs_free(pass.refs);
    format_refcounts_close(&pass.refcounts);
    free(pass.owned);
    return ret;
}

void space_owners_free(struct space_owners *owners)
{
    free(owners->exclusive_clusters);
    memset(owners, 0, sizeof(*owners));
}
