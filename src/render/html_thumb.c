// SPDX-License-Identifier: MIT
/* Owns the sixteen colours of small maps. */
#include "html_thumb.h"

#include "cleanup.h"
#include "html_pixels.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#define LINES 4

/* Numbers of colours, and how many places each kind tells apart. */
enum {
    EMPTY,
    ZERO,
    WHOLE,
    BROKEN = WHOLE + 5,
    COMPRESSED = BROKEN + 5,
    N_COLOURS = COMPRESSED + 4,
};

static uint8_t colour_of(const struct report_cell *cell)
{
    bool broken = cell->order >= REPORT_CELL_BROKEN;

    if (cell->kind == REPORT_CELL_EMPTY)
        return EMPTY;
    if (cell->kind == REPORT_CELL_ZERO)
        return ZERO;
    if (cell->kind == REPORT_CELL_COMPRESSED && !broken)
        return (uint8_t)(COMPRESSED + (int)(cell->place * 3.99));
    return (uint8_t)((broken ? BROKEN : WHOLE) + (int)(cell->place * 4.99));
}

int html_thumb_fill(struct html_thumb *thumb, const struct report_picture *picture)
{
    CLEANUP_FREE struct report_cell *cells = NULL;
    size_t n = report_picture_cells(picture, HTML_THUMB_CELLS_MAX, &cells);

    thumb->n_cells = 0;
    for (size_t i = 0; i < n; i++) {
        thumb->cells[i] = colour_of(&cells[i]);
        if (thumb->cells[i] != EMPTY)
            thumb->n_cells = (uint16_t)(i + 1);
    }
    return n > 0 ? 0 : -ENOMEM;
}

static void set_colours(struct html_pixels *pixels)
{
    static const struct report_cell others[] = {{.kind = REPORT_CELL_EMPTY},
                                                {.kind = REPORT_CELL_ZERO}};

    for (unsigned i = 0; i < N_COLOURS; i++) {
        pixels->alphas[i] = 255;
        pixels->colours[i] =
            i < WHOLE    ? render_ramp_cell(&others[i])
            : i < BROKEN ? render_ramp_colour(REPORT_CELL_DATA, REPORT_CELL_WHOLE, (i - WHOLE) / 4.)
            : i < COMPRESSED
                ? render_ramp_colour(REPORT_CELL_DATA, REPORT_CELL_IN_PIECES, (i - BROKEN) / 4.)
                : render_ramp_colour(REPORT_CELL_COMPRESSED, REPORT_CELL_WHOLE,
                                     (i - COMPRESSED) / 3.);
    }
    pixels->n_colours = N_COLOURS;
}

int html_thumb_put(struct html *html, const struct html_thumb *thumb)
{
    uint32_t lines = thumb->n_cells < 16 ? 1 : LINES;
    struct html_pixels pixels;
    int ret;

    if (thumb->n_cells == 0)
        return 0;
    ret = html_pixels_new(&pixels, (thumb->n_cells + lines - 1) / lines, lines);
    if (ret < 0)
        return ret;
    set_colours(&pixels);
    for (size_t i = 0; i < thumb->n_cells; i++)
        pixels.list[i] = thumb->cells[i];
    html_put(html, "<img class=thumb alt=\"\" src=\"");
    ret = html_pixels_put(html, &pixels);
    html_put(html, "\">");
    html_pixels_free(&pixels);
    return ret;
}
