/* SPDX-License-Identifier: MIT */
/*
 * One thread's hands while it puts pieces on the device: the batch under construction, and the way
 * of a stretch of the file through extents.
 */
#ifndef HOST_PLACER_H
#define HOST_PLACER_H

#include "grid.h"
#include "stage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What all threads use, and nobody changes. */
struct host_placing {
    unsigned n_files;
    unsigned *cluster_bits;   /* [n_files] of what the file holds: what counts as a piece */
    struct host_grid grids[]; /* [n_files] */
};

struct host_placer {
    const struct host_placing *placing;
    struct piece_sink sink;
    struct piece_batch out;
    /* The segment that was met last: a guess, and no more. */
    unsigned file;
    size_t segment;
};

/* Hands the batch over, if anything is in it. This and all below return 0 or what the sink did. */
int host_placer_flush(struct host_placer *placer);

/* A piece whose bytes are [source, source_end) of the file, see piece/batch.h. */
int host_placer_add(struct host_placer *placer, const struct piece *piece, uint64_t source,
                    uint64_t source_end);

/* The same, of data: @bytes of the guest disk, at @source of the file. */
static inline int host_placer_add_data(struct host_placer *placer, unsigned file,
                                       uint64_t guest_off, uint64_t bytes, uint64_t begin,
                                       uint64_t end, uint64_t source)
{
    const struct piece piece = {.kind = PIECE_DATA,
                                .guest_off = guest_off,
                                .guest_bytes = bytes,
                                .begin = begin,
                                .end = end,
                                .mapped_bytes = bytes,
                                .file = (uint16_t)file};

    return host_placer_add(placer, &piece, source, source + bytes);
}

/* A stretch of the file that lies in one segment, and its place there if it has one. */
struct host_part {
    uint64_t bytes;
    bool placed;
    uint64_t begin, end; /* on the device */
};

/* The first part of [off, end) of file number @file. Its segment is then the one met last. */
struct host_part host_placer_part(struct host_placer *placer, unsigned file, uint64_t off,
                                  uint64_t end);

/*
 * A stretch of the guest disk that lies byte by byte in [begin, end) of the file: clusters that
 * follow one another, or less than one.
 */
int host_placer_add_stretch(struct host_placer *placer, unsigned file, uint64_t guest_off,
                            uint64_t begin, uint64_t end);

#endif
