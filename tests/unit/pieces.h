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

static inline struct run_batch *pieces_new_batch(uint64_t cluster_bytes, size_t n)
{
    struct run_batch *batch = malloc(sizeof(*batch));

    assert_non_null(batch);
    assert_true(n <= RUN_BATCH_PIECES);
    memset(batch, 0xa5, sizeof(*batch)); /* what is not filled must not matter */
    batch->cluster_bytes = cluster_bytes;
    batch->n = (uint32_t)n;
    return batch;
}

/* One general batch. */
static inline void pieces_take(struct meter *meter, const struct run_piece *pieces, size_t n)
{
    struct run_batch *batch = pieces_new_batch(meter->cluster_bytes, n);

    batch->uniform = false;
    for (size_t i = 0; i < n; i++) {
        batch->kind[i] = (uint8_t)pieces[i].kind;
        batch->guest_off[i] = pieces[i].guest_off;
        batch->guest_bytes[i] = (uint32_t)pieces[i].guest_bytes;
        batch->begin[i] = pieces[i].begin;
        batch->end[i] = pieces[i].end;
        batch->mapped_bytes[i] = (uint32_t)pieces[i].mapped_bytes;
    }
    meter_take(meter, batch);
    free(batch);
}

/* @n is a multiple of 64, and the pieces are whole clusters that follow one another in the guest.
 */
static inline void pieces_take_uniform(struct meter *meter, const struct run_piece *pieces,
                                       size_t n)
{
    struct run_batch *batch = pieces_new_batch(meter->cluster_bytes, n);

    assert_true(n % 64 == 0 && n > 0);
    batch->uniform = true;
    batch->guest_first = pieces[0].guest_off;
    memset(batch->breaks, 0, sizeof(batch->breaks));
    batch->breaks[0] = 1; /* means nothing */
    for (size_t i = 0; i < n; i++) {
        batch->begin[i] = pieces[i].begin;
        if (i > 0 && pieces[i].begin != pieces[i - 1].end)
            batch->breaks[i / 64] |= UINT64_C(1) << (i % 64);
    }
    meter_take(meter, batch);
    free(batch);
}

/* A new meter that has seen the pieces, in general batches. */
static inline struct meter *pieces_metered(uint64_t cluster_bytes, const struct run_piece *pieces,
                                           size_t n)
{
    struct meter *meter = meter_new(cluster_bytes, cluster_bytes);

    assert_non_null(meter);
    for (size_t at = 0; at < n; at += RUN_BATCH_PIECES)
        pieces_take(meter, pieces + at, n - at < RUN_BATCH_PIECES ? n - at : RUN_BATCH_PIECES);
    return meter;
}

#endif
