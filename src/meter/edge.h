/* SPDX-License-Identifier: MIT */
/*
 * One side of a seam between two pieces: enough to tell what the step over it is. Whole walks are
 * cut and joined again at edges.
 */
#ifndef METER_EDGE_H
#define METER_EDGE_H

#include "batch.h"

#include <stdbool.h>
#include <stdint.h>

struct meter_edge {
    uint64_t guest_off;  /* first piece: where it begins; last piece: where it ends */
    uint64_t position;   /* where it begins in the file */
    uint64_t end;        /* where it ends in the file */
    uint64_t read_begin; /* the same, of that part of it that is held and so read */
    uint64_t read_end;
    uint64_t source; /* of a batch's first piece its begin, of its last one its end: see there */
    uint32_t slack;  /* see piece/batch.h */
    bool compressed;
};

/* Of piece @i of a general batch. The source is not known. */
static inline struct meter_edge meter_edge_of_piece(const struct piece_batch *batch, uint32_t i)
{
    struct meter_edge edge = {.guest_off = batch->guest_off[i],
                              .position = batch->begin[i],
                              .end = batch->end[i],
                              .read_begin = batch->begin[i],
                              .read_end = batch->end[i],
                              .source = PIECE_NO_SOURCE,
                              .slack = batch->slack[i],
                              .compressed = batch->kind[i] == PIECE_COMPRESSED};
    uint64_t part_bytes = (edge.end - edge.position) / PIECE_SUBCLUSTERS;
    uint32_t held = ~batch->missing[i]; /* of a cluster with missing parts only these are read */

    edge.read_begin += (unsigned)__builtin_ctz(held) * part_bytes;
    edge.read_end -= (unsigned)__builtin_clz(held) * part_bytes;
    return edge;
}

/* Of piece @i of a uniform batch. The source is not known. */
static inline struct meter_edge meter_edge_of_cluster(const struct piece_batch *batch, uint32_t i)
{
    uint64_t begin = batch->begin[i], end = begin + batch->cluster_bytes;

    return (struct meter_edge){.guest_off = batch->guest_first + i * batch->cluster_bytes,
                               .position = begin,
                               .end = end,
                               .read_begin = begin,
                               .read_end = end};
}

#endif
