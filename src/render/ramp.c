// SPDX-License-Identifier: MIT
/*
 * Owns the colours. OKLab is Björn Ottosson's ("A perceptual color space for image processing",
 * 2020, in the public domain): the two matrices are from there.
 */
#include "ramp.h"

#include <math.h>
#include <stdbool.h>

struct lab {
    double lightness, a, b;
};

/* Of the darkest and the lightest place: both can be told from a black and from a white ground. */
#define LIGHTNESS_FIRST 0.36
#define LIGHTNESS_LAST 0.92

static double to_linear(double value)
{
    value /= 255;
    return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

static double from_linear(double value)
{
    return value <= 0.0031308 ? 12.92 * value : 1.055 * pow(value, 1 / 2.4) - 0.055;
}

static struct lab lab_of(struct render_colour colour)
{
    double r = to_linear(colour.red), g = to_linear(colour.green), b = to_linear(colour.blue);
    double l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    double m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    double s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);

    return (struct lab){0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
                        1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
                        0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

struct linear {
    double r, g, b;
};

static struct linear linear_of(struct lab lab)
{
    double l = lab.lightness + 0.3963377774 * lab.a + 0.2158037573 * lab.b;
    double m = lab.lightness - 0.1055613458 * lab.a - 0.0638541728 * lab.b;
    double s = lab.lightness - 0.0894841775 * lab.a - 1.2914855480 * lab.b;

    l *= l * l;
    m *= m * m;
    s *= s * s;
    return (struct linear){4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
                           -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
                           -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

static bool is_shown(struct linear colour)
{
    return fmin(colour.r, fmin(colour.g, colour.b)) >= 0 &&
           fmax(colour.r, fmax(colour.g, colour.b)) <= 1;
}

static uint8_t byte_of(double linear)
{
    double value = 255 * from_linear(fmin(fmax(linear, 0), 1));

    return (uint8_t)(value + 0.5);
}

/* As much of its chroma as a screen can show: the lightness stays. */
static struct render_colour colour_of(struct lab lab)
{
    struct linear colour = linear_of(lab);

    for (int i = 0; i < 64 && !is_shown(colour); i++) {
        lab.a *= 0.96;
        lab.b *= 0.96;
        colour = linear_of(lab);
    }
    return (struct render_colour){byte_of(colour.r), byte_of(colour.g), byte_of(colour.b)};
}

static struct lab lab_at(double lightness, double chroma, double degrees)
{
    double angle = degrees * acos(-1) / 180;

    return (struct lab){lightness, chroma * cos(angle), chroma * sin(angle)};
}

/* From blue through green to yellow; compressed, from violet to pink. */
static struct lab ramp_of(bool compressed, double lightness, double place)
{
    if (compressed)
        return lab_at(lightness, 0.15, 300 + 35 * place);
    return lab_at(lightness, 0.14, 265 - 165 * place);
}

struct render_colour render_ramp_colour(enum report_cell_kind kind, enum report_cell_order order,
                                        double place)
{
    static const double shares[] = {[REPORT_CELL_WHOLE] = 0,
                                    [REPORT_CELL_CRACKED] = 0.4,
                                    [REPORT_CELL_BROKEN] = 0.75,
                                    [REPORT_CELL_IN_PIECES] = 1};
    double lightness = LIGHTNESS_FIRST + (LIGHTNESS_LAST - LIGHTNESS_FIRST) * place;
    struct lab whole = ramp_of(kind == REPORT_CELL_COMPRESSED, lightness, place);
    struct lab broken = lab_at(lightness, 0.2, 28);
    double share = shares[order];

    return colour_of((struct lab){lightness, whole.a + (broken.a - whole.a) * share,
                                  whole.b + (broken.b - whole.b) * share});
}

struct render_colour render_ramp_cell(const struct report_cell *cell)
{
    static const struct render_colour others[REPORT_N_CELLS] = {
        [REPORT_CELL_EMPTY] = {28, 30, 34},      [REPORT_CELL_ZERO] = {74, 80, 90},
        [REPORT_CELL_FREE] = {48, 52, 58},       [REPORT_CELL_LEAKED] = {120, 92, 60},
        [REPORT_CELL_SNAPSHOT] = {96, 104, 118}, [REPORT_CELL_METADATA] = {205, 208, 214},
    };

    if (cell->bytes.mapped_bytes > 0)
        return render_ramp_colour(cell->kind, cell->order, cell->place);
    return others[cell->kind];
}

double render_ramp_distance(struct render_colour a, struct render_colour b)
{
    struct lab x = lab_of(a), y = lab_of(b);

    return sqrt((x.lightness - y.lightness) * (x.lightness - y.lightness) +
                (x.a - y.a) * (x.a - y.a) + (x.b - y.b) * (x.b - y.b));
}
