// SPDX-License-Identifier: MIT
/* Owns the rule what a break is, and what the head does in a step. Counts with integers only. */
#include "step.h"

#include "count.h"
#include "request.h"
#include "sector.h"

/* ---- what the step is ---- */

/*
 * With a compressed piece on either side equality is not asked: blobs are packed by bytes, may
 * share a sector, and the allocator goes on at the next cluster when it must (padding).
 */
static bool is_contiguous(const struct meter_edge *before, const struct meter_edge *after)
{
    if (before->compressed || after->compressed)
        return after->position > before->position &&
               after->position + SECTOR_BYTES >= before->end &&
               after->position <= before->end + before->slack;
    return after->position == before->end ||
           (after->position > before->end &&
            after->position - before->end == after->guest_off - before->guest_off);
}

struct meter_step meter_step_judge(const struct meter_file *file, const struct meter_edge *after)
{
    const struct meter_edge *before = &file->last;

    if (!file->seen)
        return (struct meter_step){.kind = METER_STEP_FIRST};
    if (is_contiguous(before, after))
        return (struct meter_step){.kind = METER_STEP_ON};
    return meter_step_jump(before->position, before->end, after->position);
}

void meter_step_count_jump(struct meter *meter, struct meter_step jump)
{
    meter->near_jumps += jump.direction == METER_FORWARD && jump.distance <= METER_NEAR_BYTES;
    meter_sparse_jumps_add(&meter->moves[jump.direction], jump.distance, 1);
}

/* ---- what the head does ---- */

/*
 * Is the head's way the jump, no more and no less? Not where parts of either piece are not held;
 * nor into the piece before, which counts as forward, but is behind the head.
 */
static bool is_way(const struct meter_edge *before, const struct meter_edge *after,
                   struct meter_step jump)
{
    bool whole = before->read_end == before->end && after->read_begin == after->position;

    return whole && (jump.direction == METER_BACKWARD || after->position >= before->end);
}

/* A jump is counted already. True: the head has come to the piece by it. */
static bool jump_head(struct meter_head *head, const struct meter_edge *before,
                      const struct meter_edge *after, struct meter_step jump, bool straight)
{
    if (!straight || !is_way(before, after, jump)) {
        meter_head_take_back(head, jump.direction, jump.distance);
        return false;
    }
    if (jump.direction == METER_BACKWARD)
        meter_head_step_back(head, jump.distance, after->read_end - after->read_begin);
    return true;
}

/* The piece follows in place, and nothing is counted yet. True: the head has come to it by that. */
static bool lead_head_on(struct meter_head *head, const struct meter_edge *before,
                         const struct meter_edge *after, bool straight)
{
    uint64_t gap = after->read_begin - before->read_end;

    if (after->read_begin > before->read_end) {
        meter_sparse_jumps_add(&head->gaps, gap, 1);
        if (!straight)
            meter_head_take_back(head, METER_FORWARD, gap);
    } else if (straight) {
        head->read_bytes -= meter_head_buffered(-gap, after->read_end - after->read_begin);
    }
    return straight;
}

/* Where the head does not come by what is counted for the step, its way is one of its own. */
static void head_to_piece(struct meter *meter, const struct meter_edge *before,
                          const struct meter_edge *after, uint16_t file, struct meter_step step,
                          bool there)
{
    struct meter_head *head = &meter->head;
    bool follows = meter->any && meter->last_file == file; /* the last piece is @before, and */
    bool straight = follows && !head->strayed;             /* the head stands where that ends */

    if (step.kind == METER_STEP_JUMP)
        there |= jump_head(head, before, after, step, straight);
    else if (step.kind == METER_STEP_ON && follows)
        there |= lead_head_on(head, before, after, straight);
    if (!there)
        meter_head_move(head, (struct meter_place){file, after->read_begin},
                        after->read_end - after->read_begin);
}

/*
 * Does a jump on the device cut a read of QEMU? It goes on on the guest disk and in the file, no
 * table was read before it, and no request begins there.
 */
static bool splits_read(const struct meter *meter, const struct meter_edge *before,
                        const struct meter_edge *after, bool there)
{
    return !meter->head.strayed && !there && before->source != PIECE_NO_SOURCE &&
           before->source == after->source && before->guest_off == after->guest_off &&
           after->guest_off % PIECE_REQUEST_BYTES != 0;
}

/* ---- both ---- */

void meter_step_to(struct meter *meter, const struct meter_edge *after, uint16_t number, bool there)
{
    struct meter_file *file = &meter->files[number];
    struct meter_step step = meter_step_judge(file, after);

    file->runs += !meter->any || meter->last_file != number || step.kind == METER_STEP_JUMP;
    if (meter->any && meter->last_file != number) {
        meter->file_switches++;
        meter_count_break(meter);
    }
    if (step.kind == METER_STEP_JUMP) {
        meter_count_break(meter);
        meter_step_count_jump(meter, step);
        meter->splits +=
            meter->last_file == number && splits_read(meter, &file->last, after, there);
    }
    if (!meter->any)
        meter->head.led = meter->head.any;
    meter->head.ways += meter->head.strayed && !there; /* else the right half has counted it */
    head_to_piece(meter, &file->last, after, number, step, there);
    if (!meter->any) {
        meter->any = true;
        meter->first_file = number;
    }
    if (!file->seen) {
        file->seen = true;
        file->first = *after;
    }
    meter->last_file = number;
}
