// SPDX-License-Identifier: MIT
/*
 * Owns the quick way of 64 clusters. Where all of them lie in whole cells of the grid, a few plain
 * loops do it; else each is looked at. What comes out is uniform again if it can be.
 */
#include "placing_blocks.h"

#include "bits.h"
#include "clones.h"
#include "grid.h"
#include "placer.h"
#include "request.h"

#include <string.h>

#define BLOCK 64

/* Do all clusters lie in [low, high)? */
CLONES_PART bool all_inside(const uint64_t *begin, uint32_t n, uint64_t cluster_bytes, uint64_t low,
                            uint64_t high)
{
    uint64_t outside = 0;

    for (uint32_t i = 0; i < n; i++)
        outside |= (begin[i] - low) | (high - cluster_bytes - begin[i]);
    return !IS_NEGATIVE(outside);
}

/* What the grid says of 64 clusters. */
struct block {
    uint64_t cells[BLOCK];
    uint64_t places[BLOCK]; /* of those whose cell is a shift */
    bool shifts;            /* all cells are, */
    bool one;               /* and the same one */
    bool holes;             /* all cells are holes */
};

CLONES_PART void look_up(const struct host_grid *grid, const uint64_t begin[BLOCK],
                         struct block *block)
{
    uint64_t first = grid->cells[host_grid_cell_of(grid, begin[0])];
    uint64_t special = 0, differ = 0, no_hole = 0;

    for (unsigned i = 0; i < BLOCK; i++) {
        uint64_t cell = grid->cells[host_grid_cell_of(grid, begin[i])];

        block->cells[i] = cell;
        block->places[i] = begin[i] + cell;
        special |= cell ^ cell << 1;
        differ |= cell ^ first;
        no_hole |= cell ^ HOST_CELL_HOLE;
    }
    block->shifts = !IS_NEGATIVE(special);
    block->one = differ == 0;
    block->holes = no_hole == 0;
}

/*
 * Asks the segments for a cluster in a mixed cell: what lies in one segment gets a shift or a hole
 * for a cell. Mostly it is the first or the second one, and no branch is taken to tell.
 */
CLONES_PART uint64_t settle(const struct host_grid *grid, uint64_t cell, uint64_t begin,
                            uint64_t cluster_bytes)
{
    const struct host_map *map = grid->map;
    size_t i = HOST_CELL_SEGMENT(cell), most = map->n_segments - 1;

    i += i < most && map->segments[i < most ? i + 1 : i].file_off <= begin;
    if (host_map_end(map, i) <= begin)
        i = host_grid_find_from(grid, i, begin);
    if (host_map_end(map, i) - begin < cluster_bytes || map->segments[i].kind == HOST_ENCODED)
        return cell;
    return map->segments[i].kind == HOST_DATA
               ? map->segments[i].physical - map->segments[i].file_off
               : HOST_CELL_HOLE;
}

CLONES_PART void settle_mixed(const struct host_grid *grid, const uint64_t begin[BLOCK],
                              uint64_t cluster_bytes, struct block *block)
{
    unsigned list[BLOCK], n = 0;
    uint64_t special = 0;

    for (unsigned i = 0; i < BLOCK; i++) {
        list[n] = i;
        n += HOST_CELL_IS_MIXED(block->cells[i]);
    }
    for (unsigned i = 0; i < n; i++)
        __builtin_prefetch(&grid->map->segments[HOST_CELL_SEGMENT(block->cells[list[i]])]);
    for (unsigned i = 0; i < n; i++) {
        unsigned at = list[i];

        block->cells[at] = settle(grid, block->cells[at], begin[at], cluster_bytes);
        block->places[at] = begin[at] + block->cells[at];
    }
    for (unsigned i = 0; i < BLOCK; i++)
        special |= block->cells[i] ^ block->cells[i] << 1;
    block->shifts = !IS_NEGATIVE(special);
    block->one = false;
}

/*
 * Bit i: cluster i does not begin where cluster i - 1 ends; bit 0 as if it did. @lapped: a cluster
 * begins inside the one before, as it can where extents are shared: no uniform batch may say that.
 */
CLONES_PART uint64_t find_breaks(const uint64_t begin[BLOCK], uint64_t cluster_bytes, bool *lapped)
{
    uint64_t breaks = 0, some = 0, laps = 0;

    for (unsigned i = 1; i < BLOCK; i++) {
        uint64_t gap = begin[i] - begin[i - 1] - cluster_bytes;

        some |= gap;
        laps |= ~(gap + cluster_bytes - 1) & gap; /* negative: -cluster_bytes < gap < 0 */
    }
    *lapped = IS_NEGATIVE(laps);
    if (some == 0)
        return 0;
    for (unsigned i = 1; i < BLOCK; i++)
        breaks |= (uint64_t)(begin[i] != begin[i - 1] + cluster_bytes) << i;
    return breaks;
}

/* Those of the clusters in @splits that begin inside a request. */
static unsigned count_inside(uint64_t splits, uint64_t guest_off, uint64_t cluster_bytes)
{
    unsigned n = 0;

    for (; splits != 0; splits &= splits - 1)
        n +=
            (guest_off + (unsigned)__builtin_ctzll(splits) * cluster_bytes) % PIECE_REQUEST_BYTES !=
            0;
    return n;
}

/*
 * 64 clusters with places, the first one at @guest_off, as a part of a uniform batch. @begin and
 * @file_breaks: where they lie in the file.
 */
static int add_uniform(struct host_placer *placer, const uint64_t places[BLOCK], uint64_t breaks,
                       const uint64_t begin[BLOCK], uint64_t file_breaks, uint64_t guest_off,
                       unsigned file)
{
    uint64_t splits = breaks & ~file_breaks & ~UINT64_C(1);
    struct piece_batch *out = &placer->out;
    uint64_t cluster_bytes = out->cluster_bytes;
    int ret = 0;

    if (out->n > 0) {
        uint64_t gap = places[0] - out->begin[out->n - 1] - cluster_bytes;

        if (!out->uniform || out->guest_first + out->n * cluster_bytes != guest_off ||
            IS_NEGATIVE(~(gap + cluster_bytes - 1) & gap))
            ret = host_placer_flush(placer);
        breaks |= gap != 0;
        splits |= out->n > 0 && gap != 0 && begin[0] == out->source_end;
    }
    out->splits += count_inside(splits, guest_off, cluster_bytes);
    out->compared += BLOCK;
    out->source_end = begin[BLOCK - 1] + cluster_bytes;
    if (out->n == 0) {
        out->source_begin = begin[0];
        out->uniform = true;
        out->guest_first = guest_off;
        out->file = (uint16_t)file;
    }
    memcpy(&out->begin[out->n], places, BLOCK * sizeof(places[0]));
    out->breaks[out->n / BLOCK] = breaks;
    out->n += BLOCK;
    return ret;
}

/* Clusters in whatever places; those that follow one another in the file go together. */
static int add_stretches(struct host_placer *placer, const uint64_t begin[BLOCK], uint64_t breaks,
                         uint64_t guest_off, unsigned file)
{
    uint64_t cluster_bytes = placer->out.cluster_bytes;
    int ret = 0;

    for (unsigned i = 0, next; i < BLOCK && ret == 0; i = next) {
        for (next = i + 1; next < BLOCK && !(breaks >> next & 1);)
            next++;
        ret = host_placer_add_stretch(placer, file, guest_off + i * cluster_bytes, begin[i],
                                      begin[next - 1] + cluster_bytes);
    }
    return ret;
}

/* The same for clusters that do not, and are settled as far as they can be. */
static int add_each(struct host_placer *placer, const uint64_t begin[BLOCK],
                    const struct block *block, uint64_t guest_off, unsigned file)
{
    uint64_t cluster_bytes = placer->out.cluster_bytes;
    int ret = 0;

    for (unsigned i = 0; i < BLOCK && ret == 0; i++, guest_off += cluster_bytes) {
        uint64_t place = block->places[i];

        placer->out.compared += HOST_CELL_IS_SHIFT(block->cells[i]);
        if (HOST_CELL_IS_SHIFT(block->cells[i]))
            ret = host_placer_add_data(placer, file, guest_off, cluster_bytes, place,
                                       place + cluster_bytes, begin[i]);
        else if (block->cells[i] == HOST_CELL_HOLE)
            placer->out.hole_bytes += cluster_bytes;
        else
            ret = host_placer_add_stretch(placer, file, guest_off, begin[i],
                                          begin[i] + cluster_bytes);
    }
    return ret;
}

/* With so many jumps or more, 64 clusters are worth a look each. */
#define MANY_BREAKS (BLOCK / 4)

CLONES_PART int take_block(struct host_placer *placer, const struct piece_batch *batch, uint32_t at)
{
    const struct host_grid *grid = &placer->placing->grids[batch->file];
    uint64_t guest_off = batch->guest_first + at * batch->cluster_bytes;
    uint64_t breaks = batch->breaks[at / BLOCK] & ~UINT64_C(1);
    const uint64_t *begin = &batch->begin[at];
    bool lapped = false, many = __builtin_popcountll(breaks) >= MANY_BREAKS;
    struct block block;

    look_up(grid, begin, &block);
    if (block.holes) {
        placer->out.hole_bytes += BLOCK * batch->cluster_bytes;
        return 0;
    }
    if (!block.shifts && many)
        settle_mixed(grid, begin, batch->cluster_bytes, &block);
    if (block.shifts && !block.one)
        breaks = find_breaks(block.places, batch->cluster_bytes, &lapped);
    if (block.shifts && !lapped)
        return add_uniform(placer, block.places, breaks, begin, batch->breaks[at / BLOCK],
                           guest_off, batch->file);
    return many ? add_each(placer, begin, &block, guest_off, batch->file)
                : add_stretches(placer, begin, breaks, guest_off, batch->file);
}

/* All clusters lie in the segment of the first one. */
CLONES_PART bool take_in_one_segment(struct host_placer *placer, const struct piece_batch *batch)
{
    struct piece_batch *out = &placer->out;
    const struct host_map *map = placer->placing->grids[batch->file].map;
    const struct host_segment *segment;
    uint64_t end, shift;

    host_placer_part(placer, batch->file, batch->begin[0], batch->begin[0] + 1); /* finds it */
    segment = &map->segments[placer->segment];
    end = host_map_end(map, placer->segment);
    if (segment->kind == HOST_ENCODED ||
        !all_inside(batch->begin, batch->n, batch->cluster_bytes, segment->file_off,
                    end < HOST_PLACED_END ? end : HOST_PLACED_END))
        return false;
    if (segment->kind != HOST_DATA) {
        out->hole_bytes += batch->n * batch->cluster_bytes;
        return true;
    }
    out->uniform = true;
    out->guest_first = batch->guest_first;
    out->file = batch->file;
    out->n = batch->n;
    out->compared += batch->n;
    out->source_begin = batch->begin[0];
    out->source_end = batch->begin[batch->n - 1] + batch->cluster_bytes;
    shift = segment->physical - segment->file_off;
    for (uint32_t i = 0; i < batch->n; i++)
        out->begin[i] = batch->begin[i] + shift;
    memcpy(out->breaks, batch->breaks, sizeof(out->breaks));
    return true;
}

CLONES int host_placing_blocks(struct host_placer *placer, const struct piece_batch *batch)
{
    int ret = 0;

    if (take_in_one_segment(placer, batch))
        return 0;
    for (uint32_t at = 0; at < batch->n && ret == 0; at += BLOCK)
        ret = take_block(placer, batch, at);
    return ret;
}
