/* SPDX-License-Identifier: MIT */
/*
 * The steps from piece to piece, judged many at a time: in plain loops over the arrays of a batch.
 * They follow the rules by which step.c judges a single step, and count nothing.
 */
#ifndef METER_STEPS_H
#define METER_STEPS_H

#include "batch.h"

#include <stdint.h>

#define METER_STEPS_MAX 64

/* A set of steps is a word: bit i is the step to piece i, from the one before it. */
struct meter_steps {
    unsigned n;
    uint64_t breaks;
    uint64_t near;     /* forward over METER_NEAR_BYTES at most */
    uint64_t inside;   /* breaks to a place inside the piece before: forward, with a gap below 0 */
    uint64_t buffered; /* breaks back to what is still in the drive's buffer */
    uint64_t over;     /* no breaks, but a gap lies between */
    uint64_t
        partial; /* either piece misses parts, so that more lies between what is read of them */
    uint64_t gap[METER_STEPS_MAX];  /* from the end of the piece before; below 0: backward */
    uint64_t slot[METER_STEPS_MAX]; /* of a gap in a tally */
    uint64_t most; /* no gap is further from 0. Valid if there are breaks, as are */
                   /* the last one and near */
    uint64_t mapped[METER_STEPS_MAX + 1]; /* [i]: guest bytes that pieces 0 .. i - 1 hold */
    uint64_t read_bytes; /* of all pieces, as if whole; what two that follow on share, only once, */
                         /* if that step is not partial */
};

/*
 * To pieces [first, first + n) of a general batch. They and the piece before them are data, and of
 * one file.
 */
void meter_steps_judge(struct meter_steps *steps, const struct piece_batch *batch, uint32_t first,
                       unsigned n);

/*
 * To 64 clusters of a uniform batch, of which @breaks are known; that to the first one is looked at
 * only if it is one of them. Of whole clusters, so that the other sets are empty; mapped and
 * read_bytes are not filled.
 */
void meter_steps_measure(struct meter_steps *steps, const uint64_t *begin, uint64_t breaks,
                         uint64_t cluster_bytes);

/* The same for only those that are breaks, one at a time: for a few of them, where that is less. */
void meter_steps_measure_few(struct meter_steps *steps, const uint64_t *begin, uint64_t breaks,
                             uint64_t cluster_bytes);

#endif
