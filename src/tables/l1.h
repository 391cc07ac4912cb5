/* SPDX-License-Identifier: MIT */
/* Windows of several L1 tables, moved along in step. */
#ifndef TABLES_L1_H
#define TABLES_L1_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct format_image;
struct tables_table;

/* Where the walk through one table is. */
struct tables_l1_place {
    uint32_t entries;
    uint32_t next;                 /* index: no entry before it, from the window's first on */
    uint64_t hole_begin, hole_end; /* the last hole of the file that was met */
};

struct tables_l1 {
    struct format_image *image;
    const struct tables_table *tables; /* borrowed */
    size_t n_tables;
    uint32_t end;                   /* of the walk: no table has an entry from here on */
    uint32_t first, n;              /* the window */
    uint32_t window_entries;        /* its most */
    unsigned char *bytes;           /* n_tables times window_entries entries, as in the file */
    struct tables_l1_place *places; /* of each table */
    uint64_t hole_begin, hole_end;  /* the last hole that was looked for, for any of them, */
    uint64_t file_bytes;            /* and where the file ended then, if no data follow */
    size_t *live; /* the tables with an entry in the window that is not 0, rising */
    size_t n_live;
};

/* Release with tables_l1_free, also on failure. */
int tables_l1_init(struct tables_l1 *l1, struct format_image *image,
                   const struct tables_table *tables, size_t n_tables, struct err *err);
void tables_l1_free(struct tables_l1 *l1);

/* L1 entries of @table that a walk looks at: those of the disk, or all of them. */
uint32_t tables_l1_entries(const struct format_image *image, const struct tables_table *table);

/* Begins anew, over [first, end) only; @end is at most that of the longest table. */
void tables_l1_set_range(struct tables_l1 *l1, uint32_t first, uint32_t end);

/*
 * Moves to the next window in which a table may have an entry, the first one to begin with: where
 * the file has holes there are none, and nothing is read. 1; 0 behind the last; or -errno.
 */
int tables_l1_next(struct tables_l1 *l1, struct err *err);

/* A hash of all entries of the tables that a walk would look at: to notice a change. */
int tables_l1_hash(struct format_image *image, const struct tables_table *tables, size_t n_tables,
                   uint64_t *hash, struct err *err);

/* The entry of a live table at an index inside the window, in host byte order; 0 behind its end. */
uint64_t tables_l1_entry(const struct tables_l1 *l1, size_t table, uint32_t index);

#endif
