/* SPDX-License-Identifier: MIT */
/*
 * Entries with another host offset: the inverse of format/entry.h. Pure functions of the bits,
 * which keep all that does not say where something is.
 */
#ifndef STORE_ENCODE_H
#define STORE_ENCODE_H

#include "entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An L1 entry, an L2 entry of a cluster or an entry of a bitmap table. */
static inline uint64_t store_entry_at(uint64_t entry, uint64_t off)
{
    return (entry & ~FORMAT_ENTRY_OFFSET) | off;
}

static inline uint64_t store_entry_copied(uint64_t entry, bool copied)
{
    return copied ? entry | FORMAT_ENTRY_COPIED : entry & ~FORMAT_ENTRY_COPIED;
}

/*
 * A compressed entry whose blob of @len_bytes begins at @begin: the offset, and above it how many
 * 512-byte sectors follow the one in which it begins. False: they do not fit into the entry.
 */
static inline bool store_compressed_at(unsigned cluster_bits, uint64_t begin, uint64_t len_bytes,
                                       uint64_t *entry)
{
    unsigned shift = 62 - (cluster_bits - 8);
    uint64_t sectors = ((begin & 511) + len_bytes + 511) / 512;

    if (len_bytes == 0 || begin >> shift != 0 || begin >> 56 != 0 ||
        (sectors - 1) >> (cluster_bits - 8) != 0)
        return false;
    *entry = FORMAT_ENTRY_COMPRESSED | (sectors - 1) << shift | begin;
    return true;
}

/* @n refcounts of 1 << @order bits into a block, from its first bit on; @bytes is zero. False: one
 * does not fit. The inverse of format_refcounts_decode. */
bool store_refcounts(unsigned order, const uint16_t *counts, size_t n, unsigned char *bytes);

#endif
