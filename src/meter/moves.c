// SPDX-License-Identifier: MIT
/* Owns the rows of moves. Integers only. */
#include "moves.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void meter_moves_free(struct meter_moves *moves)
{
    for (unsigned i = 0; i < METER_MOVE_ROWS; i++)
        free(moves->row[i]);
}

void meter_moves_clear(struct meter_moves *moves)
{
    for (unsigned i = 0; i < METER_MOVE_ROWS; i++)
        if (moves->row[i] != NULL)
            memset(moves->row[i], 0, sizeof(*moves->row[i]));
}

static struct meter_move_row *row_of(struct meter_moves *moves, unsigned i)
{
    if (moves->row[i] == NULL) {
        moves->row[i] = calloc(1, sizeof(*moves->row[i]));
        if (moves->row[i] == NULL)
            moves->error = -ENOMEM;
    }
    return moves->row[i];
}

void meter_moves_add_bin(struct meter_moves *moves, unsigned bin, uint64_t count,
                         unsigned __int128 sum)
{
    struct meter_move_row *row = row_of(moves, bin / 16);

    if (row == NULL)
        return;
    row->count[bin % 16] += count;
    row->sum[bin % 16] += sum;
}

void meter_moves_add(struct meter_moves *moves, uint64_t distance, int times)
{
    meter_moves_add_bin(moves, meter_jump_bin_of(distance), (uint64_t)times,
                        (unsigned __int128)times * distance);
}

void meter_moves_merge(struct meter_moves *sum, const struct meter_moves *more, uint64_t times)
{
    if (more->error != 0)
        sum->error = more->error;
    for (unsigned i = 0; i < METER_MOVE_ROWS; i++) {
        const struct meter_move_row *from = more->row[i];
        struct meter_move_row *to = from != NULL ? row_of(sum, i) : NULL;

        for (unsigned j = 0; to != NULL && j < 16; j++) {
            to->count[j] += times * from->count[j];
            to->sum[j] += times * from->sum[j];
        }
    }
}

void meter_moves_pour(const struct meter_moves *moves, struct meter_jumps *jumps)
{
    for (unsigned i = 0; i < METER_MOVE_ROWS; i++) {
        for (unsigned j = 0; moves->row[i] != NULL && j < 16; j++) {
            jumps->bin[16 * i + j].count += moves->row[i]->count[j];
            jumps->bin[16 * i + j].sum += moves->row[i]->sum[j];
        }
    }
}
