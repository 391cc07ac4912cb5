/* SPDX-License-Identifier: MIT */
/*
 * A window over the clusters of a file, with a cell for each of them.
 *
 * In a first walk a cell counts the references to its cluster and keeps the highest class among
 * those who refer to it. Armed for a second walk, it keeps the one table that refers to it. Cells
 * are as narrow as will do: 8 bits, or 16 where counts or numbers of tables do not fit.
 */
#ifndef SPACE_CELLS_H
#define SPACE_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The higher one counts where several refer to a cluster. */
enum space_class {
    SPACE_CLASS_SNAPSHOT,
    SPACE_CLASS_VM_STATE,
    SPACE_CLASS_ACTIVE,
    SPACE_CLASS_METADATA
};

#define SPACE_CELLS_COUNT_FULL UINT16_MAX /* a count at its limit: so many or more */
#define SPACE_CELLS_MANY UINT32_MAX       /* in place of the number of a table: several */

struct space_cells {
    uint64_t first, end; /* numbers of clusters, half open */
    uint64_t top;        /* behind the highest one that was referred to; first: none was */
    uint64_t beyond;     /* the lowest one behind the window that was; UINT64_MAX: none */
    bool full;           /* a count has reached its limit */

    bool wide;
    uint64_t capacity;
    void *cells;
};

/* The largest count of a cell, and the largest number of a table. */
static inline uint32_t space_cells_count_max(bool wide)
{
    return wide ? (1u << 14) - 1 : (1u << 6) - 1;
}

static inline uint32_t space_cells_table_max(bool wide)
{
    return wide ? UINT16_MAX - 2 : UINT8_MAX - 2;
}

/*
 * Room for windows of at most @bytes, and of no more than @n_clusters. Returns 0 or -ENOMEM;
 * release with space_cells_free, also then.
 */
int space_cells_init(struct space_cells *cells, uint64_t bytes, uint64_t n_clusters, bool wide);
void space_cells_free(struct space_cells *cells);

/* Empties all cells, and begins a window at @first. */
void space_cells_begin(struct space_cells *cells, uint64_t first);

/* ---- the first walk ---- */

/*
 * Counts @weight references to each of the clusters; those outside the window are noted only.
 * Metadata are to be counted before all else: another class does not touch a cell of theirs.
 * Returns how many such there were.
 */
size_t space_cells_add(struct space_cells *cells, const uint64_t *clusters, size_t n,
                       uint32_t weight, enum space_class class);

/* One reference to each cluster of [begin, end). */
void space_cells_add_metadata(struct space_cells *cells, uint64_t begin, uint64_t end);

bool space_cells_is_metadata(const struct space_cells *cells, uint64_t cluster);

/* The first cluster of [cluster, end) that was referred to; @end, in the window, if none was. */
uint64_t space_cells_next(const struct space_cells *cells, uint64_t cluster, uint64_t end);

/* What was counted for [first, first + n), which lies in the window. */
void space_cells_read(const struct space_cells *cells, uint64_t first, size_t n, uint16_t *counts,
                      uint8_t *classes);

/* ---- the second walk ---- */

enum space_cells_state {
    SPACE_CELLS_CLOSED,        /* several tables refer to the cluster, or none may own it */
    SPACE_CELLS_OPEN,          /* no table refers to it yet */
    SPACE_CELLS_OPEN_METADATA, /* the same; data do not touch it */
};

/* Forgets the counts of [first, first + n), as far as top. */
void space_cells_arm(struct space_cells *cells, uint64_t first, size_t n, const uint8_t *states);

/*
 * @table, or SPACE_CELLS_MANY, refers to these clusters. Those behind top stay as they are. First
 * all metadata, then space_cells_sum_owned, then the data.
 */
void space_cells_own(struct space_cells *cells, const uint64_t *clusters, size_t n, uint32_t table,
                     bool metadata);

/* Adds 1 to counts[table] for each cluster that one table alone refers to, and closes it. */
void space_cells_sum_owned(struct space_cells *cells, uint64_t *counts);

#endif
