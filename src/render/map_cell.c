// SPDX-License-Identifier: MIT
/* Owns the signs that stand for cells. */
#include "map_cell.h"

/* From 0 to @last. */
static int step_of(double place, int last)
{
    return (int)(place * last + 0.5);
}

char map_cell_letter(const struct report_cell *cell)
{
    static const char others[REPORT_N_CELLS] = {
        [REPORT_CELL_EMPTY] = '.',  [REPORT_CELL_ZERO] = '-',     [REPORT_CELL_FREE] = '_',
        [REPORT_CELL_LEAKED] = '!', [REPORT_CELL_SNAPSHOT] = '+', [REPORT_CELL_METADATA] = '=',
    };

    if (cell->kind == REPORT_CELL_COMPRESSED)
        return (char)('0' + step_of(cell->place, 9));
    if (cell->kind == REPORT_CELL_DATA)
        return (char)((map_cell_is_broken(cell) ? 'A' : 'a') + step_of(cell->place, 25));
    return others[cell->kind];
}

/* Of 16 colours those that get lighter on most terminals; compressed ones have two of their own. */
static unsigned code_of(const struct report_cell *cell)
{
    static const unsigned codes[] = {34, 36, 32, 33, 97};

    if (cell->bytes.mapped_bytes == 0)
        return cell->kind == REPORT_CELL_METADATA ? 37 : 90;
    if (cell->kind == REPORT_CELL_COMPRESSED)
        return cell->place < 0.5 ? 35 : 95;
    return codes[step_of(cell->place, 4)];
}

/* Reckoning a colour takes longer than printing it: each is reckoned once. */
static struct render_tint tint_of(struct map_palette *palette, const struct report_cell *cell)
{
    unsigned step = (unsigned)step_of(cell->place, MAP_PALETTE_STEPS - 1);
    struct render_tint *tint = &palette->tints[cell->kind][cell->order][step];

    if (!palette->known[cell->kind][cell->order][step]) {
        *tint = (struct render_tint){.colour = render_ramp_cell(cell), .code = code_of(cell)};
        tint->nearest = (uint8_t)render_paint_nearest(tint->colour);
        palette->known[cell->kind][cell->order][step] = true;
    }
    return *tint;
}

static const char *shade_of(const struct report_cell *cell)
{
    static const char *const shades[] = {"█", "▓", "▒", "░"};
    static const char *const others[REPORT_N_CELLS] = {
        [REPORT_CELL_EMPTY] = "·",  [REPORT_CELL_ZERO] = "-",     [REPORT_CELL_FREE] = "_",
        [REPORT_CELL_LEAKED] = "!", [REPORT_CELL_SNAPSHOT] = "+", [REPORT_CELL_METADATA] = "=",
    };

    return cell->bytes.mapped_bytes > 0 ? shades[cell->order] : others[cell->kind];
}

/* The upper half has the colour of the text, the lower one that of the ground. */
static void print_blocks(struct render_paint *paint, struct map_palette *palette,
                         const struct report_cell *cell, const struct report_cell *below)
{
    render_paint_set(paint, tint_of(palette, cell),
                     below != NULL ? tint_of(palette, below) : RENDER_OWN_TINT);
    fputs("▀", paint->stream);
}

void map_cell_print(struct render_paint *paint, struct map_palette *palette, enum map_form form,
                    const struct report_cell *cell, const struct report_cell *below)
{
    if (form == MAP_BLOCKS) {
        print_blocks(paint, palette, cell, below);
        return;
    }
    render_paint_set(paint, tint_of(palette, cell), RENDER_OWN_TINT);
    if (form == MAP_SHADES)
        fputs(shade_of(cell), paint->stream);
    else
        putc(map_cell_letter(cell), paint->stream);
}
