/* SPDX-License-Identifier: MIT */
/*
 * The compressed clusters of an image, and how they are packed again. Of a blob the entry tells
 * only how many sectors it touches; where it ends is known once all blobs are: at the latest where
 * the next one begins. So they are collected first, 16 bytes each.
 */
#ifndef DEFRAG_BLOBS_H
#define DEFRAG_BLOBS_H

#include "moves.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEFRAG_BLOB_CLUSTERS_MAX                                                                   \
    4 /* that one may touch: two clusters and a sector, from anywhere */

struct defrag_blobs {
    /* Filled by the caller. */
    unsigned cluster_bits;
    uint64_t most_refs;    /* that a cluster may have: refcount_max */
    uint64_t refs_of_blob; /* that each may have, at most */

    struct defrag_packed *list; /* moves, by rising from once they are all there */
    size_t n_list, cap_list;
    size_t found; /* the one that was looked for last */

    bool open;              /* the cluster before next has room for others, from next on */
    uint64_t next;          /* a byte of the new file */
    uint64_t counted_first; /* the new cluster of which counted[0] tells */
    uint64_t counted[DEFRAG_BLOB_CLUSTERS_MAX]; /* references to it, by blobs */
};

void defrag_blobs_free(struct defrag_blobs *blobs);

/* One that begins at @begin, and touches no sector from @end on. Any number of times. 0, -ENOMEM or
 * -EFBIG beyond DEFRAG_OFFSET_END. */
int defrag_blobs_add(struct defrag_blobs *blobs, uint64_t begin, uint64_t end);

/* They are all there: from now on each is one, as long as it can be. */
void defrag_blobs_settle(struct defrag_blobs *blobs);

/* Its index; SIZE_MAX: there is none that begins so. */
size_t defrag_blobs_find(struct defrag_blobs *blobs, uint64_t begin);

bool defrag_blobs_is_placed(const struct defrag_blobs *blobs, size_t i);

/*
 * Puts it behind the last one, or at @fresh, the begin of a cluster, if none is open.
 * Returns its length.
 */
uint64_t defrag_blobs_place(struct defrag_blobs *blobs, size_t i, uint64_t fresh);

/* It goes to a place that is not for others. */
void defrag_blobs_pin(struct defrag_blobs *blobs, size_t i, uint64_t to);

/* No other follows. The begin of the first cluster that none of them touches; 0: none is open. */
uint64_t defrag_blobs_close(struct defrag_blobs *blobs);

/* Adds those that were placed to @moves, each with its length. 0 or -ENOMEM. */
int defrag_blobs_move(const struct defrag_blobs *blobs, struct defrag_moves *moves);

#endif
