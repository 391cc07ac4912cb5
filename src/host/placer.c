// SPDX-License-Identifier: MIT
/* Owns the batch under construction, and what of it cuts a read. Knows no batch that comes in. */
#include "placer.h"

#include "request.h"
#include "sector.h"

int host_placer_flush(struct host_placer *placer)
{
    struct piece_batch *out = &placer->out;
    int ret = piece_batch_is_empty(out) ? 0 : placer->sink.take(placer->sink.context, out);

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
int host_placer_add(struct host_placer *placer, const struct piece *piece, uint64_t source,
                    uint64_t source_end)
{
    struct piece_batch *out = &placer->out;
    int ret = 0;

    if (out->n == PIECE_BATCH_MAX || (out->n > 0 && out->uniform))
        ret = host_placer_flush(placer);
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

/* The first part of [off, end) of file number @file. */
struct host_part host_placer_part(struct host_placer *placer, unsigned file, uint64_t off,
                                  uint64_t end)
{
    const struct host_grid *grid = &placer->placing->grids[file];
    const struct host_map *map = grid->map;
    size_t i = placer->segment;
    struct host_part part;

    if (file != placer->file || map->segments[i].file_off > off || host_map_end(map, i) <= off) {
        i = host_grid_find(grid, off);
        placer->file = file;
        placer->segment = i;
    }
    if (end > host_map_end(map, i))
        end = host_map_end(map, i);
    part = (struct host_part){.bytes = end - off,
                              .placed = host_kind_is_placed(map->segments[i].kind)};
    if (part.placed) {
        part.begin = host_map_place(map, i, off);
        part.end = host_map_place(map, i, end);
    }
    return part;
}

/* Pieces of clusters in [begin, end) of a file. */
static uint64_t count_clusters(const struct host_placer *placer, unsigned file, uint64_t begin,
                               uint64_t end)
{
    unsigned bits = placer->placing->cluster_bits[file];

    return ((end - 1) >> bits) - (begin >> bits) + 1;
}

/*
 * A stretch of the guest disk that lies byte by byte in [begin, end) of the file: clusters that
 * follow one another, or less than one. Those that do so on the device as well are one piece, but
 * for the last one: where the next step is judged from is where that one begins.
 */
int host_placer_add_stretch(struct host_placer *placer, unsigned file, uint64_t guest_off,
                            uint64_t begin, uint64_t end)
{
    const uint64_t in_cluster = placer->out.cluster_bytes - 1;
    int ret = 0;

    for (uint64_t off = begin; off < end && ret == 0;) {
        struct host_part part = host_placer_part(placer, file, off, end);
        uint64_t last = (off + part.bytes - 1) & ~in_cluster;

        if (!part.placed)
            placer->out.hole_bytes += part.bytes;
        else
            placer->out.compared += count_clusters(placer, file, off, off + part.bytes);
        if (part.placed && last > off) {
            struct host_part before = host_placer_part(placer, file, off, last);

            ret = host_placer_add_data(placer, file, guest_off, before.bytes, before.begin,
                                       before.end, off);
            guest_off += before.bytes;
            off += before.bytes;
            part.bytes -= before.bytes;
            part.begin = before.end;
        }
        if (part.placed && ret == 0)
            ret = host_placer_add_data(placer, file, guest_off, part.bytes, part.begin, part.end,
                                       off);
        guest_off += part.bytes;
        off += part.bytes;
    }
    return ret;
}
