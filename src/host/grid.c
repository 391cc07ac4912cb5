// SPDX-License-Identifier: MIT
/* Owns the size of the cells: small enough to be mostly of one place, few enough to stay near. */
#include "grid.h"

#include "search.h"

#include <errno.h>
#include <stdlib.h>

#define CELLS_MIN (UINT64_C(1) << 14) /* 136 KiB: in a second-level cache */
#define CELLS_MAX (UINT64_C(1) << 19) /* 4 MiB: in a third-level cache */
#define CELLS_FOR_SEGMENT 16          /* so that most cells are of one segment */

/* Where the last placed segment ends: all behind is a hole. */
static uint64_t placed_end(const struct host_map *map)
{
    size_t n = map->n_segments;

    while (n > 0 && !host_kind_is_placed(map->segments[n - 1].kind))
        n--;
    return n > 0 ? host_map_end(map, n - 1) : 0;
}

static void choose_cells(struct host_grid *grid, uint64_t cluster_bytes)
{
    uint64_t wanted = CELLS_MIN, end = placed_end(grid->map);

    while (wanted < CELLS_MAX && wanted < CELLS_FOR_SEGMENT * (uint64_t)grid->map->n_segments)
        wanted *= 2;
    grid->cell_bits = (unsigned)__builtin_ctzll(cluster_bytes);
    while (end >> grid->cell_bits >= wanted)
        grid->cell_bits++;
    grid->n_cells = (end >> grid->cell_bits) + (end > 0);
}

/* @segment holds the first byte of the cell that ends at @end. */
static uint64_t cell_of(const struct host_map *map, size_t segment, uint64_t end)
{
    const struct host_segment *only = &map->segments[segment];

    if (host_map_end(map, segment) < end || only->kind == HOST_ENCODED)
        return HOST_CELL_MIXED | segment;
    return only->kind == HOST_DATA ? only->physical - only->file_off : HOST_CELL_HOLE;
}

int host_grid_init(struct host_grid *grid, const struct host_map *map, uint64_t cluster_bytes)
{
    size_t segment = 0;

    *grid = (struct host_grid){.map = map};
    choose_cells(grid, cluster_bytes);
    grid->cells = malloc((grid->n_cells + 1) * sizeof(*grid->cells));
    grid->first = malloc((grid->n_cells / HOST_GRID_STRIDE + 1) * sizeof(*grid->first));
    if (grid->cells == NULL || grid->first == NULL) {
        host_grid_free(grid);
        return -ENOMEM;
    }
    for (uint64_t i = 0; i < grid->n_cells; i++) {
        uint64_t begin = i << grid->cell_bits;

        while (host_map_end(map, segment) <= begin)
            segment++;
        if (i % HOST_GRID_STRIDE == 0)
            grid->first[i / HOST_GRID_STRIDE] = (uint32_t)segment;
        grid->cells[i] = cell_of(map, segment, begin + (UINT64_C(1) << grid->cell_bits));
    }
    if (grid->n_cells % HOST_GRID_STRIDE == 0)
        grid->first[grid->n_cells / HOST_GRID_STRIDE] =
            (uint32_t)host_map_find(map, grid->n_cells << grid->cell_bits);
    grid->cells[grid->n_cells] = HOST_CELL_HOLE;
    return 0;
}

void host_grid_free(struct host_grid *grid)
{
    free(grid->cells);
    free(grid->first);
    *grid = (struct host_grid){0};
}

/* In steps that double, and back by halves: many segments in one cell cost little more than one. */
size_t host_grid_find_from(const struct host_grid *grid, size_t i, uint64_t file_off)
{
    const struct host_segment *segments = grid->map->segments;
    size_t n = grid->map->n_segments, stride = 1, high;

    while (i + stride < n && segments[i + stride].file_off <= file_off) {
        i += stride;
        stride *= 2;
    }
    high = i + stride < n ? i + stride : n; /* it is in [i, high) */
    return search_first(k, i + 1, high, segments[k].file_off <= file_off) - 1;
}

size_t host_grid_find(const struct host_grid *grid, uint64_t file_off)
{
    uint64_t cell = host_grid_cell_of(grid, file_off);
    size_t from = HOST_CELL_IS_MIXED(grid->cells[cell]) ? HOST_CELL_SEGMENT(grid->cells[cell])
                                                        : grid->first[cell / HOST_GRID_STRIDE];

    return host_grid_find_from(grid, from, file_off);
}
