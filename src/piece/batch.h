/* SPDX-License-Identifier: MIT */
/*
 * The currency of the pipeline: a batch of pieces in guest order, as arrays.
 *
 * A piece is a stretch of the guest disk that one stretch of a host file holds: a cluster, or in
 * detail mode (see l2.h) a part of one. A batch has one of two shapes:
 *
 *   general   every array but breaks[] is filled;
 *   uniform   whole standard clusters that follow one another on the guest disk, the common case:
 *             only begin[] and breaks[] are filled, the rest follows from guest_first and file; it
 *             holds a multiple of 64 pieces.
 *
 * Before its pieces a batch may have a read of L2 table: what QEMU must read before it can find
 * them. After them it may have a blob that is read again. A batch may have no pieces, only those.
 *
 * Files have small numbers, PIECE_FILE_IMAGE and so on. piece_batch_piece gives a piece of either
 * shape; the meter reads the arrays themselves.
 */
#ifndef PIECE_BATCH_H
#define PIECE_BATCH_H

#include "sector.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PIECE_BATCH_MAX 512 /* a multiple of 64 */

enum piece_kind {
    PIECE_DATA = 0,
    PIECE_COMPRESSED = 1, /* a blob */
    PIECE_ZERO,           /* reads as zeros, holds no host space; only where zeros are asked for */
    PIECE_ZERO_ALLOCATED, /* reads as zeros, keeps host space; likewise */
};

/* Guest bytes of it are in a file. Kinds are ordered so that this is one comparison, and of mapped
 * ones bit 0 tells which are blobs. */
static inline bool piece_is_mapped(enum piece_kind kind)
{
    return kind <= PIECE_COMPRESSED;
}

/* The files of an image without its backing files. */
enum piece_file { PIECE_FILE_IMAGE, PIECE_FILE_DATA, PIECE_N_FILES };

#define PIECE_SUBCLUSTERS 32

/* Offsets and lengths in bytes. Host offsets are offsets in the file that holds the data. */
struct piece {
    enum piece_kind kind;
    uint64_t guest_off;
    uint64_t guest_bytes;  /* guest stretch that it covers */
    uint64_t begin;        /* position: host offset of the first byte (0 for PIECE_ZERO) */
    uint64_t end;          /* host offset after it; for a blob, after its last 512-byte sector */
    uint64_t mapped_bytes; /* guest bytes held: less than guest_bytes if subclusters are missing */
    uint32_t missing;      /* bit x: the x-th of PIECE_SUBCLUSTERS parts of the piece is not held */
    uint32_t slack;        /* of a blob: so far behind its end the next may begin, as padding */
    uint16_t file;         /* that holds it */
};

#define PIECE_NO_SOURCE UINT64_MAX

struct piece_batch {
    uint32_t n; /* pieces */
    bool uniform;
    uint64_t cluster_bytes;
    uint64_t guest_first; /* uniform: guest offset of piece 0 */
    uint16_t file;        /* uniform: of all pieces */

    /* The read of L2 table before piece 0. */
    uint16_t l2_file;
    uint64_t l2_off;   /* host offset */
    uint64_t l2_bytes; /* 0: there is none */

    /*
     * The last piece is a blob, and QEMU reads it again: it keeps no cluster that it has
     * decompressed, so each request that touches one reads its blob. The head goes back, and ends
     * where the piece ends. A blob in several places (see stage.h) is read again in as many
     * batches.
     */
    uint16_t again_file;
    uint64_t again_off;        /* host offset */
    uint64_t again_bytes;      /* 0: it is not */
    uint64_t again_blob_bytes; /* of the whole blob; 0 in the batches of its other parts */

    bool goes_on; /* the first piece is the rest of one that the read of a table has cut */

    /*
     * Only a stage that looks below the file fills these. Mapped guest bytes for which the file
     * holds no bytes, besides the pieces; how many pieces of clusters the pieces stand for; the
     * places inside reads of QEMU where the file goes on and the device does not; and where in the
     * file the first piece begins and the last one ends (PIECE_NO_SOURCE: it is the begin, or the
     * end, of a blob).
     */
    uint64_t hole_bytes;
    uint64_t compared;
    uint64_t splits;
    uint64_t source_begin, source_end;

    /* Uniform: bit i % 64 of word i / 64 is set if piece i does not begin where piece i - 1 ends.
     * Bit 0 of word 0 means nothing. */
    uint64_t breaks[PIECE_BATCH_MAX / 64];
    uint64_t begin[PIECE_BATCH_MAX];
    uint64_t end[PIECE_BATCH_MAX];
    uint64_t guest_off[PIECE_BATCH_MAX];
    uint32_t guest_bytes[PIECE_BATCH_MAX];
    uint32_t mapped_bytes[PIECE_BATCH_MAX];
    uint32_t missing[PIECE_BATCH_MAX];
    uint32_t slack[PIECE_BATCH_MAX];
    uint16_t files[PIECE_BATCH_MAX];
    uint8_t kind[PIECE_BATCH_MAX];
};

/* No pieces, no reads, no holes; what else there is stays. */
static inline void piece_batch_clear(struct piece_batch *batch)
{
    batch->n = 0;
    batch->goes_on = false;
    batch->l2_bytes = batch->again_bytes = batch->hole_bytes = 0;
    batch->compared = batch->splits = 0;
    batch->source_begin = batch->source_end = PIECE_NO_SOURCE;
}

static inline bool piece_batch_is_empty(const struct piece_batch *batch)
{
    return batch->n == 0 && batch->l2_bytes == 0 && batch->again_bytes == 0 &&
           batch->hole_bytes == 0;
}

/* There must be room, and the batch general. */
static inline void piece_batch_add(struct piece_batch *batch, const struct piece *piece)
{
    uint32_t i = batch->n++;

    batch->guest_off[i] = piece->guest_off;
    batch->guest_bytes[i] = (uint32_t)piece->guest_bytes;
    batch->begin[i] = piece->begin;
    batch->end[i] = piece->end;
    batch->mapped_bytes[i] = (uint32_t)piece->mapped_bytes;
    batch->missing[i] = piece->missing;
    batch->slack[i] = piece->slack;
    batch->files[i] = piece->file;
    batch->kind[i] = (uint8_t)piece->kind;
}

/* @batch itself if it has no pieces of zeros; else its other pieces, and all else, in @room. */
static inline const struct piece_batch *piece_batch_without_zeros(const struct piece_batch *batch,
                                                                  struct piece_batch *room)
{
    uint32_t n = 0;

    while (n < batch->n && (batch->uniform || piece_is_mapped(batch->kind[n])))
        n++;
    if (n == batch->n)
        return batch;
    memcpy(room, batch, offsetof(struct piece_batch, breaks));
    room->n = 0;
    for (uint32_t i = 0; i < batch->n; i++) {
        if (!piece_is_mapped(batch->kind[i]))
            continue;
        n = room->n++;
        room->begin[n] = batch->begin[i];
        room->end[n] = batch->end[i];
        room->guest_off[n] = batch->guest_off[i];
        room->guest_bytes[n] = batch->guest_bytes[i];
        room->mapped_bytes[n] = batch->mapped_bytes[i];
        room->missing[n] = batch->missing[i];
        room->slack[n] = batch->slack[i];
        room->files[n] = batch->files[i];
        room->kind[n] = batch->kind[i];
    }
    return room;
}

/*
 * The blob [begin, end), that of the last piece, is read again; nothing may be added behind that.
 * What is no longer than a sector is not: the drive has it in its buffer.
 */
static inline void piece_batch_read_again(struct piece_batch *batch, uint16_t file, uint64_t begin,
                                          uint64_t end)
{
    batch->again_file = file;
    batch->again_off = begin;
    batch->again_bytes = end - begin <= SECTOR_BYTES ? 0 : end - begin;
    batch->again_blob_bytes = batch->again_bytes;
}

/*
 * The next parts that a piece holds which has these missing, from part *@at on: they begin at *@at,
 * and are so many. 0: there are no more.
 */
static inline unsigned piece_next_held(uint32_t missing, unsigned *at)
{
    uint64_t held = (uint64_t)(~missing & UINT32_MAX) >> *at;

    if (held == 0)
        return 0;
    *at += (unsigned)__builtin_ctzll(held);
    return (unsigned)__builtin_ctzll(~(held >> __builtin_ctzll(held)));
}

static inline struct piece piece_batch_piece(const struct piece_batch *batch, uint32_t i)
{
    if (batch->uniform)
        return (struct piece){.kind = PIECE_DATA,
                              .guest_off = batch->guest_first + i * batch->cluster_bytes,
                              .guest_bytes = batch->cluster_bytes,
                              .begin = batch->begin[i],
                              .end = batch->begin[i] + batch->cluster_bytes,
                              .mapped_bytes = batch->cluster_bytes,
                              .file = batch->file};
    return (struct piece){.kind = (enum piece_kind)batch->kind[i],
                          .guest_off = batch->guest_off[i],
                          .guest_bytes = batch->guest_bytes[i],
                          .begin = batch->begin[i],
                          .end = batch->end[i],
                          .mapped_bytes = batch->mapped_bytes[i],
                          .missing = batch->missing[i],
                          .slack = batch->slack[i],
                          .file = batch->files[i]};
}

/*
 * Takes batches. The batch is borrowed for the call. A negative return value stops the walk and is
 * returned by it.
 */
struct piece_sink {
    int (*take)(void *context, const struct piece_batch *batch);
    void *context;
};

#endif
