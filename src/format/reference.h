/* SPDX-License-Identifier: MIT */
/*
 * What the metadata of an image refer to, but for refcount blocks, L2 tables, the bits of bitmaps
 * and data, which only a look into tables shows (space/refs.h): one place that knows them all.
 */
#ifndef FORMAT_REFERENCE_H
#define FORMAT_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

struct format_image;

/* Of what is referred to. The name of each is what a message calls it. */
enum format_metadata_kind {
    FORMAT_META_HEADER,
    FORMAT_META_L1,
    FORMAT_META_SNAPSHOT_L1,
    FORMAT_META_SNAPSHOT_TABLE,
    FORMAT_META_REFTABLE,
    FORMAT_META_REFBLOCK,
    FORMAT_META_BITMAP_DIRECTORY,
    FORMAT_META_BITMAP_TABLE,
    FORMAT_META_BITMAP_BITS,
    FORMAT_META_LUKS_HEADER,
};

const char *format_metadata_name(enum format_metadata_kind kind);

#define FORMAT_NO_WORD UINT64_MAX

struct format_reference {
    enum format_metadata_kind kind;
    uint64_t word;           /* host offset of the 8 bytes that refer, or FORMAT_NO_WORD */
    uint64_t off, len_bytes; /* of what they refer to; never 0 bytes */
    size_t index;            /* of a snapshot or bitmap, in the image's list; else 0 */
};

typedef int format_take_reference(void *context, const struct format_reference *reference);

/*
 * Hands out each reference: the header's, those of readable snapshots, and those of the bitmap
 * directory. Reads nothing. All but the refcount table lie inside the file. As @take, whose first
 * result that is not 0 ends it.
 */
int format_references(const struct format_image *image, format_take_reference *take, void *context);

#endif
