/* SPDX-License-Identifier: MIT */
/*
 * Header extensions, and the names that the first cluster holds besides. Called by header.c with
 * the fixed fields already decoded.
 */
#ifndef FORMAT_EXTENSION_H
#define FORMAT_EXTENSION_H

#include <stdint.h>

struct err;
struct format_findings;
struct format_header;
struct io;

/* Where the header says that the name of the backing file is. */
struct format_backing {
    uint64_t name_off; /* 0: there is no backing file; at most the cluster size */
    uint32_t name_bytes;
};

/*
 * Refuses an image with an incompatible feature that is not known here, by its name when the image
 * brings one. Needs version, cluster size, header length and the feature bits.
 */
int format_unknown_features(struct io *io, const struct format_header *header,
                            uint64_t backing_name_off, struct err *err);

/* Fills the names and the bitmap count. */
int format_extensions_read(struct io *io, uint64_t file_bytes, struct format_backing backing,
                           struct format_header *header, struct format_findings *findings,
                           struct err *err);

#endif
