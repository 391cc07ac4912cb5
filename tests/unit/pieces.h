/* SPDX-License-Identifier: MIT */
/* Pieces in batches of either shape, for meters. */
#ifndef UNIT_PIECES_H
#define UNIT_PIECES_H

#include "batch.h"
#include "meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PIECES_FILES 3

static inline struct piece_batch *pieces_new_batch(uint64_t cluster_bytes, size_t n)
{
    struct piece_batch *batch = malloc(sizeof(*batch));

    assert_non_null(batch);
    assert_true(n <= PIECE_BATCH_MAX);
    memset(batch, 0xa5, sizeof(*batch)); /* what is not filled must not matter */
    piece_batch_clear(batch);
    batch->cluster_bytes = cluster_bytes;
    batch->n = (uint32_t)n;
    return batch;
}

/* The cluster of data number @guest of the disk, wherever it lies now. */
static inline struct piece pieces_data(uint64_t cluster_bytes, uint64_t guest)
{
    static uint64_t host;

    host += 77 * cluster_bytes;
    return (struct piece){.kind = PIECE_DATA,
                          .guest_off = guest * cluster_bytes,
                          .guest_bytes = cluster_bytes,
                          .begin = host,
                          .end = host + cluster_bytes,
                          .mapped_bytes = cluster_bytes};
}

/* One general batch. */
static inline void pieces_take(struct meter *meter, const struct piece *pieces, size_t n)
{
    struct piece_batch *batch = pieces_new_batch(0, 0);

    batch->uniform = false;
    for (size_t i = 0; i < n; i++)
        piece_batch_add(batch, &pieces[i]);
    meter_take(meter, batch);
    free(batch);
}

/* A batch without pieces: only the read of a table. */
static inline void pieces_take_table(struct meter *meter, uint16_t file, uint64_t off,
                                     uint64_t bytes)
{
    struct piece_batch *batch = pieces_new_batch(0, 0);

    batch->l2_file = file;
    batch->l2_off = off;
    batch->l2_bytes = bytes;
    meter_take(meter, batch);
    free(batch);
}

/* @n is a multiple of 64, and the pieces are whole clusters that follow one another in the guest.
 */
static inline struct piece_batch *pieces_uniform_batch(const struct piece *pieces, size_t n)
{
    struct piece_batch *batch = pieces_new_batch(pieces[0].guest_bytes, n);

    assert_true(n % 64 == 0 && n > 0);
    batch->uniform = true;
    batch->guest_first = pieces[0].guest_off;
    batch->file = pieces[0].file;
    memset(batch->breaks, 0, sizeof(batch->breaks));
    batch->breaks[0] = 1; /* means nothing */
    for (size_t i = 0; i < n; i++) {
        batch->begin[i] = pieces[i].begin;
        if (i > 0 && pieces[i].begin != pieces[i - 1].end)
            batch->breaks[i / 64] |= UINT64_C(1) << (i % 64);
    }
    return batch;
}

static inline void pieces_take_uniform(struct meter *meter, const struct piece *pieces, size_t n)
{
    struct piece_batch *batch = pieces_uniform_batch(pieces, n);

    meter_take(meter, batch);
    free(batch);
}

/* All jumps of one direction. */
static inline struct meter_jump_total pieces_jumps(const struct meter *meter,
                                                   enum meter_direction direction)
{
    struct meter_jumps jumps[METER_N_DIRECTIONS] = {0};

    meter_pour_jumps(meter, jumps);
    return meter_jumps_total(&jumps[direction]);
}

/* A new meter that has seen the pieces, in general batches. */
static inline struct meter *pieces_metered(uint64_t cluster_bytes, const struct piece *pieces,
                                           size_t n)
{
    struct meter *meter = meter_new(cluster_bytes, PIECES_FILES);

    assert_non_null(meter);
    for (size_t at = 0; at < n; at += PIECE_BATCH_MAX)
        pieces_take(meter, pieces + at, n - at < PIECE_BATCH_MAX ? n - at : PIECE_BATCH_MAX);
    return meter;
}

#endif
