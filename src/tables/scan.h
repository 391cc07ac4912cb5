/* SPDX-License-Identifier: MIT */
/*
 * Walks the guest disk through one or several L1 tables of an image at once, in guest order.
 *
 * The tables (the active one and those of snapshots) go in step: at each L1 index, an L2 table
 * that several of them share is read and walked once, for all of them. A table that a damaged
 * image names at many L1 indices is walked once, too: so the work is bounded by what the file
 * holds, whatever its tables say.
 */
#ifndef TABLES_SCAN_H
#define TABLES_SCAN_H

#include "batch.h"
#include "l2.h"
#include "table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_image;

#define TABLES_SCAN_MAX 64 /* in one scan */

/* Tables that name an L2 table, as indices in rising order. Borrowed for the call. */
struct tables_members {
    const size_t *list;
    size_t n;
};

/*
 * Gets the pieces. For each L2 table the scan calls begin, hands batches to the sink that it
 * returned, and calls end; each table of the scan sees its L2 tables in guest order.
 *
 * @keep is the number of a table that will be met again, or TABLES_NOT_KEPT. A visitor with @again
 * remembers, at end, what came between for that number; @again then stands for the whole walk,
 * @shift bytes further on the guest disk.
 */
struct tables_visitor {
    void *context;
    struct piece_sink (*begin)(void *context, struct tables_members members, size_t keep);
    int (*end)(void *context, struct tables_members members, size_t keep); /* may be NULL */
    int (*again)(void *context, struct tables_members members, size_t kept, uint64_t shift);
    enum tables_pieces pieces;
    /* Without @again: tables named several times are walked so often, all in all. 0: no limit. */
    uint32_t most_repeats;
};

#define TABLES_NOT_KEPT SIZE_MAX
#define TABLES_KEPT_MAX 256 /* different numbers; what is named again beyond that is left out */

/*
 * What is found out once for all parts of a scan: rules, overlaps. Shared by threads, changed by
 * none. @tables are borrowed (only what the caller fills is looked at) until tables_plan_free.
 */
struct tables_plan;

int tables_plan_new(struct format_image *image, const struct tables_table *tables, size_t n_tables,
                    struct tables_span span, enum tables_pieces pieces, struct tables_plan **plan,
                    struct err *err);
void tables_plan_free(struct tables_plan *plan);

/* The scan goes over the L1 indices from this one to, not with, that one, */
uint32_t tables_plan_first(const struct tables_plan *plan);
uint32_t tables_plan_end(const struct tables_plan *plan);
/* and over so many bytes of L2 tables, holes included. */
uint64_t tables_plan_l2_bytes(const struct tables_plan *plan);
/* Could overlaps be looked for? */
bool tables_plan_looked(const struct tables_plan *plan);

/* A place to scan parts in, for one thread at a time. NULL without memory. */
struct tables_scan *tables_scan_new(const struct tables_plan *plan);
void tables_scan_free(struct tables_scan *scan);

/*
 * The L1 indices [first, end). Adds to the counts, losses and findings of @tables, which are like
 * those of the plan. Numbers of kept tables mean the same within a part, and nothing in another.
 */
int tables_scan_part(struct tables_scan *scan, uint32_t first, uint32_t end,
                     struct tables_table *tables, const struct tables_visitor *visitor,
                     struct err *err);

/* All of it, in one part. Reads the image only through its io. */
int tables_scan(struct format_image *image, struct tables_table *tables, size_t n_tables,
                const struct tables_visitor *visitor, struct err *err);

#endif
