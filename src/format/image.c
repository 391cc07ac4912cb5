// SPDX-License-Identifier: MIT
/* Owns the order in which an image is opened. Reads the tables that the header names,
 * but neither L1 nor L2 nor refcounts. */
#include "image.h"

#include "err.h"
#include "hash.h"
#include "io.h"

#include <string.h>

static int hash_snapshots(const struct format_image *image, uint64_t *hash, struct err *err)
{
    uint64_t off = image->header.snapshots_off, left = image->snapshots.table_bytes;
    unsigned char window[4096];

    *hash = HASH_OF_NOTHING;
    while (left > 0) {
        size_t len = left < sizeof(window) ? (size_t)left : sizeof(window);
        int ret = io_read(image->io, off, window, len, err);

        if (ret < 0)
            return ret;
        *hash = hash_bytes(*hash, window, len);
        off += len;
        left -= len;
    }
    return 0;
}

int format_image_has_changed(const struct format_image *image, bool *changed, struct err *err)
{
    unsigned char now[FORMAT_IMAGE_FIRST_BYTES];
    uint64_t hash = 0;
    int ret = io_read(image->io, 0, now, sizeof(now), err);

    if (ret == 0)
        ret = hash_snapshots(image, &hash, err);
    *changed = ret == 0 &&
               (memcmp(now, image->first_bytes, sizeof(now)) != 0 || hash != image->snapshots_hash);
    return ret;
}

int format_image_open(struct io *io, struct format_image *image, struct err *err)
{
    int ret;

    memset(image, 0, sizeof(*image));
    image->io = io;
    ret = io_size(io, &image->file_bytes, err)
              ?: io_read(io, 0, image->first_bytes, sizeof(image->first_bytes), err)
              ?: format_header_read(io, image->file_bytes, &image->header, &image->findings, err)
              ?: format_snapshots_read(io, image->file_bytes, &image->header, &image->snapshots,
                                       &image->findings, err)
              ?: format_bitmaps_read(io, image->file_bytes, &image->header, &image->bitmaps,
                                     &image->findings, err)
              ?: hash_snapshots(image, &image->snapshots_hash, err);
    if (ret < 0)
        format_image_close(image);
    return ret;
}

int format_image_metadata(struct format_image *image, const struct format_metadata **metadata,
                          bool *all, struct err *err)
{
    if (!image->has_metadata) {
        int ret = format_metadata_collect(image, FORMAT_METADATA_REFBLOCKS_MAX, &image->metadata,
                                          &image->has_all_metadata, err);

        if (ret < 0) {
            format_metadata_free(&image->metadata);
            return ret;
        }
        image->has_metadata = true;
    }
    *metadata = &image->metadata;
    *all = image->has_all_metadata;
    return 0;
}

void format_image_close(struct format_image *image)
{
    format_metadata_free(&image->metadata);
    format_findings_free(&image->findings);
    format_snapshots_free(&image->snapshots);
    format_bitmaps_free(&image->bitmaps);
    format_header_free(&image->header);
    memset(image, 0, sizeof(*image));
}

struct format_entry_rules format_image_rules(const struct format_image *image)
{
    return (struct format_entry_rules){
        .cluster_bits = image->header.cluster_bits,
        .cluster_bytes = image->header.cluster_bytes,
        .file_bytes = image->file_bytes,
        .version_2 = image->header.version == 2,
        .extended_l2 = image->header.extended_l2,
        .external_data = image->header.external_data,
    };
}
