/* SPDX-License-Identifier: MIT */
/*
 * Which L2 tables the L1 tables of an image name: at each L1 index the different ones, and who
 * names each. For those who ask which tables there are, not what a disk looks like.
 */
#ifndef SPACE_NAMING_H
#define SPACE_NAMING_H

#include "cells.h"
#include "entry.h"
#include "follow.h"
#include "hash.h"
#include "l1.h"
#include "overlap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_image;
struct tables_table;

#define SPACE_NAMING_TABLES_MAX 1024 /* at a time */
#define SPACE_NAMING_END UINT32_MAX

/* An L1 table of the image. */
struct space_l1_table {
    uint64_t l1_off;
    uint32_t l1_entries;
    uint32_t on_disk; /* entries of the disk; what the others name is VM state */
    uint64_t disk_clusters;
    size_t snapshot; /* number in the image's list, or TABLES_TABLE_ACTIVE */
    bool told;       /* damage on the disk is told by others */
};

/* An L2 table that is named at the present index. */
struct space_named_l2 {
    uint64_t l2_off;
    uint32_t weight;        /* L1 tables that name it here */
    enum space_class class; /* the highest among them: active, VM state or snapshot */
    uint32_t owner;         /* number of the table that alone names it here, or SPACE_CELLS_MANY */
    uint32_t first, last;   /* numbers of the first and the last one, see space_naming_other */
    size_t repeated;        /* named at other indices, too: its number, or TABLES_NOT_REPEATED */
    uint32_t told;          /* entries, from its first, of which the damage is told by others */
    enum tables_bar bar;
};

struct space_naming {
    struct format_image *image;
    struct format_entry_rules rules;
    const struct space_l1_table *tables; /* of this group, borrowed */
    size_t n_tables;
    size_t first_number; /* of tables[0], among those of all groups */
    struct tables_table *l1_tables;
    struct tables_l1 l1;
    struct tables_overlap overlap;

    struct space_named_l2 *here; /* at the present index */
    size_t n_here;
    uint32_t *others;          /* for each table: the next one that names the same */
    uint64_t left_out, untold; /* damaged L1 entries since the begin */

    struct hash found; /* places in here[], by the offsets that L1 entries have */
};

/* A group of at most SPACE_NAMING_TABLES_MAX tables. Release with space_naming_close, also on
 * failure. */
int space_naming_open(struct space_naming *naming, struct format_image *image,
                      const struct space_l1_table *tables, size_t n_tables, size_t first_number,
                      struct err *err);
void space_naming_close(struct space_naming *naming);

/* Back to the first index; or to another one, and no further than to @end. */
void space_naming_rewind(struct space_naming *naming);
void space_naming_rewind_to(struct space_naming *naming, uint32_t first, uint32_t end);

/* To the next window of indices, which has l1.n of them from l1.first on. As tables_l1_next. */
int space_naming_next(struct space_naming *naming, struct err *err);

/* Fills here[] for an index of the window, with what is followed: see follow.h. */
void space_naming_at(struct space_naming *naming, uint32_t index);

/* The table behind @number, one of those that name @l2, which does so too; or SPACE_NAMING_END. */
uint32_t space_naming_other(const struct space_naming *naming, const struct space_named_l2 *l2,
                            uint32_t number);

#endif
