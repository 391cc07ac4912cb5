// SPDX-License-Identifier: MIT
/* Owns the rows of moves. Integers only. */
#include "sparse_jumps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void meter_sparse_jumps_free(struct meter_sparse_jumps *moves)
{
    for (; moves->made != 0; moves->made &= moves->made - 1)
        free(moves->row[__builtin_ctzll(moves->made)]);
    moves->used = 0;
}

void meter_sparse_jumps_clear(struct meter_sparse_jumps *moves)
{
    for (; moves->used != 0; moves->used &= moves->used - 1)
        memset(moves->row[__builtin_ctzll(moves->used)], 0, sizeof(struct meter_sparse_jumps_row));
}

static struct meter_sparse_jumps_row *row_of(struct meter_sparse_jumps *moves, unsigned i)
{
    const uint64_t bit = UINT64_C(1) << i;

    if ((moves->made & bit) == 0) {
        moves->row[i] = calloc(1, sizeof(*moves->row[i]));
        if (moves->row[i] == NULL) {
            moves->error = -ENOMEM;
            return NULL;
        }
        moves->made |= bit;
    }
    moves->used |= bit;
    return moves->row[i];
}

void meter_sparse_jumps_add_bin(struct meter_sparse_jumps *moves, unsigned bin, uint64_t count,
                                unsigned __int128 sum)
{
    struct meter_sparse_jumps_row *row = row_of(moves, bin / 16);

    if (row == NULL)
        return;
    row->used |= 1u << bin % 16;
    row->count[bin % 16] += count;
    row->sum[bin % 16] += sum;
}

static void merge_row(struct meter_sparse_jumps_row *sum, const struct meter_sparse_jumps_row *more,
                      uint64_t times)
{
    sum->used |= more->used;
    for (uint32_t used = more->used; used != 0; used &= used - 1) {
        unsigned i = (unsigned)__builtin_ctz(used);

        sum->count[i] += times * more->count[i];
        sum->sum[i] += times * more->sum[i];
    }
}

void meter_sparse_jumps_merge(struct meter_sparse_jumps *sum, const struct meter_sparse_jumps *more,
                              uint64_t times)
{
    if (more->error != 0)
        sum->error = more->error;
    for (uint64_t used = more->used; used != 0; used &= used - 1) {
        unsigned i = (unsigned)__builtin_ctzll(used);
        struct meter_sparse_jumps_row *row = row_of(sum, i);

        if (row != NULL)
            merge_row(row, more->row[i], times);
    }
}

/* Of a word, the bits from @first on, which may be behind its end. */
static uint64_t from(uint64_t bits, unsigned first)
{
    return first < 64 ? bits >> first << first : 0;
}

bool meter_sparse_jumps_next(const struct meter_sparse_jumps *moves,
                             struct meter_sparse_jumps_bin *bin)
{
    unsigned next = (unsigned)(bin->bin + 1);

    for (uint64_t rows = from(moves->used, next / 16); rows != 0; rows &= rows - 1) {
        unsigned i = (unsigned)__builtin_ctzll(rows);
        const struct meter_sparse_jumps_row *row = moves->row[i];

        for (uint64_t bins = from(row->used, i == next / 16 ? next % 16 : 0); bins != 0;
             bins &= bins - 1) {
            unsigned j = (unsigned)__builtin_ctzll(bins);

            if (row->count[j] == 0) /* all of it was taken back */
                continue;
            *bin = (struct meter_sparse_jumps_bin){(int)(16 * i + j), row->count[j], row->sum[j]};
            return true;
        }
    }
    return false;
}

void meter_sparse_jumps_pour(const struct meter_sparse_jumps *moves, struct meter_jumps *jumps)
{
    for (uint64_t used = moves->used; used != 0; used &= used - 1) {
        unsigned i = (unsigned)__builtin_ctzll(used);

        for (unsigned j = 0; j < 16; j++) {
            jumps->bin[16 * i + j].count += moves->row[i]->count[j];
            jumps->bin[16 * i + j].sum += moves->row[i]->sum[j];
        }
    }
}
