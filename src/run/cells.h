/* SPDX-License-Identifier: MIT */
/*
 * A window over the clusters of a file, with a cell for each of them.
 *
 * In a first walk a cell counts the references to its cluster and keeps the highest class among
 * those who refer to it. Armed for a second walk, it keeps the one table that refers to it. Cells
 * are as narrow as will do: 8 bits, or 16 where counts or numbers of tables do not fit.
 */
#ifndef RUN_CELLS_H
#define RUN_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The higher one counts where several refer to a cluster. */
enum run_class { RUN_CLASS_SNAPSHOT, RUN_CLASS_VM_STATE, RUN_CLASS_ACTIVE, RUN_CLASS_METADATA };

#define RUN_CELLS_COUNT_FULL UINT16_MAX /* a count at its limit: so many or more */
#define RUN_CELLS_MANY UINT32_MAX       /* in place of the number of a table: several */

struct run_cells {
    uint64_t first, end; /* numbers of clusters, half open */
    uint64_t top;        /* behind the highest one that was referred to; first: none was */
    uint64_t beyond;     /* the lowest one behind the window that was; UINT64_MAX: none */
    bool full;           /* a count has reached its limit */

    bool wide;
    uint64_t capacity;
    void *cells;
};

/* The largest count of a cell, and the largest number of a table. */
static inline uint32_t run_cells_count_max(bool wide)
{
    return wide ? (1u << 14) - 1 : (1u << 6) - 1;
}

static inline uint32_t run_cells_table_max(bool wide)
{
    return wide ? UINT16_MAX - 2 : UINT8_MAX - 2;
}

/*
 * Room for windows of at most @bytes, and of no more than @n_clusters. Returns 0 or -ENOMEM;
 * release with run_cells_free, also then.
 */
int run_cells_init(struct run_cells *cells, uint64_t bytes, uint64_t n_clusters, bool wide);
void run_cells_free(struct run_cells *cells);

/* Empties all cells, and begins a window at @first. */
void run_cells_begin(struct run_cells *cells, uint64_t first);

/* ---- the first walk ---- */

/*
 * Counts @weight references to each of the clusters; those outside the window are noted only.
 * Metadata are to be counted before all else: another class does not touch a cell of theirs.
 * Returns how many such there were.
 */
size_t run_cells_add(struct run_cells *cells, const uint64_t *clusters, size_t n, uint32_t weight,
                     enum run_class class);

/* One reference to each cluster of [begin, end). */
void run_cells_add_metadata(struct run_cells *cells, uint64_t begin, uint64_t end);

bool run_cells_is_metadata(const struct run_cells *cells, uint64_t cluster);

/* What was counted for [first, first + n), which lies in the window. */
void run_cells_read(const struct run_cells *cells, uint64_t first, size_t n, uint16_t *counts,
                    uint8_t *classes);

/* ---- the second walk ---- */

enum run_cells_state {
    RUN_CELLS_CLOSED,        /* several tables refer to the cluster, or none may own it */
    RUN_CELLS_OPEN,          /* no table refers to it yet */
    RUN_CELLS_OPEN_METADATA, /* the same; data do not touch it */
};

/* Forgets the counts of [first, first + n), as far as top. */
void run_cells_arm(struct run_cells *cells, uint64_t first, size_t n, const uint8_t *states);

/*
 * @table, or RUN_CELLS_MANY, refers to these clusters. Those behind top stay as they are. First all
 * metadata, then run_cells_sum_owned, then the data.
 */
void run_cells_own(struct run_cells *cells, const uint64_t *clusters, size_t n, uint32_t table,
                   bool metadata);

/* Adds 1 to counts[table] for each cluster that one table alone refers to, and closes it. */
void run_cells_sum_owned(struct run_cells *cells, uint64_t *counts);

#endif
