/* SPDX-License-Identifier: MIT */
/* What an image is: the facts of its header and of its bitmaps, without any walk. */
#ifndef REPORT_PROPERTIES_H
#define REPORT_PROPERTIES_H

struct err;
struct format_image;
struct report_format;

/* Returns 0 or -ENOMEM; what was copied until then is released with the report. */
int report_properties(const struct format_image *image, struct report_format *format,
                      struct err *err);

#endif
