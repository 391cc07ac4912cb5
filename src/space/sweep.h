/* SPDX-License-Identifier: MIT */
/*
 * Goes along the clusters of a file, from window to window, and compares the references that were
 * counted with the refcounts: sums up the owners, finds gaps, and tells what does not agree.
 */
#ifndef SPACE_SWEEP_H
#define SPACE_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_findings;
struct format_refcounts;
struct space_cells;
struct space_gap_sink;
struct space_owner_sink;
struct space_owners;

struct space_sweep {
    /* Filled by the caller. */
    struct format_refcounts *refcounts;
    bool judge; /* they are believed, and compared; else they only say where the file ends */
    unsigned cluster_bits, refcount_bits;
    uint64_t file_bytes;
    struct space_owners *owners;            /* what is to be summed up is 0 */
    const struct space_gap_sink *gap_sinks; /* begun */
    size_t n_gap_sinks;
    const struct space_owner_sink *owner_sink; /* likewise; NULL: none */
    struct format_findings *low, *high; /* where refcounts that are too low, or high, are told */

    uint64_t next;       /* cluster: all before it are done */
    uint64_t counted;    /* if it is behind next: no block counts a cluster in between */
    uint64_t end;        /* behind the last cluster in use */
    uint64_t gap;        /* free clusters just before next */
    uint64_t gap_inside; /* of these, up to the last cluster in use */
    uint64_t overhang;   /* of the last free cluster in use, beyond the end of the file */
    /* Clusters side by side whose refcounts are wrong in the same way; n 0: none. */
    struct {
        uint64_t first, n;
        uint16_t refcount, references;
    } wrong;
};

/* Behind the last cluster that can be referred to: a blob may end behind the end of the file. */
uint64_t space_sweep_end_cluster(const struct space_sweep *sweep);

/*
 * To the end of a window that does not begin before next. @arm: the cells are armed for a second
 * walk, open where one snapshot alone may own the cluster and its refcount agrees.
 */
int space_sweep_window(struct space_sweep *sweep, struct space_cells *cells, bool arm,
                       struct err *err);

/* Nothing comes any more: completes the sums. */
void space_sweep_finish(struct space_sweep *sweep);

#endif
