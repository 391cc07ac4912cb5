// SPDX-License-Identifier: MIT
/*
 * Owns the way of pieces through extents. Knows nothing of entries and judges no step.
 *
 * Uniform batches go 64 pieces at a time. Where all of them lie in whole cells of the grid, a few
 * plain loops do it; else each piece is looked at. What comes out is uniform again if it can be.
 */
#include "placing.h"

#include "clones.h"
#include "grid.h"
#include "request.h"
#include "sector.h"
#include "stretch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 64
#define UNIT_BYTES 4096 /* of host file systems: most extents are multiples of it */

/* A place in the sign of a number: see tables/l2.c. Offsets and places stay below 2^62. */
#define IS_NEGATIVE(n) ((int64_t)(n) < 0)

struct placing {
    unsigned n_files;
    unsigned *cluster_bits;   /* [n_files] of what the file holds: what counts as a piece */
    struct host_grid grids[]; /* [n_files] */
};

struct state {
    const struct placing *placing;
    struct piece_sink sink;
    struct piece_batch out;
    /* The segment that was met last: a guess, and no more. */
    unsigned file;
    size_t segment;
};

/* ---- the batch under construction ---- */

static int flush(struct state *state)
{
    struct piece_batch *out = &state->out;
    int ret = piece_batch_is_empty(out) ? 0 : state->sink.take(state->sink.context, out);

    piece_batch_clear(out);
    return ret;
}

/* Does a piece go on on the device where the last one of the batch ends? */
static bool follows(const struct piece_batch *out, const struct piece *piece)
{
    uint64_t begin = out->begin[out->n - 1], end = out->end[out->n - 1];

    if (piece->kind != PIECE_COMPRESSED)
        return piece->begin == end;
    return piece->begin > begin && piece->begin <= end && piece->begin + SECTOR_BYTES >= end;
}

/* A piece whose bytes are [source, source_end) of the file, see piece/batch.h. */
static int add_piece(struct state *state, const struct piece *piece, uint64_t source,
                     uint64_t source_end)
{
    struct piece_batch *out = &state->out;
    int ret = 0;

    if (out->n == PIECE_BATCH_MAX || (out->n > 0 && out->uniform))
        ret = flush(state);
    out->uniform = false;
    if (out->n == 0)
        out->source_begin = source;
    else if (source == out->source_end && source != PIECE_NO_SOURCE &&
             out->files[out->n - 1] == piece->file &&
             out->guest_off[out->n - 1] + out->guest_bytes[out->n - 1] == piece->guest_off &&
             piece->guest_off % PIECE_REQUEST_BYTES != 0)
        out->splits += !follows(out, piece);
    out->source_end = source_end;
    piece_batch_add(out, piece);
    return ret;
}

/* ---- stretches of the file ---- */

/* A stretch of the file that lies in one segment, and its place there if it has one. */
struct part {
    uint64_t bytes;
    bool placed;
    uint64_t begin, end; /* on the device */
};

/* The first part of [off, end) of file number @file. */
static struct part next_part(struct state *state, unsigned file, uint64_t off, uint64_t end)
{
    const struct host_grid *grid = &state->placing->grids[file];
    const struct host_map *map = grid->map;
    size_t i = state->segment;
    struct part part;

    if (file != state->file || map->segments[i].file_off > off || host_map_end(map, i) <= off) {
        i = host_grid_find(grid, off);
        state->file = file;
        state->segment = i;
    }
    if (end > host_map_end(map, i))
        end = host_map_end(map, i);
    part = (struct part){.bytes = end - off, .placed = host_kind_is_placed(map->segments[i].kind)};
    if (part.placed) {
        part.begin = host_map_place(map, i, off);
        part.end = host_map_place(map, i, end);
    }
    return part;
}

/* Reads of table go before pieces; those in several places are batches of their own. */
static int add_table(struct state *state, const struct piece_batch *batch)
{
    uint64_t off = batch->table_off, end = off + batch->table_bytes;
    int ret = 0;

    while (off < end && ret == 0) {
        struct part part = next_part(state, batch->table_file, off, end);

        off += part.bytes;
        if (!part.placed)
            continue;
        if (state->out.table_bytes > 0)
            ret = flush(state);
        state->out.table_file = batch->table_file;
        state->out.table_off = part.begin;
        state->out.table_bytes = part.end - part.begin;
    }
    return ret;
}

/* A blob that is read again: part by part, with the way back to the first one. */
static int add_again(struct state *state, const struct piece_batch *batch)
{
    uint64_t off = batch->again_off, end = off + batch->again_bytes;
    uint64_t blob_bytes = 0, stop = PIECE_NO_SOURCE;
    int ret = 0;

    for (uint64_t at = off; at < end;) {
        struct part part = next_part(state, batch->again_file, at, end);

        at += part.bytes;
        blob_bytes += part.end - part.begin;
    }
    while (off < end && ret == 0) {
        struct part part = next_part(state, batch->again_file, off, end);

        off += part.bytes;
        if (part.begin == part.end) /* has no place */
            continue;
        state->out.again_file = batch->again_file;
        state->out.again_off = part.begin;
        state->out.again_bytes = part.end - part.begin;
        state->out.again_blob_bytes = blob_bytes;
        blob_bytes = 0;
        state->out.splits += stop != PIECE_NO_SOURCE && stop != part.begin;
        stop = part.end;
        ret = flush(state);
    }
    return ret;
}

static int add_data(struct state *state, unsigned file, uint64_t guest_off, uint64_t bytes,
                    uint64_t begin, uint64_t end, uint64_t source)
{
    return add_piece(state,
                     &(struct piece){.kind = PIECE_DATA,
                                     .guest_off = guest_off,
                                     .guest_bytes = bytes,
                                     .begin = begin,
                                     .end = end,
                                     .mapped_bytes = bytes,
                                     .file = (uint16_t)file},
                     source, source + bytes);
}

/* Pieces of clusters in [begin, end) of a file. */
static uint64_t count_clusters(const struct state *state, unsigned file, uint64_t begin,
                               uint64_t end)
{
    unsigned bits = state->placing->cluster_bits[file];

    return ((end - 1) >> bits) - (begin >> bits) + 1;
}

/*
 * A stretch of the guest disk that lies byte by byte in [begin, end) of the file: clusters that
 * follow one another, or less than one. Those that do so on the device as well are one piece, but
 * for the last one: where the next step is judged from is where that one begins.
 */
static int add_stretch(struct state *state, unsigned file, uint64_t guest_off, uint64_t begin,
                       uint64_t end)
{
    const uint64_t in_cluster = state->out.cluster_bytes - 1;
    int ret = 0;

    for (uint64_t off = begin; off < end && ret == 0;) {
        struct part part = next_part(state, file, off, end);
        uint64_t last = (off + part.bytes - 1) & ~in_cluster;

        if (!part.placed)
            state->out.hole_bytes += part.bytes;
        else
            state->out.compared += count_clusters(state, file, off, off + part.bytes);
        if (part.placed && last > off) {
            struct part before = next_part(state, file, off, last);

            ret = add_data(state, file, guest_off, before.bytes, before.begin, before.end, off);
            guest_off += before.bytes;
            off += before.bytes;
            part.bytes -= before.bytes;
            part.begin = before.end;
        }
        if (part.placed && ret == 0)
            ret = add_data(state, file, guest_off, part.bytes, part.begin, part.end, off);
        guest_off += part.bytes;
        off += part.bytes;
    }
    return ret;
}

/* The guest bytes before @at bytes of a blob of @bytes. Both factors have 32 bits at most. */
static uint64_t share(const struct piece *blob, uint64_t at)
{
    return blob->mapped_bytes * at / (blob->end - blob->begin);
}

static int add_blob(struct state *state, const struct piece *blob)
{
    uint64_t off = blob->begin;
    int ret = 0;

    while (off < blob->end && ret == 0) {
        struct part part = next_part(state, blob->file, off, blob->end);
        uint64_t from = share(blob, off - blob->begin);
        uint64_t bytes = share(blob, off + part.bytes - blob->begin) - from;

        if (part.placed) {
            bool first = off == blob->begin, last = off + part.bytes == blob->end;
            const struct piece piece = {.kind = PIECE_COMPRESSED,
                                        .guest_off = blob->guest_off + from,
                                        .guest_bytes = bytes,
                                        .begin = part.begin,
                                        .end = part.end,
                                        .mapped_bytes = bytes,
                                        .slack = last ? blob->slack : 0,
                                        .file = blob->file};

            state->out.compared++;
            ret = add_piece(state, &piece, first ? PIECE_NO_SOURCE : off,
                            last ? PIECE_NO_SOURCE : off + part.bytes);
        } else {
            state->out.hole_bytes += bytes;
        }
        off += part.bytes;
    }
    return ret;
}

/* The stretches of a cluster that are held. */
static int add_cluster(struct state *state, const struct piece *piece)
{
    uint64_t part_bytes = (piece->end - piece->begin) / PIECE_SUBCLUSTERS;
    struct piece_stretch stretch = {0};
    int ret = 0;

    if (piece->missing == 0)
        return add_stretch(state, piece->file, piece->guest_off, piece->begin, piece->end);
    while (ret == 0 && piece_next_stretch(~piece->missing, 0, &stretch))
        if (stretch.alloc)
            ret = add_stretch(state, piece->file, piece->guest_off + stretch.first * part_bytes,
                              piece->begin + stretch.first * part_bytes,
                              piece->begin + stretch.end * part_bytes);
    return ret;
}

static int take_general(struct state *state, const struct piece_batch *batch)
{
    int ret = 0;

    if (batch->goes_on && batch->n > 0 &&
        next_part(state, batch->files[0], batch->begin[0], batch->end[0]).placed)
        state->out.compared--;
    for (uint32_t i = 0; i < batch->n && ret == 0; i++) {
        struct piece piece = piece_batch_piece(batch, i);

        if (piece.kind == PIECE_COMPRESSED)
            ret = add_blob(state, &piece);
        else if (piece.kind == PIECE_DATA)
            ret = add_cluster(state, &piece);
    }
    return ret;
}

/* ---- 64 clusters at a time ---- */

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
        n += (guest_off + (unsigned)__builtin_ctzll(splits) * cluster_bytes) % PIECE_REQUEST_BYTES != 0;
    return n;
}

/*
 * 64 clusters with places, the first one at @guest_off, as a part of a uniform batch. @begin and
 * @file_breaks: where they lie in the file.
 */
static int add_uniform(struct state *state, const uint64_t places[BLOCK], uint64_t breaks,
                       const uint64_t begin[BLOCK], uint64_t file_breaks, uint64_t guest_off,
                       unsigned file)
{
    uint64_t splits = breaks & ~file_breaks & ~UINT64_C(1);
    struct piece_batch *out = &state->out;
    uint64_t cluster_bytes = out->cluster_bytes;
    int ret = 0;

    if (out->n > 0) {
        uint64_t gap = places[0] - out->begin[out->n - 1] - cluster_bytes;

        if (!out->uniform || out->guest_first + out->n * cluster_bytes != guest_off ||
            IS_NEGATIVE(~(gap + cluster_bytes - 1) & gap))
            ret = flush(state);
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
static int add_stretches(struct state *state, const uint64_t begin[BLOCK], uint64_t breaks,
                         uint64_t guest_off, unsigned file)
{
    uint64_t cluster_bytes = state->out.cluster_bytes;
    int ret = 0;

    for (unsigned i = 0, next; i < BLOCK && ret == 0; i = next) {
        for (next = i + 1; next < BLOCK && !(breaks >> next & 1);)
            next++;
        ret = add_stretch(state, file, guest_off + i * cluster_bytes, begin[i],
                          begin[next - 1] + cluster_bytes);
    }
    return ret;
}

/* The same for clusters that do not, and are settled as far as they can be. */
static int add_each(struct state *state, const uint64_t begin[BLOCK], const struct block *block,
                    uint64_t guest_off, unsigned file)
{
    uint64_t cluster_bytes = state->out.cluster_bytes;
    int ret = 0;

    for (unsigned i = 0; i < BLOCK && ret == 0; i++, guest_off += cluster_bytes) {
        uint64_t place = block->places[i];

        state->out.compared += HOST_CELL_IS_SHIFT(block->cells[i]);
        if (HOST_CELL_IS_SHIFT(block->cells[i]))
            ret = add_data(state, file, guest_off, cluster_bytes, place, place + cluster_bytes,
                           begin[i]);
        else if (block->cells[i] == HOST_CELL_HOLE)
            state->out.hole_bytes += cluster_bytes;
        else
            ret = add_stretch(state, file, guest_off, begin[i], begin[i] + cluster_bytes);
    }
    return ret;
}

/* With so many jumps or more, 64 clusters are worth a look each. */
#define MANY_BREAKS (BLOCK / 4)

CLONES_PART int take_block(struct state *state, const struct piece_batch *batch, uint32_t at)
{
    const struct host_grid *grid = &state->placing->grids[batch->file];
    uint64_t guest_off = batch->guest_first + at * batch->cluster_bytes;
    uint64_t breaks = batch->breaks[at / BLOCK] & ~UINT64_C(1);
    const uint64_t *begin = &batch->begin[at];
    bool lapped = false, many = __builtin_popcountll(breaks) >= MANY_BREAKS;
    struct block block;

    look_up(grid, begin, &block);
    if (block.holes) {
        state->out.hole_bytes += BLOCK * batch->cluster_bytes;
        return 0;
    }
    if (!block.shifts && many)
        settle_mixed(grid, begin, batch->cluster_bytes, &block);
    if (block.shifts && !block.one)
        breaks = find_breaks(block.places, batch->cluster_bytes, &lapped);
    if (block.shifts && !lapped)
        return add_uniform(state, block.places, breaks, begin, batch->breaks[at / BLOCK], guest_off,
                           batch->file);
    return many ? add_each(state, begin, &block, guest_off, batch->file)
                : add_stretches(state, begin, breaks, guest_off, batch->file);
}

/* All clusters lie in the segment of the first one. */
CLONES_PART bool take_in_one_segment(struct state *state, const struct piece_batch *batch)
{
    struct piece_batch *out = &state->out;
    const struct host_map *map = state->placing->grids[batch->file].map;
    const struct host_segment *segment;
    uint64_t end, shift;

    next_part(state, batch->file, batch->begin[0], batch->begin[0] + 1); /* finds it */
    segment = &map->segments[state->segment];
    end = host_map_end(map, state->segment);
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

CLONES static int take_uniform(struct state *state, const struct piece_batch *batch)
{
    int ret = 0;

    if (take_in_one_segment(state, batch))
        return 0;
    for (uint32_t at = 0; at < batch->n && ret == 0; at += BLOCK)
        ret = take_block(state, batch, at);
    return ret;
}

/* ---- the stage ---- */

static int take(void *context, const struct piece_batch *batch, struct piece_sink sink)
{
    struct state *state = context;
    int ret;

    state->sink = sink;
    state->out.cluster_bytes = batch->cluster_bytes;
    piece_batch_clear(&state->out);
    state->out.hole_bytes = batch->hole_bytes;
    ret = add_table(state, batch);
    if (ret == 0 && batch->n > 0)
        ret = batch->uniform ? take_uniform(state, batch) : take_general(state, batch);
    if (ret == 0 && batch->again_bytes > 0)
        ret = add_again(state, batch);
    return ret < 0 ? ret : flush(state);
}

static void *state_new(const void *shared)
{
    struct state *state = malloc(sizeof(*state));

    if (state == NULL)
        return NULL;
    state->placing = shared;
    state->file = 0;
    state->segment = 0;
    return state;
}

int host_placing_new(const struct host_map *const *maps, unsigned n_files, uint64_t cluster_bytes,
                     const uint64_t *held_bytes, struct piece_stage *stage)
{
    struct placing *placing = calloc(1, sizeof(*placing) + n_files * sizeof(placing->grids[0]));
    int ret = 0;

    memset(stage, 0, sizeof(*stage));
    if (placing == NULL)
        return -ENOMEM;
    *stage = (struct piece_stage){
        .shared = placing,
        .n_files = n_files,
        .unit_bytes = cluster_bytes < UNIT_BYTES ? cluster_bytes : UNIT_BYTES,
        .state_new = state_new,
        .state_free = free,
        .take = take,
    };
    placing->cluster_bits = calloc(n_files, sizeof(*placing->cluster_bits));
    if (placing->cluster_bits == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < n_files; i++)
        placing->cluster_bits[i] =
            (unsigned)__builtin_ctzll(held_bytes != NULL ? held_bytes[i] : cluster_bytes);
    for (; placing->n_files < n_files && ret == 0; placing->n_files++)
        ret = host_grid_init(&placing->grids[placing->n_files], maps[placing->n_files],
                             cluster_bytes);
    return ret;
}

void host_placing_free(struct piece_stage *stage)
{
    struct placing *placing = (struct placing *)(uintptr_t)stage->shared; /* ours alone again */

    for (unsigned i = 0; placing != NULL && i < placing->n_files; i++)
        host_grid_free(&placing->grids[i]);
    if (placing != NULL)
        free(placing->cluster_bits);
    free(placing);
    memset(stage, 0, sizeof(*stage));
}
