/* SPDX-License-Identifier: MIT */
/*
 * A map made for many questions: cells of equal size over the file, each of which knows at once if
 * all of it lies in one place. So the place of a cluster is mostly one look into memory that stays
 * in the processor's cache, whatever the number of extents.
 */
#ifndef HOST_GRID_H
#define HOST_GRID_H

#include "map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a cell says: the distance from an offset in the file to its place, modulo 2^64, or one of
 * these. Offsets and places are below 2^62, so the two highest bits of a distance are equal, and
 * those of these are not.
 */
#define HOST_CELL_HOLE (UINT64_C(1) << 62) /* nothing in it has a place */
/* Several segments, or one that is encoded: with the index of the one in which it begins. */
#define HOST_CELL_MIXED (HOST_CELL_HOLE | UINT64_C(1) << 61)
#define HOST_CELL_IS_MIXED(cell) ((cell) >> 61 == HOST_CELL_MIXED >> 61)
#define HOST_CELL_SEGMENT(cell) ((size_t)((cell) & ~HOST_CELL_MIXED))
#define HOST_CELL_IS_SHIFT(cell) ((int64_t)((cell) ^ (cell) << 1) >= 0)

#define HOST_GRID_STRIDE 8

struct host_grid {
    const struct host_map *map; /* borrowed */
    unsigned cell_bits;
    uint64_t n_cells; /* without the last one, which stands for all that lies behind */
    uint64_t *cells;  /* [n_cells + 1] */
    uint32_t *first;  /* [n_cells / HOST_GRID_STRIDE + 1]: in which segment each such cell begins */
};

/* @cluster_bytes: no cell is smaller; a power of two. Returns 0 or -ENOMEM. */
int host_grid_init(struct host_grid *grid, const struct host_map *map, uint64_t cluster_bytes);
void host_grid_free(struct host_grid *grid);

static inline uint64_t host_grid_cell_of(const struct host_grid *grid, uint64_t file_off)
{
    uint64_t cell = file_off >> grid->cell_bits;

    return cell < grid->n_cells ? cell : grid->n_cells;
}

/* The segment that holds the byte at @file_off: as host_map_find, but fast. */
size_t host_grid_find(const struct host_grid *grid, uint64_t file_off);

/* The same, from segment @i on: the byte lies in it or not far behind. */
size_t host_grid_find_from(const struct host_grid *grid, size_t i, uint64_t file_off);

#endif
