/* SPDX-License-Identifier: MIT */
/* One cell of a map on a terminal, or two in a character: see render_map.h for the forms. */
#ifndef RENDER_MAP_CELL_H
#define RENDER_MAP_CELL_H

#include "paint.h"
#include "picture.h"

#include <stdbool.h>

enum map_form { MAP_BLOCKS, MAP_SHADES, MAP_LETTERS };

/* More steps than rows of a picture of `qcow2frag map`. */
#define MAP_PALETTE_STEPS 64

/* Colours by kind, order and place; all 0 at first. */
struct map_palette {
    bool known[REPORT_N_CELLS][REPORT_CELL_IN_PIECES + 1][MAP_PALETTE_STEPS];
    struct render_tint tints[REPORT_N_CELLS][REPORT_CELL_IN_PIECES + 1][MAP_PALETTE_STEPS];
};

/* @below: the cell under it, in the same character; blocks only. NULL: there is none. */
void map_cell_print(struct render_paint *paint, struct map_palette *palette, enum map_form form,
                    const struct report_cell *cell, const struct report_cell *below);

/* More than cracked: in letters it is a capital. */
static inline bool map_cell_is_broken(const struct report_cell *cell)
{
    return cell->order >= REPORT_CELL_BROKEN;
}

/* The letter of a cell. */
char map_cell_letter(const struct report_cell *cell);

#endif
