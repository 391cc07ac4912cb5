/* SPDX-License-Identifier: MIT */
/*
 * What one L1 or L2 entry says: pure functions of the entry's bits. They read nothing, so every
 * combination can be tested.
 *
 * The order of the decisions is QEMU's (block/qcow2.h: qcow2_get_cluster_type and
 * qcow2_get_subcluster_type): compressed first, then the zero flag, then the offset.
 */
#ifndef FORMAT_ENTRY_H
#define FORMAT_ENTRY_H

#include "finding.h"
#include "sector.h"

#include <stdbool.h>
#include <stdint.h>

#define FORMAT_ENTRY_COPIED (UINT64_C(1) << 63)
#define FORMAT_ENTRY_COMPRESSED (UINT64_C(1) << 62)
#define FORMAT_ENTRY_ZERO UINT64_C(1)
#define FORMAT_ENTRY_OFFSET UINT64_C(0x00fffffffffffe00) /* bits 9 .. 55 */
#define FORMAT_L1_RESERVED UINT64_C(0x7f000000000001ff)
#define FORMAT_L2_RESERVED UINT64_C(0x3f000000000001fe)
#define FORMAT_SUBCLUSTERS 32

/* No damage: a value that is no finding. */
#define FORMAT_SOUND FORMAT_FINDING_N_CODES

/* What the meaning of an entry depends on, taken from the header once. */
struct format_entry_rules {
    unsigned cluster_bits;
    uint64_t cluster_bytes;
    uint64_t file_bytes; /* may grow while the image is in use: ask again before judging */
    bool version_2;
    bool extended_l2;
    bool external_data;
};

/*
 * A host cluster may begin before the end of the file and end behind it: the last cluster of an
 * image may be partly written. It is damage when a whole cluster or more is missing (the rule of
 * QEMU's qcow2_inc_refcounts_imrt).
 */
static inline bool format_past_end(const struct format_entry_rules *rules, uint64_t begin,
                                   uint64_t end)
{
    return begin >= rules->file_bytes ||
           (end > rules->file_bytes && end - rules->file_bytes >= rules->cluster_bytes);
}

/* Damage that is none in a longer file: it is believed only after another look at how long it is.
 */
static inline bool format_may_be_growth(enum format_finding_code damage)
{
    return damage == FORMAT_FINDING_L1_PAST_END || damage == FORMAT_FINDING_L2_PAST_END ||
           damage == FORMAT_FINDING_L2_COMPRESSED_PAST_END;
}

/*
 * QEMU writes an L2 table whole before it points to it (l2_allocate flushes the table first), so
 * one that the file ends in has been cut.
 */
struct format_l1_entry {
    uint64_t l2_off;                 /* host offset of the L2 table; 0: none, or not to be read */
    enum format_finding_code damage; /* or FORMAT_SOUND */
};

static inline struct format_l1_entry format_l1_entry_of(const struct format_entry_rules *rules,
                                                        uint64_t entry)
{
    uint64_t off = entry & FORMAT_ENTRY_OFFSET;

    if (off == 0)
        return (struct format_l1_entry){0, entry & FORMAT_ENTRY_COPIED
                                               ? FORMAT_FINDING_L1_COPIED_EMPTY
                                           : entry & FORMAT_L1_RESERVED ? FORMAT_FINDING_L1_RESERVED
                                                                        : FORMAT_SOUND};
    if (off & (rules->cluster_bytes - 1))
        return (struct format_l1_entry){0, FORMAT_FINDING_L1_UNALIGNED};
    if (rules->file_bytes < rules->cluster_bytes || off > rules->file_bytes - rules->cluster_bytes)
        return (struct format_l1_entry){0, FORMAT_FINDING_L1_PAST_END};
    return (struct format_l1_entry){off, entry & FORMAT_L1_RESERVED ? FORMAT_FINDING_L1_RESERVED
                                                                    : FORMAT_SOUND};
}

enum format_entry_kind {
    FORMAT_UNALLOCATED,
    FORMAT_ZERO_PLAIN,     /* reads as zeros, holds no host cluster */
    FORMAT_ZERO_ALLOCATED, /* reads as zeros, holds a host cluster */
    FORMAT_STANDARD,       /* mapped; extended L2: at least one subcluster is allocated */
    FORMAT_COMPRESSED,     /* mapped */
    FORMAT_RESERVED,       /* extended L2: a host cluster, but no bit set: means nothing */
    FORMAT_INVALID,        /* damaged beyond meaning; see damage */
};

struct format_entry {
    enum format_entry_kind kind;
    enum format_finding_code damage; /* also possible with an entry that still has a meaning */
    uint32_t alloc;                  /* bit x: subcluster x is in the host cluster */
    uint32_t zero;                   /* bit x: subcluster x reads as zeros */
    uint64_t begin;                  /* position: host offset of the cluster or of the blob */
    uint64_t end;                    /* of the cluster, or of the blob's last 512-byte sector */
};

static inline struct format_entry format_invalid(enum format_finding_code damage)
{
    return (struct format_entry){.kind = FORMAT_INVALID, .damage = damage};
}

/*
 * Offset field: 62 - (cluster_bits - 8) bits; above it the number of additional 512-byte sectors
 * (docs/interop/qcow2.txt, compressed clusters descriptor).
 */
static inline struct format_entry format_compressed_of(const struct format_entry_rules *rules,
                                                       uint64_t entry, uint64_t bitmap)
{
    unsigned shift = 62 - (rules->cluster_bits - 8);
    uint64_t begin = entry & ((UINT64_C(1) << shift) - 1);
    uint64_t sectors = ((entry >> shift) & ((UINT64_C(1) << (rules->cluster_bits - 8)) - 1)) + 1;
    uint64_t end = (begin & ~(SECTOR_BYTES - 1)) + SECTOR_BYTES * sectors;

    if (rules->external_data)
        return format_invalid(FORMAT_FINDING_L2_COMPRESSED_DATA_FILE);
    if (rules->extended_l2 && bitmap != 0)
        return format_invalid(FORMAT_FINDING_L2_COMPRESSED_BITMAP);
    if (begin < rules->cluster_bytes)
        return format_invalid(FORMAT_FINDING_L2_COMPRESSED_HEADER);
    if (begin >> 56 != 0)
        return format_invalid(FORMAT_FINDING_L2_COMPRESSED_RESERVED);
    if (format_past_end(rules, begin, end))
        return format_invalid(FORMAT_FINDING_L2_COMPRESSED_PAST_END);
    return (struct format_entry){
        .kind = FORMAT_COMPRESSED,
        .damage = entry & FORMAT_ENTRY_COPIED ? FORMAT_FINDING_L2_COMPRESSED_COPIED : FORMAT_SOUND,
        .alloc = UINT32_MAX,
        .begin = begin,
        .end = end,
    };
}

/* What an entry with an acceptable host offset (or none) means. */
static inline enum format_entry_kind format_kind_of(const struct format_entry_rules *rules,
                                                    bool zero_flag, bool has_cluster,
                                                    uint32_t alloc, uint32_t zero)
{
    if (!rules->extended_l2)
        return zero_flag     ? (has_cluster ? FORMAT_ZERO_ALLOCATED : FORMAT_ZERO_PLAIN)
               : has_cluster ? FORMAT_STANDARD
                             : FORMAT_UNALLOCATED;
    if (alloc != 0)
        return FORMAT_STANDARD;
    if (zero != 0)
        return has_cluster ? FORMAT_ZERO_ALLOCATED : FORMAT_ZERO_PLAIN;
    return has_cluster ? FORMAT_RESERVED : FORMAT_UNALLOCATED;
}

/* Does an entry that is not compressed have a host cluster? In a data file, at offset 0 as well. */
static inline bool format_has_cluster(const struct format_entry_rules *rules, uint64_t entry)
{
    bool zero_flag = !rules->extended_l2 && (entry & FORMAT_ENTRY_ZERO);

    return (entry & FORMAT_ENTRY_OFFSET) != 0 ||
           (rules->external_data && !zero_flag && (entry & FORMAT_ENTRY_COPIED));
}

/*
 * @entry and @bitmap in host byte order; @bitmap (word 1) is 0 without extended L2. @guest_off is
 * where the cluster lies on the guest disk.
 */
static inline struct format_entry format_entry_of(const struct format_entry_rules *rules,
                                                  uint64_t entry, uint64_t bitmap,
                                                  uint64_t guest_off)
{
    uint64_t off = entry & FORMAT_ENTRY_OFFSET;
    bool zero_flag = !rules->extended_l2 && (entry & FORMAT_ENTRY_ZERO);
    bool has_cluster = format_has_cluster(rules, entry);
    uint32_t alloc = rules->extended_l2 ? (uint32_t)bitmap : UINT32_MAX;
    uint32_t zero = rules->extended_l2 ? (uint32_t)(bitmap >> 32) : 0;

    if (entry & FORMAT_ENTRY_COMPRESSED)
        return format_compressed_of(rules, entry, bitmap);
    if (zero_flag && rules->version_2)
        return format_invalid(FORMAT_FINDING_L2_ZERO_V2);
    if (off & (rules->cluster_bytes - 1))
        return format_invalid(FORMAT_FINDING_L2_UNALIGNED);
    if (rules->extended_l2 && ((alloc & zero) != 0 || (!has_cluster && alloc != 0)))
        return format_invalid(FORMAT_FINDING_L2_BITMAP);
    if (has_cluster && rules->external_data && off != guest_off)
        return format_invalid(FORMAT_FINDING_L2_DATA_FILE_OFFSET);
    if (has_cluster && !rules->external_data &&
        format_past_end(rules, off, off + rules->cluster_bytes))
        return format_invalid(FORMAT_FINDING_L2_PAST_END);
    return (struct format_entry){
        .kind = format_kind_of(rules, zero_flag, has_cluster, alloc, zero),
        .damage = entry & FORMAT_L2_RESERVED ? FORMAT_FINDING_L2_RESERVED : FORMAT_SOUND,
        .alloc = alloc,
        .zero = zero,
        .begin = off,
        .end = off + rules->cluster_bytes,
    };
}

#endif
