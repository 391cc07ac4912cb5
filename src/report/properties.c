// SPDX-License-Identifier: MIT
/* Owns the copying of what the report says of an image as such. */
#include "properties.h"

#include "err.h"
#include "image.h"
#include "l2.h"
#include "report.h"

#include <stdlib.h>

int report_properties(const struct format_image *image, struct report_format *format,
                      struct err *err)
{
    const struct format_header *header = &image->header;

    *format = (struct report_format){
        .version = header->version,
        .cluster_bytes = header->cluster_bytes,
        .virtual_bytes = header->virtual_bytes,
        .file_bytes = image->file_bytes,
        .refcount_bits = header->refcount_bits,
        .extended_l2 = header->extended_l2,
        .compression = header->compression,
        .encryption = header->crypt,
        .data_file_raw = header->autoclear & FORMAT_AUTOCLEAR_DATA_FILE_RAW,
        .lazy_refcounts = header->compatible & FORMAT_COMPAT_LAZY_REFCOUNTS,
        .dirty = header->incompatible & FORMAT_INCOMPAT_DIRTY,
        .corrupt = header->incompatible & FORMAT_INCOMPAT_CORRUPT,
        .unknown_autoclear = header->autoclear &
                             ~(uint64_t)(FORMAT_AUTOCLEAR_BITMAPS | FORMAT_AUTOCLEAR_DATA_FILE_RAW),
        .snapshot_count = header->n_snapshots,
        .bitmap_count = header->n_bitmaps,
        .bitmaps_in_use = image->bitmaps.n_in_use,
        .l1_entries = header->l1_entries,
        .l2_cache_bytes = tables_l2_cache_bytes(header, header->virtual_bytes),
    };
    if (image->bitmaps.n_named > 0)
        format->in_use_names = calloc(image->bitmaps.n_named, sizeof(*format->in_use_names));
    if (image->bitmaps.n_named > 0 && format->in_use_names == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < image->bitmaps.n_named; i++, format->n_in_use_names++)
        if (format_name_copy(&image->bitmaps.in_use[i], &format->in_use_names[i]) < 0)
            return err_no_memory(err);
    if (format_name_copy(&header->backing_file, &format->backing_file) < 0 ||
        format_name_copy(&header->backing_format, &format->backing_format) < 0 ||
        format_name_copy(&header->data_file, &format->data_file) < 0)
        return err_no_memory(err);
    return 0;
}
