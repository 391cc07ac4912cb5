/* SPDX-License-Identifier: MIT */
/*
 * The directory of persistent bitmaps and their tables. Measuring needs only to know where they
 * lie and whether they are sound; their contents are never read.
 */
#ifndef FORMAT_BITMAP_H
#define FORMAT_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checked.h"
#include "header.h"

struct err;
struct format_findings;
struct io;

/* Limits of QEMU's block/qcow2-bitmap.c. */
#define FORMAT_BITMAP_TABLE_ENTRIES_MAX (UINT32_C(1) << 27)
#define FORMAT_BITMAP_BYTES_MAX (UINT64_C(512) << 20)
#define FORMAT_BITMAP_NAME_MAX 1023
/* Our own: more than any sound image needs, and little enough to read at once. */
#define FORMAT_BITMAP_TABLES_BYTES_MAX (UINT64_C(64) << 20)

/*
 * An entry of the table of a bitmap. Without an offset all of its bits are alike, and bit 0 says
 * which.
 */
struct format_bitmap_entry {
    uint64_t bits_off;   /* host offset of a cluster of bits; 0: none, or it makes no sense */
    const char *problem; /* what is wrong with the entry, or NULL */
};

static inline struct format_bitmap_entry format_bitmap_entry_of(uint64_t cluster_bytes,
                                                                uint64_t file_bytes, uint64_t entry)
{
    const uint64_t reserved = UINT64_C(0xff000000000001fe), offset = UINT64_C(0x00fffffffffffe00);
    uint64_t off = entry & offset;

    if ((entry & reserved) != 0 || (off != 0 && (entry & 1) != 0))
        return (struct format_bitmap_entry){0, "has reserved bits set"};
    if (!is_aligned(off, cluster_bytes))
        return (struct format_bitmap_entry){
            0, "points to an offset that is not the start of a cluster"};
    if (off >= file_bytes)
        return (struct format_bitmap_entry){0, "points past the end of the file"};
    return (struct format_bitmap_entry){off, NULL};
}

struct format_bitmap {
    uint64_t entry_off; /* host offset of its entry in the directory */
    uint64_t table_off; /* host offset; the table lies inside the file */
    uint64_t table_bytes;
};

/* Names are kept for people to read: of so many, and the others are counted. */
#define FORMAT_BITMAPS_NAMED_MAX 8

struct format_bitmaps {
    struct format_bitmap *list;
    size_t n_list, cap_list;
    bool whole; /* false: damage hides some of them */
    /* Marked as in use: by a program that has the image open, or that was killed while it had. What
     * they say cannot be trusted. */
    uint64_t n_in_use;
    struct format_name in_use[FORMAT_BITMAPS_NAMED_MAX]; /* the first of them */
    size_t n_named;
};

/*
 * Reads the directory that the header names, if there is one. A directory that QEMU would refuse
 * is one finding, and no bitmap is listed. Release with format_bitmaps_free, also on failure.
 */
int format_bitmaps_read(struct io *io, uint64_t file_bytes, const struct format_header *header,
                        struct format_bitmaps *bitmaps, struct format_findings *findings,
                        struct err *err);

void format_bitmaps_free(struct format_bitmaps *bitmaps);

#endif
