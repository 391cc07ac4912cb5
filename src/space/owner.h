/* SPDX-License-Identifier: MIT */
/*
 * Who owns the space of an image file: each cluster has one owner, the first that applies of
 * metadata, active data, VM state and snapshots; what nobody refers to is leaked or free.
 *
 * Memory: a window over the file of at most 32 MiB, which are 2^25 clusters, or 2^24 if counts are
 * large; a longer file takes several passes over the tables.
 */
#ifndef SPACE_OWNER_H
#define SPACE_OWNER_H

#include "gap.h"
#include "opt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_findings;
struct format_image;

enum space_owner {
    SPACE_OWNER_SNAPSHOT, /* the first four as enum space_class */
    SPACE_OWNER_VM_STATE,
    SPACE_OWNER_ACTIVE,
    SPACE_OWNER_METADATA,
    SPACE_OWNER_LEAKED,
    SPACE_OWNER_FREE,
    SPACE_N_OWNERS,
};

#define SPACE_OWNER_WINDOW_BYTES (UINT64_C(32) << 20)
/*
 * The same as 2^32 clusters: 256 TiB of clusters of 64 KiB. Windows are only where something is,
 * so that it takes a hostile image to need so many.
 */
#define SPACE_OWNER_WINDOWS_MAX 128

/*
 * All tables are gone through for each window: a file of some MiB could make that last for minutes.
 * This is about a second, and one for each 64 MiB that are stored.
 */
#define SPACE_OWNER_WORK_BYTES (UINT64_C(1) << 30)
#define SPACE_OWNER_WORK_TIMES 16

/*
 * Clusters [first, first + n) have this owner: all of the file up to its last cluster in use, in
 * order, in whatever stretches. At begin they start anew.
 */
struct space_owner_sink {
    void (*begin)(void *context);
    void (*take)(void *context, enum space_owner owner, uint64_t first, uint64_t n);
    void *context;
};

struct space_owner_options {
    bool written;     /* somebody may be writing to it: nothing is judged */
    const bool *told; /* as in refs.h */
    struct format_findings *findings;
    const struct space_gap_sink *gaps;     /* who else wants to know of each; NULL: nobody */
    const struct space_owner_sink *owners; /* who wants to know each; NULL: nobody */
    uint64_t window_bytes;                 /* 0: SPACE_OWNER_WINDOW_BYTES */
    /* Once more than this was looked at, no other window is begun, see space_refs_work_bytes.
     * 0: SPACE_OWNER_WORK_BYTES and SPACE_OWNER_WORK_TIMES what the file stores. */
    uint64_t work_bytes;
};

struct space_owners {
    bool known;         /* false: the clusters lie too far apart, and nothing below is known */
    bool leaks_known;   /* false: the refcounts do not tell; what is leaked counts as free */
    bool whole;         /* false: damage hides references, so what seems leaked may be data */
    uint64_t end_bytes; /* behind the last cluster in use; may exceed the length of the file */
    uint64_t bytes[SPACE_N_OWNERS]; /* of the file, up to its last cluster in use */
    uint64_t tail_bytes;            /* of the file, behind it */
    struct space_gap_histogram gaps;
    uint64_t low, high; /* clusters with references, but too low or too high a refcount */
    uint64_t left_out;  /* damaged entries: what they hold is not part of all this */
    uint64_t untold;    /* of these, not told by others */
    unsigned windows;   /* that it took */
    /* For each snapshot: clusters that it alone refers to. Unknown if it cannot be read. */
    struct opt_u64 *exclusive_clusters;
    size_t n_snapshots;
};

/* Release with space_owners_free, also on failure. */
int space_owner_find(struct format_image *image, const struct space_owner_options *options,
                     struct space_owners *owners, struct err *err);

void space_owners_free(struct space_owners *owners);

#endif
