/* SPDX-License-Identifier: MIT */
/*
 * A layout that does not exist yet: where `qcow2frag defrag` would put things (see defrag/plan.h),
 * and the way of a head that reads them in the order of the guest disk. Nothing is written.
 *
 * Tables stay what they are, so what is read is what is read now, from other places: clusters one
 * behind the other in guest order, blobs byte behind byte between them. L2 tables lie together in
 * front of all data, or, if clusters are small, each right before what it maps.
 *
 * How long all tables in front are together is known at the end of a walk only; until then, ways
 * between them and the data are kept by what is known of them.
 *
 * Like a meter it can be cut and merged, but only at the borders of L2 tables.
 */
#ifndef METER_DEFRAGGED_H
#define METER_DEFRAGGED_H

#include "sparse_jumps.h"

#include <stdbool.h>
#include <stdint.h>

struct piece_batch;

struct meter_defragged_shape {
    uint64_t cluster_bytes; /* a power of two */
    bool l2_in_front;
    uint64_t blob_refs, refs_max; /* that a blob gives to each cluster that it touches; its most */
};

/* Tables and data, each counted from 0. With tables among the data there is only the second. */
enum meter_region { METER_REGION_L2, METER_REGION_DATA, METER_N_REGIONS };

struct meter_defragged_place {
    enum meter_region region;
    uint64_t off;
};

/* The blobs that nothing but tables lies before: a merge may find that they go on behind others. */
struct meter_defragged_lead {
    bool blobs;    /* it begins with blobs */
    bool ended;    /* with what comes behind them, at the begin of a cluster */
    uint64_t end;  /* of the last of them */
    bool followed; /* by data, and the head goes there straight */
};

struct meter_defragged {
    struct meter_defragged_shape shape;
    bool any;                           /* something was read: the next two mean something */
    struct meter_defragged_place first; /* where the first read began */
    struct meter_defragged_place at;    /* where the head stands */
    uint64_t read_bytes;                /* tables and data */
    uint64_t end[METER_N_REGIONS]; /* of data: where the next blob goes, while blobs are open */

    uint64_t
        l2_old_off;  /* the old place of the table that the walk is in, or METER_DEFRAGGED_NONE */
    uint64_t l2_off; /* its new one, in its region */

    bool any_data;
    bool blobs_open;        /* end is that of a blob, and no border of a cluster */
    uint64_t last_blob;     /* its begin, */
    uint64_t last_blob_len; /* and length */
    uint64_t last_refs;     /* references to the cluster that it ends in */
    struct meter_defragged_lead lead;

    int64_t joined; /* of what was joined last, so much longer was the way between regions */
    struct meter_sparse_jumps ways[METER_N_DIRECTIONS]; /* inside one region */
    /* From region to region. Their length is all tables and this: [0] added, [1] taken away. */
    struct meter_sparse_jumps between[METER_N_DIRECTIONS][2];
};

#define METER_DEFRAGGED_NONE UINT64_MAX

/* NULL without memory. */
struct meter_defragged *meter_defragged_new(const struct meter_defragged_shape *shape);

/* NULL is allowed. */
void meter_defragged_free(struct meter_defragged *defragged);

/* Forgets all pieces. */
void meter_defragged_clear(struct meter_defragged *defragged);

/* The reads and pieces of @batch follow: of the image alone, in whole clusters. */
void meter_defragged_take(struct meter_defragged *defragged, const struct piece_batch *batch);

/*
 * As meter_join and meter_add_inner, which follows at once: where what is joined comes again
 * elsewhere, its ways to tables are taken to be as long as where it was joined last.
 */
void meter_defragged_join(struct meter_defragged *left, const struct meter_defragged *right);
void meter_defragged_add_inner(struct meter_defragged *left, const struct meter_defragged *right,
                               uint64_t times);

/* Adds all ways of the head. All tables in front and what else lies before the data are so long. */
void meter_defragged_pour(const struct meter_defragged *defragged, uint64_t front_bytes,
                          struct meter_jumps jumps[METER_N_DIRECTIONS]);

/* -ENOMEM if memory ran out at any time, else 0. */
int meter_defragged_error(const struct meter_defragged *defragged);

#endif
