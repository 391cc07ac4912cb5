// SPDX-License-Identifier: MIT
/* Owns the order in which an image is opened. Reads only its first cluster and snapshot table. */
#include "image.h"

#include "err.h"
#include "io.h"

#include <string.h>

int format_image_open(struct io *io, struct format_image *image, struct err *err)
{
    int ret;

    memset(image, 0, sizeof(*image));
    image->io = io;
    ret = io_size(io, &image->file_bytes, err);
    if (ret == 0)
        ret = format_header_read(io, image->file_bytes, &image->header, &image->findings, err);
    if (ret == 0)
        ret = format_snapshots_read(io, image->file_bytes, &image->header, &image->snapshots,
                                    &image->findings, err);
    if (ret < 0)
        format_image_close(image);
    return ret;
}

void format_image_close(struct format_image *image)
{
    format_findings_free(&image->findings);
    format_snapshots_free(&image->snapshots);
    format_header_free(&image->header);
    io_close(image->io);
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
