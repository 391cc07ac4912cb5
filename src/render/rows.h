/* SPDX-License-Identifier: MIT */
/* The rows that a table and CSV have, in their order. */
#ifndef RENDER_ROWS_H
#define RENDER_ROWS_H

#include "column.h"
#include "render.h"

#include <stdbool.h>
#include <stddef.h>

struct render_row {
    const struct report_image *image;
    const struct report_table *table; /* NULL: not measured */
    size_t given;                     /* the order of the command line */
};

/* A row for each table, and for an image without any: free them. NULL: no memory. */
struct render_row *render_rows(const struct report_image *images, size_t n_images, size_t *n_rows);

/* By @column, equals by the time lost, then by score, then as given. NULL: by these alone. */
int render_rows_sort(struct render_row *rows, size_t n, const struct render_column *column,
                     bool reversed);

#endif
