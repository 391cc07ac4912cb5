/* SPDX-License-Identifier: MIT */
/*
 * What only the reader of entries can count. Plain sums: the counts of two parts of an image add
 * up to those of both, in any order.
 */
#ifndef PIECE_COUNTS_H
#define PIECE_COUNTS_H

#include <stdint.h>

/* A spinning disk reads over so much rather than to seek: 4.97 ms at 150 MB/s (meter/disk.c). */
#define PIECE_READ_OVER_BYTES 745500

struct piece_counts {
    uint64_t mapped_clusters;
    uint64_t mapped_bytes;
    uint64_t compressed_clusters;
    uint64_t zero_clusters; /* with the next */
    uint64_t zero_allocated_clusters;
    /* Between data of one slice: those that keep space, and so lie between the data in the file.
     * Of each gap at most what a spinning disk reads over. */
    uint64_t kept_gap_bytes;
    uint64_t corrupt_entries; /* of L1 and L2 tables */
    uint64_t pieces;          /* along a chain: that the walk compares, and the score counts */
    uint64_t reads;           /* data reads that QEMU issues in requests of 1 MiB */
    uint64_t reads_unbroken;  /* the same without any break */
    uint64_t l2_tables;       /* L1 entries that name one, also beyond the end of the disk */
    uint64_t l2_mapped;       /* of those, with a mapped cluster on the disk, */
    uint64_t l2_zero;         /* or else with a zero cluster */
    /* The formula of `qemu-img check`, over the whole L1 table. */
    uint64_t check_allocated;
    uint64_t check_fragmented;
    uint64_t check_compressed;
};

static inline void piece_counts_add(struct piece_counts *sum, const struct piece_counts *more)
{
    sum->mapped_clusters += more->mapped_clusters;
    sum->mapped_bytes += more->mapped_bytes;
    sum->compressed_clusters += more->compressed_clusters;
    sum->zero_clusters += more->zero_clusters;
    sum->zero_allocated_clusters += more->zero_allocated_clusters;
    sum->kept_gap_bytes += more->kept_gap_bytes;
    sum->corrupt_entries += more->corrupt_entries;
    sum->pieces += more->pieces;
    sum->reads += more->reads;
    sum->reads_unbroken += more->reads_unbroken;
    sum->l2_tables += more->l2_tables;
    sum->l2_mapped += more->l2_mapped;
    sum->l2_zero += more->l2_zero;
    sum->check_allocated += more->check_allocated;
    sum->check_fragmented += more->check_fragmented;
    sum->check_compressed += more->check_compressed;
}

#endif
