/* SPDX-License-Identifier: MIT */
/*
 * The figures of a walk over pieces in guest order: breaks, jumps, runs. Definitions: see
 * doc/definitions.md.
 *
 * A meter is a monoid. Cut a walk into parts anywhere, give each part a meter of its own, merge
 * them from left to right, and the result is that of the whole walk, to the last bit. So parts can
 * be walked by several threads, and the result for a shared L2 table can be used again.
 */
#ifndef METER_METER_H
#define METER_METER_H

#include "batch.h"
#include "edge.h"
#include "head.h"
#include "jumps.h"
#include "lengths.h"
#include "sparse_jumps.h"

#include <stdbool.h>
#include <stdint.h>

struct meter_tally;

/* Each file keeps its own last position: steps go from piece to piece of one file. */
struct meter_file {
    bool seen; /* false: no piece in it yet, and the edges mean nothing */
    struct meter_edge first, last;
    uint64_t runs;  /* contiguous runs in it */
    uint64_t bytes; /* mapped guest bytes in it */
};

struct meter {
    unsigned n_files;
    struct meter_file *files;
    bool any;                       /* false: no piece yet */
    uint16_t first_file, last_file; /* of the first and the last piece */
    uint64_t file_switches;         /* the last piece was in another file; each is a break */
    uint64_t breaks;                /* with switches. A switch may be a jump in its file as well */
    uint64_t near_jumps;
    uint64_t hole_bytes;          /* guest bytes whose host bytes do not exist, see piece/batch.h */
    uint64_t compared;            /* pieces of clusters, and */
    uint64_t splits;              /* reads that the device cuts, see piece/batch.h */
    uint64_t first_run_bytes;     /* mapped bytes before the first break; valid if breaks > 0 */
    uint64_t open_run_bytes;      /* mapped bytes since the last break, or since the begin */
    struct meter_lengths lengths; /* runs that have a break on either side */
    struct meter_head head;
    struct meter_sparse_jumps moves[METER_N_DIRECTIONS]; /* jumps, with those that stand in */
    struct meter_tally *tally;                           /* NULL: none */
};

/*
 * @unit_bytes: the granule of run lengths, a power of two; only speed depends on it. File numbers
 * of pieces and tables are below @n_files. NULL without memory.
 */
struct meter *meter_new(uint64_t unit_bytes, unsigned n_files);

/* NULL is allowed. */
void meter_free(struct meter *meter);

/* Forgets all pieces. */
void meter_clear(struct meter *meter);

/* The pieces of @batch follow those seen so far. Pieces of zero clusters are passed over. */
void meter_take(struct meter *meter, const struct piece_batch *batch);

/* The pieces of @right follow those of @left. */
void meter_merge(struct meter *left, const struct meter *right);

/*
 * A meter that takes pieces has a room of 32 KiB to count their jumps in. Settled, it has none,
 * until it takes pieces again, and is quicker to merge into others. Nothing else changes.
 */
void meter_settle(struct meter *meter);

/*
 * The two halves of a merge. meter_join does all that depends on the order, with the pieces of
 * @right @shift bytes further on the guest disk than they were metered (modulo 2^64); it takes a
 * moment, however large the meters. meter_add_inner adds what does not: jumps and runs strictly
 * inside @right, @times times. A meter that follows at many places is joined at each of them, and
 * its inner part added once.
 */
void meter_join(struct meter *left, const struct meter *right, uint64_t shift);
void meter_add_inner(struct meter *left, const struct meter *right, uint64_t times);

/* False: there are none to be added. */
bool meter_has_jumps(const struct meter *meter);

/* Adds all jumps between pieces, switches from file to file aside. */
void meter_pour_jumps(const struct meter *meter, struct meter_jumps jumps[METER_N_DIRECTIONS]);

/* -ENOMEM if memory ran out at any time, else 0. */
int meter_error(const struct meter *meter);

/* Contiguous runs of each length, the two outer ones included: as meter_lengths_sorted. */
struct meter_length *meter_runs_sorted(const struct meter *meter, size_t *n);

#endif
