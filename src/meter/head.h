/* SPDX-License-Identifier: MIT */
/*
 * What the head of a disk does beside the steps that a meter counts: it also reads the L2 tables,
 * crosses gaps, goes back to blobs that are read again, and from one file to another.
 *
 * A meter's jumps are steps from piece to piece. Where the head stands somewhere else when the next
 * piece is wanted, or parts of a cluster are not held, the step is taken back here and what the
 * head really does is added. So the head's way is the sum: the meter's jumps, the detours, the
 * gaps. Like a meter, a head can be cut and merged anywhere.
 */
#ifndef METER_HEAD_H
#define METER_HEAD_H

#include "sparse_jumps.h"

#include <stdbool.h>
#include <stdint.h>

struct meter_place {
    uint16_t file;
    uint64_t off;
};

struct meter_head {
    bool any;                 /* something was read: the places below mean something */
    struct meter_place first; /* where the first read began, */
    uint64_t first_bytes;     /* and its length */
    struct meter_place at;    /* where the head stands: the end of the last read */
    bool led;                 /* a table was read before the first piece */
    bool strayed;             /* a table has been read since the last piece */
    uint64_t read_bytes;      /* with the next two */
    uint64_t l2_bytes;
    uint64_t again_bytes;   /* of blobs, each time but the first */
    uint64_t missing_bytes; /* inside pieces, not held and so not read */
    uint64_t ways;          /* from a table to a piece */
    uint64_t switches;      /* from one file to another */
    struct meter_sparse_jumps detours[METER_N_DIRECTIONS];
    struct meter_sparse_jumps gaps; /* over which the head goes forward, in step with the guest */
    /* Over blobs, to read them again. The ways that it really took for that, which are others if a
     * blob lies in several places, are among the detours. */
    struct meter_sparse_jumps again;
};

void meter_head_free(struct meter_head *head);
void meter_head_clear(struct meter_head *head);

/* So much before the place where the head stands is still in the drive's buffer. */
#define METER_HEAD_BUFFER_BYTES UINT64_C(512)

/* Of @bytes that begin @back bytes before the head, those that are in the buffer. */
static inline uint64_t meter_head_buffered(uint64_t back, uint64_t bytes)
{
    if (back > METER_HEAD_BUFFER_BYTES)
        return 0;
    return back < bytes ? back : bytes;
}

/*
 * Moves to a place, by whatever way, to read @bytes there; the caller counts them. What is still in
 * the buffer is taken from the bytes read, and returned: there the way is none.
 */
uint64_t meter_head_move(struct meter_head *head, struct meter_place to, uint64_t bytes);

/* Takes back a step that a meter counts and the head did not make. */
void meter_head_take_back(struct meter_head *head, enum meter_direction direction,
                          uint64_t distance);

/* A step straight back, which a meter counts, to read @bytes: it is none if they are buffered. */
void meter_head_step_back(struct meter_head *head, uint64_t distance, uint64_t bytes);

/*
 * Goes to @bytes that have been read before, and reads them again. @blob_bytes: see
 * piece_batch.again_blob_bytes.
 */
void meter_head_read_again(struct meter_head *head, struct meter_place from, uint64_t bytes,
                           uint64_t blob_bytes);

/*
 * The two halves of a merge, as meter_join and meter_add_inner. The join is all but the step
 * between the two: the caller knows the pieces, and has moved the head to where @right begins.
 */
void meter_head_join(struct meter_head *left, const struct meter_head *right);
void meter_head_add_inner(struct meter_head *left, const struct meter_head *right, uint64_t times);

/* -ENOMEM if memory ran out at any time, else 0. */
int meter_head_error(const struct meter_head *head);

#endif
