// SPDX-License-Identifier: MIT
/* Owns the escape sequences (ECMA-48, SGR), and the colours of xterm: a cube of 6 x 6 x 6, and
 * greys. */
#include "paint.h"

static const uint8_t levels[] = {0, 95, 135, 175, 215, 255};

#define CUBE 16   /* number of its first colour */
#define GREYS 232 /* 24 of them: 8, 18 ... 238 */
#define N_GREYS 24

static unsigned level_below(uint8_t value)
{
    unsigned i = 0;

    while (i < 4 && levels[i + 1] <= value)
        i++;
    return i;
}

static struct render_colour cube_colour(unsigned red, unsigned green, unsigned blue)
{
    return (struct render_colour){levels[red], levels[green], levels[blue]};
}

static struct render_colour grey_colour(unsigned i)
{
    uint8_t value = (uint8_t)(8 + 10 * i);

    return (struct render_colour){value, value, value};
}

unsigned render_paint_nearest(struct render_colour colour)
{
    unsigned red = level_below(colour.red), green = level_below(colour.green);
    unsigned blue = level_below(colour.blue), nearest = CUBE;
    unsigned mean = (colour.red + colour.green + colour.blue) / 3;
    unsigned grey = mean < 8 ? 0 : mean > 238 ? N_GREYS - 1 : (mean - 3) / 10;
    double least = render_ramp_distance(colour, grey_colour(grey));

    nearest = GREYS + grey;
    for (unsigned i = 0; i < 8; i++) { /* the corners around it */
        unsigned r = red + (i & 1), g = green + (i >> 1 & 1), b = blue + (i >> 2);
        double distance = render_ramp_distance(colour, cube_colour(r, g, b));

        if (distance >= least)
            continue;
        least = distance;
        nearest = CUBE + 36 * r + 6 * g + b;
    }
    return nearest;
}

struct render_paint render_paint_begin(FILE *stream, enum render_colours colours)
{
    return (struct render_paint){stream, colours, RENDER_OWN_TINT, RENDER_OWN_TINT};
}

static bool same(const struct render_paint *paint, struct render_tint a, struct render_tint b)
{
    if (a.own || b.own)
        return a.own == b.own;
    return paint->colours == RENDER_16_COLOURS
               ? a.code == b.code
               : a.colour.red == b.colour.red && a.colour.green == b.colour.green &&
                     a.colour.blue == b.colour.blue;
}

/* @base: 38 for text, 48 for the ground; the next number is that of the own one. */
static void print_tint(const struct render_paint *paint, struct render_tint tint, unsigned base)
{
    if (tint.own)
        fprintf(paint->stream, "\033[%um", base + 1);
    else if (paint->colours == RENDER_256_COLOURS)
        fprintf(paint->stream, "\033[%u;5;%um", base, tint.nearest);
    else if (paint->colours == RENDER_TRUE_COLOURS)
        fprintf(paint->stream, "\033[%u;2;%u;%u;%um", base, tint.colour.red, tint.colour.green,
                tint.colour.blue);
    else
        fprintf(paint->stream, "\033[%um", tint.code);
}

void render_paint_set(struct render_paint *paint, struct render_tint text,
                      struct render_tint ground)
{
    if (paint->colours == RENDER_NO_COLOURS)
        return;
    if (!same(paint, text, paint->text))
        print_tint(paint, text, 38);
    paint->text = text;
    if (paint->colours == RENDER_16_COLOURS)
        return;
    if (!same(paint, ground, paint->ground))
        print_tint(paint, ground, 48);
    paint->ground = ground;
}

void render_paint_end(struct render_paint *paint)
{
    if (!paint->text.own || !paint->ground.own)
        fputs("\033[0m", paint->stream);
    paint->text = paint->ground = RENDER_OWN_TINT;
}
