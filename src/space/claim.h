/* SPDX-License-Identifier: MIT */
/*
 * Walks all that an image refers to: its metadata, and every entry of every L1 table, the active
 * one and those of snapshots, beyond the end of the disk as well. Each lays claim to clusters of
 * the file, in a window of cells.
 *
 * The L1 tables go in step, as in a scan, but many more at once: an L2 table that a thousand of
 * them share is walked once, and counts a thousand times.
 */
#ifndef SPACE_CLAIM_H
#define SPACE_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_findings;
struct format_image;
struct format_refcounts;
struct space_cells;

/* Tables 1 .. n_tables - 1 are those of snapshots that can be read; 0 is the active one. */
struct space_claims;

struct space_claims_options {
    const struct format_refcounts *refcounts;
    /* Where data on top of metadata is told; NULL: nowhere. */
    struct format_findings *findings;
    /* For the active state and each snapshot: is the damage on its disk told by others? */
    const bool *told; /* NULL: of none */
};

/*
 * All is borrowed until space_claims_free. -EFBIG, without an error: the L1 tables are too many and
 * too long together.
 */
int space_claims_new(struct format_image *image, const struct space_claims_options *options,
                     struct space_claims **claims, struct err *err);
void space_claims_free(struct space_claims *claims);

size_t space_claims_tables(const struct space_claims *claims);

/* The number of the snapshot in the image's list that @table is; @table is not 0. */
size_t space_claims_snapshot(const struct space_claims *claims, size_t table);

/* The first walk: counts all references to the clusters of the window. */
int space_claims_count(struct space_claims *claims, struct space_cells *cells, struct err *err);

/*
 * The second walk: adds to counts[table] the clusters that only this table refers to. Those of the
 * active state's disk are passed over: they must not be open.
 */
int space_claims_own(struct space_claims *claims, struct space_cells *cells, uint64_t *counts,
                     struct err *err);

/* What was looked at in all walks so far, as bytes of L2 tables that take about as long. */
uint64_t space_claims_work_bytes(const struct space_claims *claims);

/*
 * Damaged entries that were met in the first walk and hold what cannot be known; those of them that
 * are not told by others; and entries that point into metadata.
 */
uint64_t space_claims_left_out(const struct space_claims *claims);
uint64_t space_claims_untold(const struct space_claims *claims);
uint64_t space_claims_overlaps(const struct space_claims *claims);

#endif
