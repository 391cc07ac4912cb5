/* SPDX-License-Identifier: MIT */
/*
 * Which L2 tables lie on top of other metadata, and which are named more than once. Found before
 * the walk, from the L1 tables alone: so that nothing below a damaged entry is read, and a table
 * that a hostile image names a million times is walked once.
 */
#ifndef TABLES_OVERLAP_H
#define TABLES_OVERLAP_H

#include "metadata.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_entry_rules;
struct format_image;
struct tables_table;

#define TABLES_NOT_REPEATED SIZE_MAX

struct tables_overlap {
    const struct format_metadata *metadata; /* of the image; borrowed from it */
    uint64_t *repeated; /* host offsets of tables named at several L1 indices, rising */
    size_t n_repeated;
    size_t n_tables; /* different L2 tables; a little more if some are repeated */
    bool looked;     /* false: there are too many tables to look at, nothing is known of them */
};

/*
 * Tables that several snapshots share at the same L1 index are as they should be, and not counted
 * as repeated. Release with tables_overlap_free, also on failure.
 */
int tables_overlap_find(struct format_image *image, const struct format_entry_rules *rules,
                        const struct tables_table *tables, size_t n_tables,
                        struct tables_overlap *overlap, struct err *err);

void tables_overlap_free(struct tables_overlap *overlap);

/* The index of a table in repeated, or TABLES_NOT_REPEATED. */
size_t tables_overlap_repeated(const struct tables_overlap *overlap, uint64_t l2_off);

#endif
