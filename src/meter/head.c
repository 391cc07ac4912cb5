// SPDX-License-Identifier: MIT
/* Owns the place of the head and its detours. Knows no pieces. */
#include "head.h"

void meter_head_free(struct meter_head *head)
{
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        meter_sparse_jumps_free(&head->detours[i]);
    meter_sparse_jumps_free(&head->gaps);
    meter_sparse_jumps_free(&head->again);
}

void meter_head_clear(struct meter_head *head)
{
    head->any = head->led = head->strayed = false;
    head->read_bytes = head->l2_bytes = head->again_bytes = head->missing_bytes = 0;
    head->ways = head->switches = 0;
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        meter_sparse_jumps_clear(&head->detours[i]);
    meter_sparse_jumps_clear(&head->gaps);
    meter_sparse_jumps_clear(&head->again);
}

uint64_t meter_head_move(struct meter_head *head, struct meter_place to, uint64_t bytes)
{
    uint64_t buffered = 0;

    if (!head->any) {
        head->any = true;
        head->first = to;
        head->first_bytes = bytes;
    } else if (head->at.file != to.file) {
        head->switches++;
    } else if (to.off > head->at.off) {
        meter_sparse_jumps_add(&head->detours[METER_FORWARD], to.off - head->at.off, 1);
    } else if (to.off < head->at.off) {
        uint64_t back = head->at.off - to.off;

        buffered = meter_head_buffered(back, bytes);
        if (back > METER_HEAD_BUFFER_BYTES)
            meter_sparse_jumps_add(&head->detours[METER_BACKWARD], back, 1);
    }
    head->at = to;
    head->read_bytes -= buffered;
    return buffered;
}

void meter_head_take_back(struct meter_head *head, enum meter_direction direction,
                          uint64_t distance)
{
    meter_sparse_jumps_add(&head->detours[direction], distance, -1);
}

void meter_head_step_back(struct meter_head *head, uint64_t distance, uint64_t bytes)
{
    if (distance > METER_HEAD_BUFFER_BYTES)
        return;
    meter_head_take_back(head, METER_BACKWARD, distance);
    head->read_bytes -= meter_head_buffered(distance, bytes);
}

void meter_head_read_again(struct meter_head *head, struct meter_place from, uint64_t bytes,
                           uint64_t blob_bytes)
{
    uint64_t buffered = meter_head_move(head, from, bytes);

    head->at.off += bytes;
    head->read_bytes += bytes;
    head->again_bytes += bytes - buffered;
    if (blob_bytes > METER_HEAD_BUFFER_BYTES)
        meter_sparse_jumps_add(&head->again, blob_bytes, 1);
}

void meter_head_join(struct meter_head *left, const struct meter_head *right)
{
    left->read_bytes += right->read_bytes;
    left->l2_bytes += right->l2_bytes;
    left->again_bytes += right->again_bytes;
    left->missing_bytes += right->missing_bytes;
    left->ways += right->ways;
    left->switches += right->switches;
    left->strayed = right->strayed;
    left->at = right->at;
}

void meter_head_add_inner(struct meter_head *left, const struct meter_head *right, uint64_t times)
{
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        meter_sparse_jumps_merge(&left->detours[i], &right->detours[i], times);
    meter_sparse_jumps_merge(&left->gaps, &right->gaps, times);
    meter_sparse_jumps_merge(&left->again, &right->again, times);
}

int meter_head_error(const struct meter_head *head)
{
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        if (head->detours[i].error != 0)
            return head->detours[i].error;
    return head->gaps.error != 0 ? head->gaps.error : head->again.error;
}
