/* SPDX-License-Identifier: MIT */
/* The step from one piece to the next, judged and counted by itself: the rule for any two pieces.
 */
#ifndef METER_STEP_H
#define METER_STEP_H

#include "meter.h"

#include <stdbool.h>
#include <stdint.h>

struct meter_step {
    enum {
        METER_STEP_FIRST,
        METER_STEP_ON,
        METER_STEP_JUMP
    } kind; /* no piece before it; contiguous; not */
    enum meter_direction direction;
    uint64_t distance;
};

/* The jump from a piece at [position_before, end_before) to one that is not contiguous. */
static inline struct meter_step meter_step_jump(uint64_t position_before, uint64_t end_before,
                                                uint64_t position)
{
    return (struct meter_step){
        METER_STEP_JUMP, position > position_before ? METER_FORWARD : METER_BACKWARD,
        position > end_before ? position - end_before : end_before - position};
}

/* From the last piece of @file to one that begins with @after. */
struct meter_step meter_step_judge(const struct meter_file *file, const struct meter_edge *after);

/* Counts a jump; the break that it is counts elsewhere. */
void meter_step_count_jump(struct meter *meter, struct meter_step jump);

/*
 * The step to a piece of file @number, counted with all that comes of it but the piece's own bytes.
 * @there: the head is known to have gone to the piece already, from a table that it read before.
 */
void meter_step_to(struct meter *meter, const struct meter_edge *after, uint16_t number,
                   bool there);

/* After the step to it: the piece is the last one, and has been read. Inline, as an edge that was
 * just put together is slow to copy. */
static inline void meter_step_arrive(struct meter *meter, struct meter_edge edge,
                                     uint64_t guest_bytes)
{
    struct meter_edge *last = &meter->files[meter->last_file].last;

    edge.guest_off += guest_bytes;
    *last = edge;
    meter->head.at = (struct meter_place){meter->last_file, edge.read_end};
    meter->head.strayed = false;
}

#endif
