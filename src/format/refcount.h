/* SPDX-License-Identifier: MIT */
/*
 * The refcounts of an image: how many references each cluster of the file has, by the image's own
 * account. Reads them through the refcount table, whatever their width; judges the table, but not
 * the counts.
 */
#ifndef FORMAT_REFCOUNT_H
#define FORMAT_REFCOUNT_H

#include "holes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_header;
struct format_findings;
struct format_image;
struct io;

/* Counts are given with 16 bits: this stands for itself and for all that is larger. */
#define FORMAT_REFCOUNT_MOST UINT16_MAX

#define FORMAT_REFTABLE_OFFSET UINT64_C(0xfffffffffffffe00) /* of a block, in a table entry */

struct format_refcounts {
    struct io *io;  /* borrowed */
    unsigned order; /* a refcount has 1 << order bits */
    unsigned cluster_bits;
    uint64_t block_entries; /* refcounts in a block */
    uint64_t file_bytes;
    /* False: there is no table, or it is not where it could be. Then all counts read as 0. */
    bool readable;
    /* All blocks are where they could be. Else the counts of the others read as 0. */
    bool whole;
    uint64_t *blocks; /* host offset of each; 0: none, or not to be read */
    size_t n_blocks;

    /* What was read last: pieces of blocks, one behind the other. */
    unsigned char *window;
    uint64_t window_first; /* number of its first piece */
    size_t n_pieces;
    size_t piece_bytes;
    struct io_holes holes;
};

/*
 * *@is_cut: has the file lost its end? By its refcounts: they count clusters behind the end, or
 * cannot be read because they would be there. Needs the place of the refcount table in @header, and
 * no more.
 */
int format_refcounts_cut(struct io *io, uint64_t file_bytes, const struct format_header *header,
                         bool *is_cut, struct err *err);

/*
 * Reads the refcount table. Findings tell what is wrong with it; a table that is missing, or past
 * the end of the file, was told with the header. Release with format_refcounts_close, also on
 * failure.
 */
int format_refcounts_open(struct format_image *image, struct format_refcounts *refcounts,
                          struct format_findings *findings, struct err *err);

void format_refcounts_close(struct format_refcounts *refcounts);

/* The counts of the clusters [first, first + n). Fast if @first goes forward. */
int format_refcounts_read(struct format_refcounts *refcounts, uint64_t first, size_t n,
                          uint16_t *counts, struct err *err);

/*
 * The first cluster from @cluster on that a block counts which is stored, or UINT64_MAX: all counts
 * are 0. What lies in a hole of the file is passed over.
 */
uint64_t format_refcounts_next(struct format_refcounts *refcounts, uint64_t cluster);

/* The byte of the file that holds the (first bits of the) count. False: no block has it. */
bool format_refcounts_place(const struct format_refcounts *refcounts, uint64_t cluster,
                            uint64_t *off);

/* @n counts from @first on, of the bytes of a block. Pure. */
void format_refcounts_decode(unsigned order, const unsigned char *bytes, uint64_t first, size_t n,
                             uint16_t *counts);

#endif
