/* SPDX-License-Identifier: MIT */
/*
 * A picture of a walk, of bounded size: the disk cut into stretches, and for each of them how much
 * of it lies where. One axis is the guest disk, the other the host, which is the file or what lies
 * under it; one of the two is cut finely, into bins, the other coarsely, into rows. A cell, a bin's
 * share in a row, has the mapped bytes that lie in both, so that all cells add up to the mapped
 * bytes of the walk; breaks, each in the bin of the piece that begins with it, to those of the
 * walk.
 *
 * Like a meter it is a monoid: parts of a walk have rasters of their own, merged from left to right
 * to the same result, to the last bit. Memory: 8 bytes a cell, of 64 bins at a time, and only where
 * something is.
 */
#ifndef METER_RASTER_H
#define METER_RASTER_H

#include "batch.h"
#include "meter.h"

#include <stdbool.h>
#include <stdint.h>

/* Stretches of 2^shift bytes from origin on, which is a multiple of that. What lies outside belongs
 * to the last one. */
struct meter_axis {
    uint64_t origin;
    unsigned shift;
    uint32_t n; /* at least 1 */
};

/*
 * The axis of [begin, end): at most @most stretches (at least 2), each of at least @unit_bytes, a
 * power of two.
 */
struct meter_axis meter_axis_of(uint64_t begin, uint64_t end, uint64_t unit_bytes, uint32_t most);

static inline uint32_t meter_axis_find(const struct meter_axis *axis, uint64_t off)
{
    uint64_t i = (off - axis->origin) >> axis->shift;

    return i < axis->n ? (uint32_t)i : axis->n - 1;
}

/*
 * The unit of the guest axis is that of no less than a cluster, and what an L2 table maps is a
 * multiple of it, or the other way round; so is the unit of the host axis no less than a cluster.
 */
struct meter_raster_shape {
    bool by_host; /* bins along the host, rows along the guest disk; else the other way round */
    struct meter_axis guest, host;
    unsigned n_files;
    const uint64_t *file_begins; /* of each on the host axis; borrowed. NULL: all begin at 0 */
};

struct meter_raster_bin {
    uint64_t mapped_bytes;     /* of them: */
    uint64_t compressed_bytes; /* in compressed clusters */
    uint64_t zero_bytes;       /* in zero clusters, which are not mapped; 0 by host */
    uint64_t breaks;           /* with near jumps */
    uint64_t near_jumps;
};

struct meter_raster_chunk;

struct meter_raster {
    struct meter_raster_shape shape;
    struct meter_file *files; /* [n_files]: seen, first and last only */
    bool any;
    uint16_t first_file, last_file; /* of the first and the last piece */
    uint64_t guest_first;           /* offset of what was taken first; UINT64_MAX: nothing was */
    struct meter_raster_chunk **chunks;
    bool lost; /* memory ran out */
};

/* NULL without memory. */
struct meter_raster *meter_raster_new(const struct meter_raster_shape *shape);

/* NULL is allowed. */
void meter_raster_free(struct meter_raster *raster);

/* Forgets all pieces. */
void meter_raster_clear(struct meter_raster *raster);

/* The pieces of @batch follow, zeros among them. */
void meter_raster_take(struct meter_raster *raster, const struct piece_batch *batch);

/* Of the pieces of @batch only zeros are taken. */
void meter_raster_take_zeros(struct meter_raster *raster, const struct piece_batch *batch);

/* The pieces of @right follow, @shift bytes further on (modulo 2^64): whole L2 tables. */
void meter_raster_join(struct meter_raster *left, const struct meter_raster *right, uint64_t shift);

/* The same without a shift. What @right holds may be taken from it; it is to be cleared next. */
void meter_raster_merge(struct meter_raster *left, struct meter_raster *right);

/* -ENOMEM if memory ran out at any time, else 0. */
int meter_raster_error(const struct meter_raster *raster);

/* The axis of bins, and that of rows. */
static inline const struct meter_axis *meter_raster_bins(const struct meter_raster_shape *shape)
{
    return shape->by_host ? &shape->host : &shape->guest;
}

static inline const struct meter_axis *meter_raster_rows(const struct meter_raster_shape *shape)
{
    return shape->by_host ? &shape->guest : &shape->host;
}

/* Bin @number, and *@rows to its bytes in each row; borrowed. NULL: there is nothing in it. */
const struct meter_raster_bin *meter_raster_bin(const struct meter_raster *raster, uint32_t number,
                                                const uint64_t **rows);

#endif
