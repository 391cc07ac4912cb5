/* SPDX-License-Identifier: MIT */
/*
 * Walks the guest disk through one or several L1 tables of an image at once, in guest order.
 *
 * The tables (the active one and those of snapshots) go in step: at each L1 index, an L2 table
 * that several of them share is read and walked once, for all of them.
 */
#ifndef RUN_SCAN_H
#define RUN_SCAN_H

#include "batch.h"
#include "counts.h"
#include "finding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_image;

struct run_table {
    /* Filled by the caller. */
    uint64_t l1_off; /* host offset; the table lies inside the file */
    uint32_t l1_entries;
    uint64_t virtual_bytes; /* the walk ends there */
    bool whole_l1;          /* also count what lies beyond, for the formula of qemu-img check */
    char name[40];          /* "" or "snapshot 2 ": begins the place of a finding */

    /* Filled by the scan. */
    struct run_counts counts;
    struct format_findings findings; /* free with format_findings_free, also on failure */
};

/*
 * Gets the pieces. For each L2 table the scan calls begin, hands batches to the sink that it
 * returned, and calls end. @members are the indices of the tables that share this L2 table, in
 * rising order; each table sees its L2 tables in guest order.
 */
struct run_visitor {
    void *context;
    struct run_sink (*begin)(void *context, const size_t *members, size_t n_members);
    void (*end)(void *context, const size_t *members, size_t n_members); /* may be NULL */
    bool detail; /* pieces for zero clusters, too, and for each stretch of subclusters */
};

/* Called now and then with the part of the work that is done, 0 .. 1. */
struct run_progress {
    void (*report)(void *context, double done); /* NULL: nobody asks */
    void *context;
};

/* Reads the image only through its io. Memory does not depend on the size of the image. */
int run_scan(struct format_image *image, struct run_table *tables, size_t n_tables,
             const struct run_visitor *visitor, const struct run_progress *progress,
             struct err *err);

#endif
