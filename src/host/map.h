/* SPDX-License-Identifier: MIT */
/*
 * Where the bytes of a file lie on the device under it. Immutable once read; used by many threads.
 *
 * A map divides all offsets, from 0 to 2^64, into segments: what the file holds at a known place,
 * and what it does not. FIEMAP's many flags come to four kinds:
 *
 *   data      byte n of the segment lies at physical + n;
 *   encoded   compressed by the file system: the whole is known to begin at physical, and nothing
 *             inside it. It is taken as spread evenly over stored_bytes, which is how long it is at
 *             most: its length in the file, or less if something else of the file begins before;
 *   hole      reads as zeros without a look at the device: nothing there, or not yet written to;
 *   unplaced  has no place: not on the device yet, or inside the file system's own metadata.
 */
#ifndef HOST_MAP_H
#define HOST_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct host_fiemap_source;
struct io;

enum host_kind { HOST_DATA, HOST_ENCODED, HOST_HOLE, HOST_UNPLACED };

/* Begins at file_off and ends where the next one begins. */
struct host_segment {
    uint64_t file_off;
    uint64_t physical;     /* bytes; data and encoded only */
    uint32_t stored_bytes; /* encoded only */
    uint8_t kind;          /* enum host_kind */
};

/* Of all files of a chain together, in 24 MiB of memory. */
#define HOST_SEGMENTS_MAX ((size_t)1 << 20)

/* What is placed lies below this, in the file and on the device: sums and differences of both fit
 * into 63 bits and a sign. */
#define HOST_PLACED_END (UINT64_C(1) << 62)

struct host_map {
    struct host_segment *segments; /* the first begins at 0; the last is a hole without an end */
    size_t n_segments, cap_segments;
    bool is_device; /* the file is a device itself, in one piece */

    uint64_t extents;        /* as filefrag counts: see doc/definitions.md */
    uint64_t extent_bytes;   /* of the file, in them */
    uint64_t unplaced_bytes; /* of those */
    bool encoded;            /* some of them are: the file system compresses */
    uint32_t unknown_flags;  /* seen in them, and not understood */
};

/*
 * The map of the file under @io, @most segments at most. On failure (-errno) @err says in one
 * sentence why there is none; only -ENOMEM is more than a fact about the file. Release with
 * host_map_free.
 */
int host_map_open(struct io *io, size_t most, struct host_map **map, struct err *err);

/* The same for extents that come from anywhere. */
int host_map_read(struct host_fiemap_source *source, size_t most, struct host_map **map,
                  struct err *err);

/* NULL is allowed. */
void host_map_free(struct host_map *map);

/* The index of the segment that holds the byte at @file_off. */
size_t host_map_find(const struct host_map *map, uint64_t file_off);

/* Where segment @i ends: 2^64 - 1 for the last. */
static inline uint64_t host_map_end(const struct host_map *map, size_t i)
{
    return i + 1 < map->n_segments ? map->segments[i + 1].file_off : UINT64_MAX;
}

/* Has the file a place for the bytes of such a segment? */
static inline bool host_kind_is_placed(unsigned kind)
{
    return kind == HOST_DATA || kind == HOST_ENCODED;
}

/*
 * The place of the byte at @file_off of the placed segment @i, or of the end of the segment. It
 * never goes down as @file_off goes up.
 */
uint64_t host_map_place(const struct host_map *map, size_t i, uint64_t file_off);

/* The place of the byte at @file_off; false if it has none. */
bool host_map_look_up(const struct host_map *map, uint64_t file_off, uint64_t *physical);

#endif
