/* SPDX-License-Identifier: MIT */
/*
 * A new place for all that an image holds: what is put in order, and how. Made from the references
 * of the image alone; touches no file but to read the tables.
 *
 * From front to back: header, L1 table, refcount table (with room for the whole disk) and refcount
 * blocks, snapshot table, L1 tables of snapshots; the L2 tables; the data of the active disk in the
 * guest's order; what snapshots alone hold, in the order of the newest that does; saved VM states;
 * bitmaps. With clusters below 64 KiB each L2 table lies right before the first data that it maps.
 */
#ifndef DEFRAG_PLAN_H
#define DEFRAG_PLAN_H

#include "bits.h"
#include "moves.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_image;
struct format_refcounts;

/* A stretch of the new file: half open. */
struct defrag_extent {
    uint64_t begin, end;
};

struct defrag_plan {
    const struct format_image *image; /* the source, borrowed */
    bool reserve;                     /* each guest cluster has a place of its own */

    struct defrag_moves data;      /* data clusters and bits of bitmaps */
    struct defrag_moves blobs;     /* each with its length; a few share a cluster of data */
    struct defrag_moves l2_tables; /* L2 tables, likewise by where they were */
    struct defrag_moves l2_there;  /* the same, sorted by where they go */

    /* Bits by old clusters, of the whole file. */
    size_t n_clusters;
    uint64_t *shared; /* has more than one reference */
    uint64_t *zeros;  /* is left out, since it is all zeros; NULL: none is */

    /* The new file. Places of what is not there are 0. */
    uint64_t l1_off, reftable_off, reftable_bytes, refblocks_off, n_refblocks;
    uint64_t snapshots_off, *snapshot_l1_offs; /* [n_list] */
    uint64_t bitmaps_off, *bitmap_table_offs;  /* [n_list] */
    uint64_t reserved_l2_off, reserved_off;    /* with reserve: of guest cluster 0, in step */
    struct defrag_extent active[2]; /* where L2 tables are those of the active L1 table */
    uint64_t file_bytes;

    uint64_t moved_bytes;    /* of data, blobs and bits */
    uint64_t metadata_bytes; /* of the new file */
};

struct defrag_plan_options {
    bool reserve;
    const uint64_t *zeros; /* copied; bits by old clusters; NULL: none */
};

/*
 * @image has been found sound. Release with defrag_plan_free, also on failure. The error says what
 * kind of image cannot be planned for, and why.
 */
int defrag_plan_make(struct format_image *image, struct format_refcounts *refcounts,
                     const struct defrag_plan_options *options, struct defrag_plan *plan,
                     struct err *err);

void defrag_plan_free(struct defrag_plan *plan);

/* Is this L2 table, by its new place, one of the active L1 table? */
bool defrag_plan_is_active(const struct defrag_plan *plan, uint64_t l2_to);

#endif
