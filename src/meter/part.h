/* SPDX-License-Identifier: MIT */
/* The meters of one part of a walk: what a thread fills on its own. */
#ifndef METER_PART_H
#define METER_PART_H

#include "pair.h"
#include "scan.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct format_header;
struct meter_kept;
struct run_stage;

struct meter_part {
    const struct format_header *header;
    size_t n_tables;
    struct run_table *tables;      /* with the counts and findings of this part */
    const struct run_stage *stage; /* may be NULL */
    void *stage_state;
    struct meter_pair *meters;
    struct meter_pair shared; /* with several tables, for each L2 table; made when first needed */
    struct meter_pair *into;  /* where pieces go */
    struct meter_kept **kept; /* [RUN_KEPT_MAX], for L2 tables named several times; likewise */
};

/* NULL without memory. */
struct meter_part *meter_part_new(const struct format_header *header,
                                  const struct run_table *tables, size_t n_tables,
                                  const struct run_stage *stage);
void meter_part_free(struct meter_part *part);

/* Forgets everything, keeps the memory. */
void meter_part_clear(struct meter_part *part);

/* Scans the L1 indices [first, end) into this part. */
int meter_part_scan(struct meter_part *part, struct run_scan *scan, uint32_t first, uint32_t end,
                    struct err *err);

/* The pieces of @right follow those of @left. @right is to be cleared or freed next. */
void meter_part_merge(struct meter_part *left, struct meter_part *right);

#endif
