/* SPDX-License-Identifier: MIT */
/*
 * A report as one HTML page that needs nothing else: pictures, figures, what to do. At most
 * RENDER_HTML_BYTES_MAX, whatever the image: what can be long has room of its own.
 */
#ifndef RENDER_RENDER_HTML_H
#define RENDER_RENDER_HTML_H

#include "picture.h"
#include "report.h"

#include <stddef.h>
#include <stdio.h>

#define RENDER_HTML_BYTES_MAX 1500000

/* The pictures that a page is made of: to be asked for when an image is measured. */
extern const struct report_picture_choice render_html_pictures;

/*
 * One image (@after NULL), or two side by side. Both were measured. @note: a sentence on how one
 * became the other, or NULL. 0 or -ENOMEM; failed writes show in @stream.
 */
int render_html(FILE *stream, const struct report_image *image, const struct report_image *after,
                const char *note);

#endif
