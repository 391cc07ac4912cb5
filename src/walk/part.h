/* SPDX-License-Identifier: MIT */
/* The meters of one part of a walk: what a thread fills on its own. */
#ifndef WALK_PART_H
#define WALK_PART_H

#include "scan.h"
#include "set.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct format_header;
struct walk_kept;
struct walk_options;
struct piece_stage;

struct walk_part {
    const struct format_header *header;
    size_t n_tables;
    struct tables_table *tables; /* with the counts and findings of this part */
    const struct walk_options *options;
    const struct piece_stage *stage; /* of them; may be NULL */
    void *stage_state;
    struct meter_set *meters;
    struct meter_set shared; /* for each L2 table of several; made when first needed */
    struct meter_set *into;  /* where pieces go */
    struct walk_kept **kept; /* [TABLES_KEPT_MAX], for L2 tables named several times; likewise */
};

/* NULL without memory. @options: stage, rewrite and span are looked at; borrowed. */
struct walk_part *walk_part_new(const struct format_header *header,
                                const struct tables_table *tables, size_t n_tables,
                                const struct walk_options *options);
void walk_part_free(struct walk_part *part);

/* Forgets everything, keeps the memory. */
void walk_part_clear(struct walk_part *part);

/* Scans the L1 indices [first, end) into this part. */
int walk_part_scan(struct walk_part *part, struct tables_scan *scan, uint32_t first, uint32_t end,
                   struct err *err);

/* The pieces of @right follow those of @left. @right is to be cleared or freed next. */
void walk_part_merge(struct walk_part *left, struct walk_part *right);

#endif
