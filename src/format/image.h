/* SPDX-License-Identifier: MIT */
/* One opened image: its io, header and snapshot table, and what was found odd in them. */
#ifndef FORMAT_IMAGE_H
#define FORMAT_IMAGE_H

#include "bitmap.h"
#include "entry.h"
#include "finding.h"
#include "header.h"
#include "metadata.h"
#include "snapshot.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct io;

/* The fixed part of the header, and room for what newer versions add. */
#define FORMAT_IMAGE_FIRST_BYTES 512

struct format_image {
    struct io *io;
    uint64_t file_bytes; /* when it was opened */
    struct format_header header;
    struct format_snapshots snapshots;
    struct format_bitmaps bitmaps;
    struct format_findings findings;
    struct format_metadata metadata; /* see format_image_metadata */
    bool has_metadata, has_all_metadata;
    unsigned char first_bytes[FORMAT_IMAGE_FIRST_BYTES]; /* of the file, as they were then */
    uint64_t snapshots_hash;                             /* of the snapshot table, likewise */
};

/*
 * Borrows @io until format_image_close, which does not close it. On failure there is nothing to
 * release.
 */
int format_image_open(struct io *io, struct format_image *image, struct err *err);

void format_image_close(struct format_image *image);

/*
 * Has the header or the snapshot table changed since the image was opened? What was read through
 * them may then be a mixture of old and new.
 */
int format_image_has_changed(const struct format_image *image, bool *changed, struct err *err);

/*
 * Where the image's metadata lie, collected when first asked for: not by two threads at once.
 * *@metadata is borrowed until the image is closed; *@all is false if there are too many of them.
 */
int format_image_metadata(struct format_image *image, const struct format_metadata **metadata,
                          bool *all, struct err *err);

/* The rules by which this image's entries are read, with the file length as last fetched. */
struct format_entry_rules format_image_rules(const struct format_image *image);

#endif
