/* SPDX-License-Identifier: MIT */
/* The shape of the file that convert makes of an image, or of a chain. */
#ifndef WALK_SHAPE_H
#define WALK_SHAPE_H

#include "layout.h"

#include <stdint.h>

struct format_header;
struct tables_span;

/*
 * Of a file like the one that @header is of: cluster size, subclusters and width of refcounts are
 * kept. @span: the part of the disk that is walked; NULL: all of its @virtual_bytes. The pieces are
 * of one file alone.
 */
struct meter_layout_shape walk_shape_of_converted(const struct format_header *header,
                                                  const struct tables_span *span,
                                                  uint64_t virtual_bytes);

#endif
