/* SPDX-License-Identifier: MIT */
/* A small map, for a row among many: of few cells and few colours, and kept in few bytes. */
#ifndef RENDER_HTML_THUMB_H
#define RENDER_HTML_THUMB_H

#include "html.h"
#include "picture.h"

#include <stddef.h>
#include <stdint.h>

#define HTML_THUMB_CELLS_MAX 256

struct html_thumb {
    uint16_t n_cells;                    /* 0: there is none */
    uint8_t cells[HTML_THUMB_CELLS_MAX]; /* numbers of colours */
};

/* 0 or -ENOMEM. */
int html_thumb_fill(struct html_thumb *thumb, const struct report_picture *picture);

/* An img element, of less than 700 bytes, without words: the row has them. 0 or -ENOMEM. */
int html_thumb_put(struct html *html, const struct html_thumb *thumb);

#endif
