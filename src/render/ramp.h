/* SPDX-License-Identifier: MIT */
/*
 * The colours of a picture. What lies further behind is lighter, in even steps for the eye: the
 * lightness of OKLab is the place, whatever else a colour says, so that a picture can be read
 * without telling hues apart. The hue says what it is: from blue to yellow data, purple compressed
 * data, and the more red, the more broken.
 */
#ifndef RENDER_RAMP_H
#define RENDER_RAMP_H

#include "picture.h"

#include <stdint.h>

/* sRGB, 0 .. 255 each. */
struct render_colour {
    uint8_t red, green, blue;
};

/* @place: 0 .. 1. For mapped cells. */
struct render_colour render_ramp_colour(enum report_cell_kind kind, enum report_cell_order order,
                                        double place);

/* Of a cell: for other kinds a colour of their own, on a dark ground; as are those of the ramp. */
struct render_colour render_ramp_cell(const struct report_cell *cell);

/* How far two colours are from each other for the eye (distance in OKLab, black to white is 1). */
double render_ramp_distance(struct render_colour a, struct render_colour b);

#endif
