/* SPDX-License-Identifier: MIT */
/*
 * The currency of the pipeline: a batch of pieces in guest order, as arrays.
 *
 * A piece is a stretch of the guest disk that one stretch of a host file holds: a cluster, or in
 * detail mode (see l2.h) a part of one. A batch has one of two shapes:
 *
 *   general   every array is filled;
 *   uniform   whole standard clusters that follow one another on the guest disk, the common case:
 *             only begin[] and breaks[] are filled, the rest follows from guest_first; it holds a
 *             multiple of 64 pieces.
 *
 * run_batch_piece gives a piece of either shape; the meter reads the arrays themselves.
 */
#ifndef RUN_BATCH_H
#define RUN_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#define RUN_BATCH_PIECES 512 /* a multiple of 64 */

enum run_kind {
    RUN_DATA,
    RUN_COMPRESSED,
    RUN_ZERO,           /* detail mode only: reads as zeros, holds no host space */
    RUN_ZERO_ALLOCATED, /* detail mode only: reads as zeros, keeps host space */
};

/* Offsets and lengths in bytes. Host offsets are offsets in the file that holds the data. */
struct run_piece {
    enum run_kind kind;
    uint64_t guest_off;
    uint64_t guest_bytes;  /* guest stretch that it covers */
    uint64_t begin;        /* position: host offset of the first byte (0 for RUN_ZERO) */
    uint64_t end;          /* host offset after it; for a blob, after its last 512-byte sector */
    uint64_t mapped_bytes; /* guest bytes held: less than guest_bytes if subclusters are missing */
};

struct run_batch {
    uint32_t n; /* pieces */
    bool uniform;
    uint64_t cluster_bytes;
    uint64_t guest_first; /* uniform: guest offset of piece 0 */
    /* Uniform: bit i % 64 of word i / 64 is set if piece i does not begin where piece i - 1 ends.
     * Bit 0 of word 0 means nothing. */
    uint64_t breaks[RUN_BATCH_PIECES / 64];
    uint64_t begin[RUN_BATCH_PIECES];
    uint64_t end[RUN_BATCH_PIECES];
    uint64_t guest_off[RUN_BATCH_PIECES];
    uint32_t guest_bytes[RUN_BATCH_PIECES];
    uint32_t mapped_bytes[RUN_BATCH_PIECES];
    uint8_t kind[RUN_BATCH_PIECES];
};

static inline struct run_piece run_batch_piece(const struct run_batch *batch, uint32_t i)
{
    if (batch->uniform)
        return (struct run_piece){
            RUN_DATA,        batch->guest_first + i * batch->cluster_bytes, batch->cluster_bytes,
            batch->begin[i], batch->begin[i] + batch->cluster_bytes,        batch->cluster_bytes};
    return (struct run_piece){(enum run_kind)batch->kind[i],
                              batch->guest_off[i],
                              batch->guest_bytes[i],
                              batch->begin[i],
                              batch->end[i],
                              batch->mapped_bytes[i]};
}

/*
 * Takes batches. The batch is borrowed for the call. A negative return value stops the walk and is
 * returned by it.
 */
struct run_sink {
    int (*take)(void *context, const struct run_batch *batch);
    void *context;
};

#endif
