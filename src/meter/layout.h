/* SPDX-License-Identifier: MIT */
/*
 * A layout that does not exist yet: where `qemu-img convert` would put things, and the way of a
 * head that reads them in the same order. Nothing is written.
 *
 * convert writes in guest order, and takes the next free cluster for each new thing: for an L2
 * table when the first cluster that it maps comes, then for that cluster. So the tables lie among
 * the data, each before what it maps, and a table that maps nothing is not there. With -c, blobs
 * lie byte behind byte, but not the whole way: what takes a cluster for itself lies behind the
 * cluster that is being filled, and what does not fit into the rest of that goes behind both.
 *
 * Like a meter it can be cut and merged, but only at the borders of L2 tables.
 */
#ifndef METER_LAYOUT_H
#define METER_LAYOUT_H

#include "head.h"

#include <stdbool.h>
#include <stdint.h>

/* Of the file to be, and of what is walked. The first three are powers of two. */
struct meter_layout_shape {
    uint64_t cluster_bytes;
    uint64_t part_bytes;  /* what of a cluster can be held alone: a subcluster, or all of it */
    uint64_t slice_bytes; /* of a table, read at a time */
    unsigned slice_bits;  /* a slice maps so many guest bytes, as a power of two, */
    unsigned l2_bits;     /* and a table */
    uint64_t begin, end;  /* the part of the guest disk that is walked */
    uint64_t blobs_max;   /* that may have a part in one cluster */
    bool alone;           /* all pieces are mapped clusters of this size, and of one file */
};

#define METER_LAYOUT_NONE UINT64_MAX

/* Offsets are those of a file that begins with what was placed first. */
struct meter_layout {
    struct meter_head head;
    uint64_t end; /* of the file, so far */

    /* The table that the walk is in. */
    bool in_l2;
    uint64_t l2_number;  /* its number */
    uint64_t l2_off;     /* where it will be */
    uint64_t next_slice; /* the first that has not been read */

    /* The cluster that was placed last; it may be held in parts. */
    uint64_t cluster;     /* its guest offset, or METER_LAYOUT_NONE */
    uint64_t cluster_off; /* where it will be */
    uint64_t placed;      /* guest offset up to which its parts are */

    /* The cluster that blobs are put into: the next one goes to @blob_off, and there is room up to
     * @blob_end. Equal: there is none. */
    uint64_t blob_off, blob_end;
    uint64_t blobs;     /* in the cluster of @blob_off */
    uint64_t last_blob; /* where the last one begins */
    uint64_t opened;    /* clusters that blobs were put into */
    /* From the first of them to tables behind it, over so many bytes in all; for a merge, which may
     * find that blobs lie before it. Only ways so short that the gap is read over. */
    uint64_t ways, ways_bytes;

    bool any_data;
    bool led_by_blob; /* what was placed first is a blob, behind its table */
};

void meter_layout_init(struct meter_layout *layout);
void meter_layout_clear(struct meter_layout *layout);
void meter_layout_release(struct meter_layout *layout);

/* NULL without memory. Free with meter_layout_free, which takes NULL, too. */
struct meter_layout *meter_layout_copy(const struct meter_layout *layout);
void meter_layout_free(struct meter_layout *layout);

/* ---- what comes next ---- */

/* Data for the guest range [begin, end): new clusters, and more parts of the last one. */
void meter_layout_add_range(struct meter_layout *layout, const struct meter_layout_shape *shape,
                            uint64_t begin, uint64_t end);

/* So many whole clusters of one slice, the first for @guest_off. */
void meter_layout_add_clusters(struct meter_layout *layout, const struct meter_layout_shape *shape,
                               uint64_t guest_off, uint64_t n);

/* A blob of at most a cluster. */
void meter_layout_add_blob(struct meter_layout *layout, const struct meter_layout_shape *shape,
                           uint64_t guest_off, uint64_t bytes);

/* Do blobs that come now all lie byte behind byte? */
bool meter_layout_packs(const struct meter_layout *layout, const struct meter_layout_shape *shape);

/* Then: blobs of one slice, in all @bytes, of which the last one has @last_bytes. */
void meter_layout_add_blobs(struct meter_layout *layout, const struct meter_layout_shape *shape,
                            uint64_t guest_off, uint64_t bytes, uint64_t last_bytes);

/* The last blob is read again. */
void meter_layout_read_again(struct meter_layout *layout);

/* The table ends: what was not read of it is. */
void meter_layout_close(struct meter_layout *layout, const struct meter_layout_shape *shape);

/* ---- merging ---- */

/* As meter_join and meter_add_inner. Both must be closed. */
void meter_layout_join(struct meter_layout *left, const struct meter_layout *right,
                       const struct meter_layout_shape *shape);
void meter_layout_add_inner(struct meter_layout *left, const struct meter_layout *right,
                            uint64_t times);

#endif
