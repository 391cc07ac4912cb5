// SPDX-License-Identifier: MIT
/* Owns the meaning of FIEMAP's flags, and the count of extents. */
#include "map.h"

#include "checked.h"
#include "cleanup.h"
#include "err.h"
#include "fiemap.h"
#include "io.h"
#include "search.h"
#include "vec.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FLAGS_KNOWN                                                                                \
    (FIEMAP_EXTENT_LAST | FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED | \
     FIEMAP_EXTENT_DATA_ENCRYPTED | FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE |        \
     FIEMAP_EXTENT_DATA_TAIL | FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_MERGED |                    \
     FIEMAP_EXTENT_SHARED)

/* Where they are too many to follow, extents are counted up to so many times those. */
#define COUNTED_TIMES 16

struct reading {
    struct host_map *map;
    size_t most;                      /* segments */
    struct host_segment last;         /* whether there is room for it or not */
    uint64_t n_segments;              /* likewise */
    uint64_t end;                     /* of the file, as far as it is known */
    struct host_fiemap_extent before; /* the last extent; bytes 0: none yet */
    bool any_encoded;
};

/*
 * The order counts: what is not written reads as zeros wherever it lies, and what has no place has
 * none, however it is stored. Encrypted, shared, merged and not aligned change nothing here: bytes
 * lie where they lie. The tail of a file in a block with others (DATA_TAIL) has a place, too.
 */
static enum host_kind kind_of(const struct host_fiemap_extent *extent)
{
    if (extent->flags & FIEMAP_EXTENT_UNWRITTEN)
        return HOST_HOLE;
    if (extent->flags &
        (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_DATA_INLINE))
        return HOST_UNPLACED;
    if (!checked_inside(extent->physical, extent->bytes, HOST_PLACED_END) ||
        !checked_inside(extent->file_off, extent->bytes, HOST_PLACED_END))
        return HOST_UNPLACED;
    return extent->flags & FIEMAP_EXTENT_ENCODED && extent->bytes <= UINT32_MAX ? HOST_ENCODED
                                                                                : HOST_DATA;
}

/* As filefrag does: what goes on in the device, or after a hole kept in step, is one extent. */
static bool goes_on(const struct host_fiemap_extent *before, const struct host_fiemap_extent *after)
{
    return after->physical == before->physical + before->bytes ||
           after->physical - before->physical == after->file_off - before->file_off;
}

/* Does @segment only go on with the last one? */
static bool joins(const struct reading *reading, const struct host_segment *segment)
{
    const struct host_segment *last = &reading->last;

    if (reading->n_segments == 0)
        return false;
    if (last->kind != segment->kind || segment->kind == HOST_ENCODED)
        return false;
    return segment->kind != HOST_DATA ||
           segment->physical - last->physical == segment->file_off - last->file_off;
}

static int append(struct reading *reading, struct host_segment segment, struct err *err)
{
    struct host_map *map = reading->map;

    if (joins(reading, &segment))
        return 0;
    reading->last = segment;
    reading->n_segments++;
    if (reading->n_segments > reading->most) /* the extents are counted all the same */
        return 0;
    if (vec_reserve(map, segments) < 0)
        return err_no_memory(err);
    map->segments[map->n_segments++] = segment;
    return 0;
}

static int append_hole(struct reading *reading, struct err *err)
{
    return append(reading, (struct host_segment){.file_off = reading->end, .kind = HOST_HOLE}, err);
}

/* There are more segments than extents where there are holes between these. */
static int refuse(const struct reading *reading, const char *more, struct err *err)
{
    uint64_t extents = reading->map->extents;

    if (reading->n_segments <= 2 * extents + 1)
        return err_set(err, EFBIG,
                       "the file lies in %" PRIu64 " extents%s, which are too many to follow them",
                       extents, more);
    return err_set(err, EFBIG,
                   "the file is cut into %" PRIu64 " pieces%s by holes, which are too many to "
                   "follow them",
                   reading->n_segments / 2, more);
}

static int take(void *context, const struct host_fiemap_extent *extent, struct err *err)
{
    struct reading *reading = context;
    struct host_map *map = reading->map;
    struct host_segment segment = {.file_off = extent->file_off, .kind = (uint8_t)kind_of(extent)};
    int ret = 0;

    if (extent->file_off > reading->end)
        ret = append_hole(reading, err);
    if (host_kind_is_placed(segment.kind))
        segment.physical = extent->physical;
    if (segment.kind == HOST_ENCODED) {
        segment.stored_bytes = (uint32_t)extent->bytes;
        reading->any_encoded = true;
    }
    if (ret == 0)
        ret = append(reading, segment, err);
    reading->end = extent->file_off + extent->bytes;

    map->extents += reading->before.bytes == 0 || !goes_on(&reading->before, extent);
    map->extent_bytes += extent->bytes;
    map->unplaced_bytes += segment.kind == HOST_UNPLACED ? extent->bytes : 0;
    map->encoded |= (extent->flags & FIEMAP_EXTENT_ENCODED) != 0;
    map->unknown_flags |= extent->flags & ~(uint32_t)FLAGS_KNOWN;
    reading->before = *extent;
    if (ret == 0 && reading->n_segments >= COUNTED_TIMES * (uint64_t)reading->most)
        ret = refuse(reading, " or more", err);
    return ret;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* The first of @n sorted numbers that is above @limit, or UINT64_MAX. */
static uint64_t first_above(const uint64_t *sorted, size_t n, uint64_t limit)
{
    size_t at = search_first(i, 0, n, sorted[i] <= limit);

    return at < n ? sorted[at] : UINT64_MAX;
}

/*
 * FIEMAP tells no stored length. What was compressed together was stored together, so where the
 * next one begins on the device tells it, but for the last of such a row.
 */
static int find_stored_lengths(struct host_map *map, struct err *err)
{
    uint64_t *begins = malloc(map->n_segments * sizeof(*begins));
    size_t n = 0;

    if (begins == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < map->n_segments; i++)
        if (host_kind_is_placed(map->segments[i].kind))
            begins[n++] = map->segments[i].physical;
    qsort(begins, n, sizeof(*begins), by_value);
    for (size_t i = 0; i < map->n_segments; i++) {
        struct host_segment *segment = &map->segments[i];
        uint64_t room;

        if (segment->kind != HOST_ENCODED)
            continue;
        room = first_above(begins, n, segment->physical) - segment->physical;
        if (room < segment->stored_bytes)
            segment->stored_bytes = (uint32_t)room;
    }
    free(begins);
    return 0;
}

static void free_map(struct host_map **map)
{
    host_map_free(*map);
}

/* A map from what @fill appends. */
static int make(int (*fill)(struct reading *, void *, struct err *), void *context, size_t most,
                struct host_map **made, struct err *err)
{
    CLEANUP(free_map) struct host_map *map = calloc(1, sizeof(*map));
    struct reading reading = {.map = map, .most = most};
    int ret;

    if (map == NULL)
        return err_no_memory(err);
    ret = fill(&reading, context, err);
    if (ret == 0)
        ret = append_hole(&reading, err);
    if (ret == 0 && reading.n_segments > most)
        return refuse(&reading, "", err);
    if (ret == 0 && reading.any_encoded)
        ret = find_stored_lengths(map, err);
    if (ret == 0)
        *made = cleanup_take(map);
    return ret;
}

static int fill_from_extents(struct reading *reading, void *context, struct err *err)
{
    const struct host_fiemap_sink sink = {take, reading};

    return host_fiemap_read(context, &sink, err);
}

int host_map_read(struct host_fiemap_source *source, size_t most, struct host_map **map,
                  struct err *err)
{
    return make(fill_from_extents, source, most, map, err);
}

static int fill_from_device(struct reading *reading, void *context, struct err *err)
{
    struct host_fiemap_extent whole = {0};
    int ret = io_size(context, &whole.bytes, err);

    reading->map->is_device = true;
    return ret < 0 || whole.bytes == 0 ? ret : take(reading, &whole, err);
}

int host_map_open(struct io *io, size_t most, struct host_map **map, struct err *err)
{
    int fd = io_descriptor(io);
    struct host_fiemap_source source = host_fiemap_of(&fd);
    struct stat st;

    if (fd < 0)
        return err_set(err, EOPNOTSUPP, "the image is no file of this host");
    if (fstat(fd, &st) < 0)
        return err_set(err, errno, "cannot examine the file: %s", strerror(errno));
    return S_ISBLK(st.st_mode) ? make(fill_from_device, io, most, map, err)
                               : host_map_read(&source, most, map, err);
}

void host_map_free(struct host_map *map)
{
    if (map == NULL)
        return;
    free(map->segments);
    free(map);
}

size_t host_map_find(const struct host_map *map, uint64_t file_off)
{
    return search_first(i, 1, map->n_segments, map->segments[i].file_off <= file_off) - 1;
}

uint64_t host_map_place(const struct host_map *map, size_t i, uint64_t file_off)
{
    const struct host_segment *segment = &map->segments[i];
    uint64_t at = file_off - segment->file_off;

    /* Both factors have 32 bits. */
    if (segment->kind == HOST_ENCODED)
        at = at * segment->stored_bytes / (host_map_end(map, i) - segment->file_off);
    return segment->physical + at;
}

bool host_map_look_up(const struct host_map *map, uint64_t file_off, uint64_t *physical)
{
    size_t i = host_map_find(map, file_off);

    if (!host_kind_is_placed(map->segments[i].kind))
        return false;
    *physical = host_map_place(map, i, file_off);
    return true;
}
