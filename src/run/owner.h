/* SPDX-License-Identifier: MIT */
/*
 * Who owns the space of an image file: each cluster has one owner, the first that applies of
 * metadata, active data, VM state and snapshots; what nobody refers to is leaked or free.
 *
 * Memory: a window over the file of at most 32 MiB, which are 2^25 clusters, or 2^24 if counts are
 * large; a longer file takes several passes over the tables.
 */
#ifndef RUN_OWNER_H
#define RUN_OWNER_H

#include "opt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_findings;
struct format_image;

enum run_owner {
    RUN_OWNER_SNAPSHOT, /* the first four as enum run_class */
    RUN_OWNER_VM_STATE,
    RUN_OWNER_ACTIVE,
    RUN_OWNER_METADATA,
    RUN_OWNER_LEAKED,
    RUN_OWNER_FREE,
    RUN_N_OWNERS,
};

#define RUN_OWNER_WINDOW_BYTES (UINT64_C(32) << 20)
/*
 * The same as 2^32 clusters: 256 TiB of clusters of 64 KiB. Windows are only where something is,
 * so that it takes a hostile image to need so many.
 */
#define RUN_OWNER_WINDOWS_MAX 128

struct run_owner_options {
    bool written;     /* somebody may be writing to it: nothing is judged */
    const bool *told; /* as in claim.h */
    struct format_findings *findings;
    uint64_t window_bytes; /* 0: RUN_OWNER_WINDOW_BYTES */
};

/* Gaps of 2^i clusters up to twice that. */
struct run_gap_class {
    uint64_t gaps, clusters;
};

struct run_owners {
    bool known;         /* false: the clusters lie too far apart, and nothing below is known */
    bool leaks_known;   /* false: the refcounts do not tell; what is leaked counts as free */
    uint64_t end_bytes; /* behind the last cluster in use; may exceed the length of the file */
    uint64_t bytes[RUN_N_OWNERS]; /* of the file, up to its last cluster in use */
    uint64_t tail_bytes;          /* of the file, behind it */
    uint64_t gaps, gap_max_bytes; /* maximal stretches of free clusters; the longest one */
    struct run_gap_class gap_classes[64];
    uint64_t low, high; /* clusters with references, but too low or too high a refcount */
    uint64_t left_out;  /* damaged entries: what they hold is not part of all this */
    uint64_t untold;    /* of these, not told by others */
    unsigned windows;   /* that it took */
    /* For each snapshot: clusters that it alone refers to. Unknown if it cannot be read. */
    struct opt_u64 *exclusive_clusters;
    size_t n_snapshots;
};

/* Release with run_owners_free, also on failure. */
int run_owner_find(struct format_image *image, const struct run_owner_options *options,
                   struct run_owners *owners, struct err *err);

void run_owners_free(struct run_owners *owners);

#endif
