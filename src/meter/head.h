/* SPDX-License-Identifier: MIT */
/*
 * What the head of a disk does beside the steps that a meter counts: it also reads the L2 tables,
 * crosses holes, and goes from one file to another.
 *
 * A meter's jumps are steps from piece to piece. Where the head stands somewhere else when the next
 * piece is wanted, or parts of a cluster are not held, the step is taken back here and what the
 * head really does is added. So the head's way is the sum: the meter's jumps, the detours, the
 * holes. Like a meter, a head can be cut and merged anywhere.
 */
#ifndef METER_HEAD_H
#define METER_HEAD_H

#include "moves.h"

#include <stdbool.h>
#include <stdint.h>

struct meter_place {
    uint16_t file;
    uint64_t off;
};

struct meter_head {
    bool any;                 /* something was read: the places below mean something */
    struct meter_place first; /* where the first read began */
    struct meter_place at;    /* where the head stands: the end of the last read */
    bool led;                 /* a table was read before the first piece */
    bool strayed;             /* a table has been read since the last piece */
    uint64_t read_bytes;      /* of tables, too: */
    uint64_t table_bytes;
    uint64_t missing_bytes; /* inside pieces, not held and so not read */
    uint64_t ways;          /* from a table to a piece */
    uint64_t switches;      /* from one file to another */
    struct meter_moves detours[METER_N_DIRECTIONS];
    struct meter_moves holes; /* over which the head goes forward, in step with the guest */
};

void meter_head_free(struct meter_head *head);
void meter_head_clear(struct meter_head *head);

/* Moves to a place, by whatever way. */
void meter_head_move(struct meter_head *head, struct meter_place to);

/* Takes back a step that a meter counts and the head did not make. */
void meter_head_take_back(struct meter_head *head, enum meter_direction direction,
                          uint64_t distance);

/*
 * The two halves of a merge, as meter_join and meter_add_inner. The join is all but the step
 * between the two: the caller knows the pieces, and has moved the head to where @right begins.
 */
void meter_head_join(struct meter_head *left, const struct meter_head *right);
void meter_head_add_inner(struct meter_head *left, const struct meter_head *right, uint64_t times);

/* -ENOMEM if memory ran out at any time, else 0. */
int meter_head_error(const struct meter_head *head);

#endif
