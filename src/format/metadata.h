/* SPDX-License-Identifier: MIT */
/*
 * Where the metadata of an image lie in the file, L2 tables excepted. For finding tables that
 * overlap them.
 */
#ifndef FORMAT_METADATA_H
#define FORMAT_METADATA_H

#include "reference.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_image;

struct format_extent {
    uint64_t begin, end; /* host offsets, half open */
    enum format_metadata_kind kind;
};

/* By rising begin, none overlapping another: where two do, in a damaged image, they are joined. */
struct format_metadata {
    struct format_extent *list;
    size_t n_list, cap_list;
};

/* 24 bytes each; with clusters of 64 KiB they count the references of 512 TiB. */
#define FORMAT_METADATA_REFBLOCKS_MAX (UINT32_C(1) << 18)

/*
 * Collects them all, refcount blocks included; those beyond @max_refblocks are left out, and
 * *@all turns false. Release with format_metadata_free, also on failure.
 */
int format_metadata_collect(const struct format_image *image, size_t max_refblocks,
                            struct format_metadata *metadata, bool *all, struct err *err);

/* An extent that overlaps [off, off + len), or NULL. */
const struct format_extent *format_metadata_find(const struct format_metadata *metadata,
                                                 uint64_t off, uint64_t len);

void format_metadata_free(struct format_metadata *metadata);

#endif
