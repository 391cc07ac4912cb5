/* SPDX-License-Identifier: MIT */
/* Small pictures inside a page: pixels of a few colours, as a data: address of a PNG. */
#ifndef RENDER_HTML_PIXELS_H
#define RENDER_HTML_PIXELS_H

#include "html.h"
#include "ramp.h"

#include <stddef.h>
#include <stdint.h>

struct html_pixels {
    uint32_t width, height;
    uint8_t *list; /* [height * width] of colours, from the top left; see html_pixels_new */
    unsigned n_colours;
    struct render_colour colours[256];
    uint8_t alphas[256]; /* 0: nothing is to be seen, 255: the colour */
};

/* All of colour 0, which is still to be set. -ENOMEM; release in both cases. */
int html_pixels_new(struct html_pixels *pixels, uint32_t width, uint32_t height);
void html_pixels_free(struct html_pixels *pixels);

/* The number of this colour; of what does not fit into 256 the last one. */
uint8_t html_pixels_colour(struct html_pixels *pixels, struct render_colour colour, uint8_t alpha);

/* Writes "data:image/png;base64,...", of no more than (4 / 3) bytes a pixel and 2 KiB. 0 or
 * -ENOMEM. */
int html_pixels_put(struct html *html, const struct html_pixels *pixels);

#endif
