/* SPDX-License-Identifier: MIT */
/*
 * An L1 table of an image, and what a walk through it gives: made here of where the header and the
 * list of snapshots say that the tables of the active state and of a snapshot are.
 */
#ifndef TABLES_TABLE_H
#define TABLES_TABLE_H

#include "counts.h"
#include "finding.h"
#include "lost.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct format_image;

#define TABLES_TABLE_ACTIVE SIZE_MAX /* in place of the index of a snapshot */

struct tables_table {
    uint64_t l1_off; /* host offset; the table lies inside the file */
    uint32_t l1_entries;
    uint64_t virtual_bytes; /* the walk ends there */
    bool active;            /* of the active state; else of a snapshot, or of a layer below */
    bool whole_l1;          /* also count what lies beyond, for the formula of qemu-img check */
    char name[40];          /* "", "snapshot[2] " or "backing[1] ": begins a finding's place */

    /* Filled by a walk. */
    bool walked;
    struct piece_counts counts;
    struct piece_lost lost;          /* with what is mapped by L1 entries that are left out */
    struct format_findings findings; /* free with format_findings_free, also on failure */
};

/* The table of the active state; the whole of it, saved VM state included. */
struct tables_table tables_table_of_active(const struct format_image *image);

/* That of a readable snapshot, by its index in the image's list, or of TABLES_TABLE_ACTIVE. */
struct tables_table tables_table_of_snapshot(const struct format_image *image, size_t index);

/* The same as far as the disk goes: without VM state, which is no part of a disk or a layer. */
struct tables_table table_of_disk(struct tables_table whole);

/* Would a walk through both give the same? Snapshots of an unchanged disk may have one table. */
bool tables_table_is_same(const struct tables_table *one, const struct tables_table *other);

#endif
