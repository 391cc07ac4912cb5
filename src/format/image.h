/* SPDX-License-Identifier: MIT */
/* One opened image: its io, header and snapshot table, and what was found odd in them. */
#ifndef FORMAT_IMAGE_H
#define FORMAT_IMAGE_H

#include "entry.h"
#include "finding.h"
#include "header.h"
#include "snapshot.h"

#include <stdint.h>

struct err;
struct io;

struct format_image {
    struct io *io;
    uint64_t file_bytes; /* when it was opened */
    struct format_header header;
    struct format_snapshots snapshots;
    struct format_findings findings;
};

/*
 * Takes @io (closes it, also on failure). On success release with format_image_close; on failure
 * there is nothing to release.
 */
int format_image_open(struct io *io, struct format_image *image, struct err *err);

void format_image_close(struct format_image *image);

/* The rules by which this image's entries are read, with the file length as last fetched. */
struct format_entry_rules format_image_rules(const struct format_image *image);

#endif
