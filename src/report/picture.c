// SPDX-License-Identifier: MIT
/* Owns the way from many bins to the cells that there is room for. Pure. */
#include "picture.h"

#include "counts.h"

#include <stdlib.h>

void report_picture_free(struct report_picture *picture)
{
    if (picture == NULL)
        return;
    meter_raster_free(picture->raster);
    free(picture->file_begins);
    free(picture->owned);
    free(picture);
}

const char *report_cell_name(enum report_cell_kind kind)
{
    static const char *const names[REPORT_N_CELLS] = {
        [REPORT_CELL_EMPTY] = "empty",       [REPORT_CELL_ZERO] = "zero",
        [REPORT_CELL_DATA] = "data",         [REPORT_CELL_COMPRESSED] = "compressed",
        [REPORT_CELL_FREE] = "free",         [REPORT_CELL_LEAKED] = "leaked",
        [REPORT_CELL_SNAPSHOT] = "snapshot", [REPORT_CELL_METADATA] = "metadata",
    };

    return names[kind];
}

/* ---- a cell of several bins ---- */

static void add_bin(struct report_cell *cell, const struct meter_raster_bin *bin)
{
    cell->bytes.mapped_bytes += bin->mapped_bytes;
    cell->bytes.compressed_bytes += bin->compressed_bytes;
    cell->bytes.zero_bytes += bin->zero_bytes;
    cell->bytes.breaks += bin->breaks;
    cell->bytes.near_jumps += bin->near_jumps;
}

static uint32_t largest_row(const uint64_t *rows, uint32_t n)
{
    uint32_t largest = 0;

    for (uint32_t i = 1; i < n; i++)
        if (rows[i] > rows[largest])
            largest = i;
    return largest;
}

/* What a seek costs is worth so many bytes of reading. */
double report_picture_lost(uint64_t seeks, uint64_t mapped_bytes)
{
    double lost = (double)seeks * PIECE_READ_OVER_BYTES;

    return mapped_bytes > 0 ? lost / (lost + (double)mapped_bytes) : 0;
}

enum report_cell_order report_picture_order(uint64_t seeks, uint64_t mapped_bytes)
{
    double share = report_picture_lost(seeks, mapped_bytes);

    if (share < 1. / 8)
        return REPORT_CELL_WHOLE;
    return share < 1. / 3   ? REPORT_CELL_CRACKED
           : share < 2. / 3 ? REPORT_CELL_BROKEN
                            : REPORT_CELL_IN_PIECES;
}

static enum report_cell_kind largest_owner(const uint64_t owned[SPACE_N_OWNERS])
{
    const uint64_t bytes[REPORT_N_CELLS] = {
        [REPORT_CELL_FREE] = owned[SPACE_OWNER_FREE],
        [REPORT_CELL_LEAKED] = owned[SPACE_OWNER_LEAKED],
        [REPORT_CELL_SNAPSHOT] = owned[SPACE_OWNER_SNAPSHOT] + owned[SPACE_OWNER_VM_STATE],
        [REPORT_CELL_METADATA] = owned[SPACE_OWNER_METADATA],
    };
    enum report_cell_kind largest = REPORT_CELL_EMPTY;

    for (unsigned i = 0; i < REPORT_N_CELLS; i++)
        if (bytes[i] > bytes[largest])
            largest = (enum report_cell_kind)i;
    return largest;
}

static enum report_cell_kind kind_of(const struct meter_raster_bin *bytes)
{
    if (bytes->mapped_bytes == 0)
        return bytes->zero_bytes > 0 ? REPORT_CELL_ZERO : REPORT_CELL_EMPTY;
    return bytes->compressed_bytes > bytes->mapped_bytes / 2 ? REPORT_CELL_COMPRESSED
                                                             : REPORT_CELL_DATA;
}

/* Bins [first, end). @rows: room for the sums of their rows, all 0 before and after. */
static void fill_cell(const struct report_picture *picture, uint32_t first, uint32_t end,
                      uint64_t *sums, struct report_cell *cell)
{
    uint32_t n_rows = meter_raster_rows(&picture->shape)->n;
    uint64_t owned[SPACE_N_OWNERS] = {0};

    for (uint32_t i = first; i < end; i++) {
        const uint64_t *rows;
        const struct meter_raster_bin *bin = meter_raster_bin(picture->raster, i, &rows);

        for (unsigned k = 0; k < SPACE_N_OWNERS && picture->owned != NULL; k++)
            owned[k] += picture->owned[i][k];
        if (bin == NULL)
            continue;
        add_bin(cell, bin);
        for (uint32_t k = 0; k < n_rows && bin->mapped_bytes > 0; k++)
            sums[k] += rows[k];
    }
    cell->kind = kind_of(&cell->bytes);
    if (cell->kind == REPORT_CELL_EMPTY)
        cell->kind = largest_owner(owned);
    cell->order =
        report_picture_order(report_picture_seeks(&cell->bytes), cell->bytes.mapped_bytes);
    cell->row = largest_row(sums, n_rows);
    cell->place = n_rows > 1 ? (double)cell->row / (n_rows - 1) : 0;
    for (uint32_t k = 0; k < n_rows; k++)
        sums[k] = 0;
}

/* ---- all of them ---- */

/* What of bins [first, end) lies in [begin, end) of the disk or the host. */
static void place_cell(const struct meter_axis *axis, uint32_t first, uint32_t last, uint64_t begin,
                       uint64_t end, struct report_cell *cell)
{
    uint64_t from = axis->origin + ((uint64_t)first << axis->shift);
    uint64_t to = axis->origin + ((uint64_t)last << axis->shift);

    cell->off = from > begin ? from : begin;
    to = to < end ? to : end;
    cell->len_bytes = to > cell->off ? to - cell->off : 0;
}

size_t report_picture_cells(const struct report_picture *picture, size_t most,
                            struct report_cell **cells)
{
    const struct meter_axis *bins = meter_raster_bins(&picture->shape);
    uint32_t per_cell = (uint32_t)((bins->n + most - 1) / most);
    size_t n = (bins->n + per_cell - 1) / per_cell;
    uint64_t *sums = calloc(meter_raster_rows(&picture->shape)->n, sizeof(*sums));

    *cells = calloc(n, sizeof(**cells));
    if (*cells == NULL || sums == NULL) {
        free(*cells);
        *cells = NULL;
        n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t first = (uint32_t)i * per_cell;
        uint32_t end = bins->n - first < per_cell ? bins->n : first + per_cell;

        fill_cell(picture, first, end, sums, &(*cells)[i]);
        if (picture->shape.by_host)
            place_cell(bins, first, end, picture->host_begin, picture->host_end, &(*cells)[i]);
        else
            place_cell(bins, first, end, picture->guest_begin, picture->guest_end, &(*cells)[i]);
    }
    free(sums);
    return n;
}
