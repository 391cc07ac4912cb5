/* SPDX-License-Identifier: MIT */
/*
 * A stage of the pipeline: takes batches in guest order and gives batches to a sink.
 *
 * A walk may be cut into parts at any batch, each part with a state of its own; so a state keeps
 * nothing of what a batch said, only what makes the next one cheaper.
 */
#ifndef PIECE_STAGE_H
#define PIECE_STAGE_H

#include "batch.h"

struct piece_stage {
    const void *shared;  /* changed by nobody during a walk, used by all threads */
    unsigned n_files;    /* file numbers in the batches that it gives are below this */
    uint64_t unit_bytes; /* most lengths in them are multiples of this; a power of two */
    /* For one thread at a time. NULL without memory. */
    void *(*state_new)(const void *shared);
    void (*state_free)(void *state); /* NULL is allowed */
    /* Returns 0 or what the sink returned. */
    int (*take)(void *state, const struct piece_batch *batch, struct piece_sink sink);
};

#endif
