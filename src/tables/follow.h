/* SPDX-License-Identifier: MIT */
/*
 * The one rule which L1 entries are followed to an L2 table: what the entry itself says
 * (format/entry.h), and what a look at all tables of the image has shown (overlap.h). Whoever
 * follows may stop earlier, to bound his work, but never goes further.
 */
#ifndef TABLES_FOLLOW_H
#define TABLES_FOLLOW_H

#include "entry.h"

#include <stddef.h>
#include <stdint.h>

struct tables_overlap;

/* Why nothing is read below an entry. */
enum tables_bar {
    TABLES_NO_BAR,        /* follow it */
    TABLES_BAR_NOWHERE,   /* it points nowhere */
    TABLES_BAR_PLACE,     /* where it points no table can be, see damage */
    TABLES_BAR_METADATA,  /* there lie other metadata */
    TABLES_BAR_DATA_FILE, /* others name the table as well, which cannot be with a data file: each
                             guest cluster has one place there. The reference itself counts. */
};

struct tables_followed {
    enum tables_bar bar;
    enum format_finding_code damage; /* of the entry alone, or FORMAT_SOUND */
    uint64_t l2_off;   /* host offset of the table that it refers to; 0 with the first three bars */
    size_t repeated;   /* number of a table named at several L1 indices, or TABLES_NOT_REPEATED */
    const char *under; /* with TABLES_BAR_METADATA: what they are called */
};

/* Of an entry in host byte order. A pure function. */
struct tables_followed tables_follow(const struct tables_overlap *overlap,
                                     const struct format_entry_rules *rules, uint64_t raw);

#endif
