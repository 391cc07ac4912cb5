// SPDX-License-Identifier: MIT
/* Owns what a rewrite by convert keeps of an image. Reads nothing. */
#include "shape.h"

#include "header.h"
#include "l2.h"
#include "scan.h"

struct meter_layout_shape walk_shape_of_converted(const struct format_header *header,
                                                  const struct tables_span *span,
                                                  uint64_t virtual_bytes)
{
    uint64_t slice_bytes = tables_l2_slice_bytes(header, header->virtual_bytes);

    return (struct meter_layout_shape){
        .cluster_bytes = header->cluster_bytes,
        .part_bytes = format_unit_bytes(header),
        .slice_bytes = slice_bytes,
        .slice_bits =
            (unsigned)__builtin_ctzll(slice_bytes / header->l2_entry_bytes * header->cluster_bytes),
        .l2_bits = (unsigned)__builtin_ctzll(format_l2_span(header)),
        .begin = span != NULL ? span->begin : 0,
        .end = span != NULL && span->end < virtual_bytes ? span->end : virtual_bytes,
        .blobs_max = format_refcount_max(header),
        .alone = true,
    };
}
