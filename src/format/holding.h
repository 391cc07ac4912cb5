/* SPDX-License-Identifier: MIT */
/*
 * Which bytes of the file an L2 entry holds, whatever it means to the guest: what its reference in
 * the refcounts is for. A pure function of the entry's bits.
 *
 * QEMU's check_refcounts_l2 (block/qcow2-refcount.c) decides by the type of the entry alone: a zero
 * cluster with an offset holds its cluster, and so does an extended entry whose bits contradict
 * each other, or of which none is set.
 */
#ifndef FORMAT_HOLDING_H
#define FORMAT_HOLDING_H

#include "entry.h"

#include <stdbool.h>
#include <stdint.h>

struct format_holding {
    uint64_t begin, end; /* host offsets, half open; equal: nothing */
    bool left_out;       /* damaged: what it should hold cannot be known, or not in full */
};

static inline struct format_holding format_holding_of(const struct format_entry_rules *rules,
                                                      uint64_t entry, uint64_t bitmap)
{
    uint64_t off = entry & FORMAT_ENTRY_OFFSET;
    uint64_t begin = off & ~(rules->cluster_bytes - 1);

    if (entry & FORMAT_ENTRY_COMPRESSED) {
        struct format_entry blob = format_compressed_of(rules, entry, bitmap);

        return blob.kind == FORMAT_INVALID ? (struct format_holding){0, 0, true}
                                           : (struct format_holding){blob.begin, blob.end, false};
    }
    if (rules->external_data || !format_has_cluster(rules, entry))
        return (struct format_holding){0, 0, false};
    if (format_past_end(rules, begin, begin + rules->cluster_bytes))
        return (struct format_holding){0, 0, true};
    return (struct format_holding){begin, begin + rules->cluster_bytes, off != begin};
}

#endif
