/* SPDX-License-Identifier: MIT */
/*
 * Lays claim to clusters of the file, in a window of cells, for all that an image refers to: the
 * counting of references, and the search for what one snapshot alone refers to. A consumer of
 * refs.h, which says what there is.
 */
#ifndef SPACE_CLAIM_H
#define SPACE_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct format_findings;
struct format_image;
struct space_cells;
struct space_refs;

/* Filled by the caller up to findings, and else with 0. Nothing is to be released. */
struct space_claims {
    struct format_image *image;
    struct space_refs *refs;
    struct format_findings *findings; /* where data on top of metadata is told; NULL: nowhere */

    bool counted;      /* what follows is the sum of the first walk, whose window does not matter */
    uint64_t left_out; /* references that cannot be known, since they are damaged; */
    uint64_t untold;   /* those of them that are not told by others; */
    uint64_t overlaps; /* and entries that point into metadata, of all windows */

    /* The walk under way. */
    struct space_cells *cells;
};

/* The first walk: counts all references to the clusters of the window. */
int space_claims_count(struct space_claims *claims, struct space_cells *cells, struct err *err);

/*
 * The second walk: adds to counts[table] the clusters that only this table refers to. Those of the
 * active state's disk are passed over: they must not be open.
 */
int space_claims_own(struct space_claims *claims, struct space_cells *cells, uint64_t *counts,
                     struct err *err);

#endif
