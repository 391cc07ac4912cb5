/* SPDX-License-Identifier: MIT */
/* Colours on a terminal: as many as it has, and only what changes is written. */
#ifndef RENDER_PAINT_H
#define RENDER_PAINT_H

#include "ramp.h"

#include <stdbool.h>
#include <stdio.h>

enum render_colours {
    RENDER_NO_COLOURS,
    RENDER_16_COLOURS,
    RENDER_256_COLOURS,
    RENDER_TRUE_COLOURS
};

/* A colour on the terminal. The terminal's own: what it shows without any. */
struct render_tint {
    bool own;
    struct render_colour colour;
    uint8_t nearest; /* with 256 colours: see render_paint_nearest */
    unsigned code;   /* with 16 colours: 30 .. 37 and 90 .. 97 */
};

#define RENDER_OWN_TINT ((struct render_tint){.own = true})

struct render_paint {
    FILE *stream;
    enum render_colours colours;
    struct render_tint text, ground; /* what is set */
};

struct render_paint render_paint_begin(FILE *stream, enum render_colours colours);

/* What is printed from now on looks like this. Of 16 colours the ground is always the own one. */
void render_paint_set(struct render_paint *paint, struct render_tint text,
                      struct render_tint ground);

/* Back to the terminal's own colours: before each end of a line. */
void render_paint_end(struct render_paint *paint);

/* The nearest of the 256 colours of xterm that are the same everywhere: 16 .. 255. */
unsigned render_paint_nearest(struct render_colour colour);

#endif
