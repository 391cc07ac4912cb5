/* SPDX-License-Identifier: MIT */
/*
 * The picture of an image on a terminal: cells in reading order, each with the colour of where its
 * data lie. In one of three forms, by what the terminal can show:
 *
 *   blocks   256 colours or all of them, and UTF-8: two cells in each character, one above the
 * other; shades   16 colours and UTF-8: a cell in each character, the darker the more broken;
 *   letters  without colours, or ASCII: a to z for the place, capitals where it is broken inside.
 */
#ifndef RENDER_MAP_H
#define RENDER_MAP_H

#include "paint.h"
#include "report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct render_map_options {
    enum render_colours colours;
    bool ascii;
    bool bytes;             /* plain numbers instead of KiB, MiB ... */
    unsigned width, height; /* of the whole, text included; at least those below */
};

#define RENDER_MAP_WIDTH_MIN 40
#define RENDER_MAP_HEIGHT_MIN 10
#define RENDER_MAP_SIDE_MAX 1000 /* of both */

/* At most so many cells have room. */
size_t render_map_cells_most(const struct render_map_options *how);

/* The image has a picture or a device picture: the latter is shown if there is one. 0 or -ENOMEM.
 */
int render_map(FILE *stream, const struct report_image *image,
               const struct render_map_options *how);

/* The same as one JSON document: see qcow2frag-json(5). */
int render_map_json(FILE *stream, const struct report_image *image, size_t most);

#endif
