/* SPDX-License-Identifier: MIT */
/*
 * Many L1 tables in step: at each L1 index, the different L2 tables that they name there, and how
 * many of them name each. For those who ask which tables there are, not what a disk looks like.
 */
#ifndef SPACE_STEP_H
#define SPACE_STEP_H

#include "cells.h"
#include "entry.h"
#include "l1.h"
#include "overlap.h"
#include "scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_image;

#define SPACE_STEP_TABLES_MAX 1024

/* An L1 table of the image. */
struct space_step_table {
    uint64_t l1_off;
    uint32_t l1_entries;
    uint32_t on_disk; /* entries of the disk; what the others name is VM state */
    uint64_t disk_clusters;
    size_t snapshot;  /* number in the image's list, or TABLE_ACTIVE */
    bool told;        /* damage on the disk is told by others */
};

/* An L2 table that is named at the present index. */
struct space_step_l2 {
    uint64_t l2_off;
    uint32_t weight;        /* L1 tables that name it here */
    enum space_class class; /* the highest among them: active, VM state or snapshot */
    uint32_t owner;         /* number of the table that alone names it here, or SPACE_CELLS_MANY */
    uint32_t member;        /* number of the first one */
    size_t repeated;        /* named at other indices, too: its number, or TABLES_NOT_REPEATED */
    uint32_t told;          /* entries, from its first, of which the damage is told by others */
};

struct space_step_slot {
    uint64_t l2_off;
    uint32_t stamp, at;
};

struct space_step {
    struct format_image *image;
    struct format_entry_rules rules;
    const struct space_step_table *tables; /* of this group, borrowed */
    size_t n_tables;
    size_t first_number; /* of tables[0], among those of all groups */
    struct table *l1_tables;
    struct tables_l1 l1;
    struct tables_overlap overlap;

    struct space_step_l2 *here; /* at the present index */
    size_t n_here;
    uint64_t left_out, untold; /* damaged L1 entries since the begin */

    struct space_step_slot *slots; /* an open hash table that forgets by stamp */
    size_t n_slots;                /* a power of two, at least twice the tables */
    uint32_t stamp;
};

/* A group of at most SPACE_STEP_TABLES_MAX tables. Release with space_step_close, also on failure.
 */
int space_step_open(struct space_step *step, struct format_image *image,
                    const struct space_step_table *tables, size_t n_tables, size_t first_number,
                    struct err *err);
void space_step_close(struct space_step *step);

/* Back to the first index. */
void space_step_rewind(struct space_step *step);

/* To the next window of indices, which has l1.n of them from l1.first on. As tables_l1_next. */
int space_step_next(struct space_step *step, struct err *err);

/* Fills here[] for an index of the window. Tables on top of other metadata are left out. */
void space_step_at(struct space_step *step, uint32_t index);

#endif
