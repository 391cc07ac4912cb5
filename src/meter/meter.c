// SPDX-License-Identifier: MIT
/*
 * Owns the memory of a meter, the order in a batch, and the results. Counts with integers only;
 * knows nothing of entries, tables or files.
 */
#include "meter.h"

#include "general.h"
#include "tally.h"
#include "uniform.h"

#include <stdlib.h>

struct meter *meter_new(uint64_t unit_bytes, unsigned n_files)
{
    struct meter *meter = calloc(1, sizeof(*meter));

    if (meter == NULL)
        return NULL;
    meter->n_files = n_files;
    meter->files = calloc(n_files, sizeof(*meter->files));
    if (meter->files == NULL) {
        free(meter);
        return NULL;
    }
    meter_lengths_init(&meter->lengths, (unsigned)__builtin_ctzll(unit_bytes));
    return meter;
}

void meter_free(struct meter *meter)
{
    if (meter == NULL)
        return;
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        meter_sparse_jumps_free(&meter->moves[i]);
    meter_lengths_free(&meter->lengths);
    meter_head_free(&meter->head);
    free(meter->tally);
    free(meter->files);
    free(meter);
}

void meter_clear(struct meter *meter)
{
    meter->any = false;
    for (unsigned i = 0; i < meter->n_files; i++)
        meter->files[i] = (struct meter_file){.seen = false};
    meter->breaks = meter->file_switches = meter->near_jumps = meter->hole_bytes = 0;
    meter->compared = meter->splits = 0;
    meter->first_run_bytes = meter->open_run_bytes = 0;
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        meter_sparse_jumps_clear(&meter->moves[i]);
    free(meter->tally);
    meter->tally = NULL;
    meter_lengths_clear(&meter->lengths);
    meter_head_clear(&meter->head);
}

int meter_error(const struct meter *meter)
{
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        if (meter->moves[i].error != 0)
            return meter->moves[i].error;
    return meter->lengths.error != 0 ? meter->lengths.error : meter_head_error(&meter->head);
}

void meter_take(struct meter *meter, const struct piece_batch *batch)
{
    if (batch->l2_bytes > 0) {
        meter_head_move(&meter->head, (struct meter_place){batch->l2_file, batch->l2_off},
                        batch->l2_bytes);
        meter->head.at.off += batch->l2_bytes;
        meter->head.strayed = true;
        meter->head.read_bytes += batch->l2_bytes;
        meter->head.l2_bytes += batch->l2_bytes;
    }
    meter->hole_bytes += batch->hole_bytes;
    meter->compared += batch->compared;
    meter->splits += batch->splits;
    if (batch->n > 0 && batch->uniform)
        meter_uniform_take(meter, batch);
    else if (batch->n > 0)
        meter_general_take(meter, batch);
    if (batch->again_bytes > 0)
        meter_head_read_again(&meter->head,
                              (struct meter_place){batch->again_file, batch->again_off},
                              batch->again_bytes, batch->again_blob_bytes);
}

bool meter_has_jumps(const struct meter *meter)
{
    return (meter->moves[METER_BACKWARD].used | meter->moves[METER_FORWARD].used) != 0 ||
           meter->tally != NULL;
}

void meter_pour_jumps(const struct meter *meter, struct meter_jumps jumps[METER_N_DIRECTIONS])
{
    struct meter_tallied found;

    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        meter_sparse_jumps_pour(&meter->moves[i], &jumps[i]);
    for (unsigned slot = 0;
         meter->tally != NULL && meter_tally_next(meter->tally, &slot, &found);) {
        jumps[found.direction].bin[found.bin].count += found.count;
        jumps[found.direction].bin[found.bin].sum += found.sum;
    }
}

struct meter_length *meter_runs_sorted(const struct meter *meter, size_t *n)
{
    struct meter_lengths all;
    struct meter_length *sorted;

    meter_lengths_init(&all, meter->lengths.unit_bits);
    meter_lengths_merge(&all, &meter->lengths, 1);
    if (meter->breaks > 0)
        meter_lengths_add(&all, meter->first_run_bytes, 1);
    if (meter->any)
        meter_lengths_add(&all, meter->open_run_bytes, 1);
    sorted = all.error == 0 ? meter_lengths_sorted(&all, n) : NULL;
    if (all.error != 0)
        *n = 1;
    meter_lengths_free(&all);
    return sorted;
}
