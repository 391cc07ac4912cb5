/* SPDX-License-Identifier: MIT */
/*
 * Pieces in guest order, joined into runs: as long as they go on in one file, and in one place of
 * what is under it. Blobs stay alone.
 */
#ifndef WALK_RUNS_H
#define WALK_RUNS_H

#include "batch.h"
#include "opt.h"

#include <stdbool.h>
#include <stdint.h>

/* Where a stretch of a file lies, and how much of it goes on there. */
struct walk_place {
    struct opt_u64 physical;
    bool encoded; /* in one stored extent, which has only one place */
    uint64_t bytes;
};

struct walk_run {
    struct piece piece;      /* all of them as one; guest_bytes 0: there is none */
    struct opt_u64 physical; /* of its first byte */
    bool encoded;
};

/* The first three members are the caller's to fill; the rest is 0 at first. */
struct walk_runs {
    struct walk_place (*place_of)(void *context, unsigned file, uint64_t off, uint64_t end);
    int (*take)(void *context, const struct walk_run *run); /* a run is whole */
    void *context;
    struct walk_run open; /* may still grow */
};

/* The next piece. Returns what take returned, if that was negative. */
int walk_runs_add(struct walk_runs *runs, struct piece piece);

/* No more pieces follow. Likewise. */
int walk_runs_end(struct walk_runs *runs);

#endif
