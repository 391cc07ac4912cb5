/* SPDX-License-Identifier: MIT */
/* The rows that a table and CSV have, in their order. */
#ifndef RENDER_ROWS_H
#define RENDER_ROWS_H

#include "column.h"
#include "render.h"

#include <stdbool.h>
#include <stddef.h>

/* A table of an image, by their numbers: of very many images only some are whole at a time. */
struct render_row {
    size_t image;
    size_t table; /* an image that was not measured has none */
    size_t given; /* the order of the command line */
};

/* A row for each table, and for an image without any: free them. NULL: no memory. */
struct render_row *render_rows(const struct render_images *images, size_t *n_rows);

/* By @column, equals by the time lost, then by score, then as given. NULL: by these alone. */
int render_rows_sort(struct render_row *rows, size_t n, const struct render_images *images,
                     const struct render_column *column, bool reversed);

/* Sets *@image and *@table (NULL: not measured) to what the row is of: see render_images. */
void render_row_look(const struct render_row *row, const struct render_images *images,
                     const struct report_image **image, const struct report_table **table);

#endif
