// SPDX-License-Identifier: MIT
/* Owns the CSV output: one row a table, quoted only where RFC 4180 asks for it. */
#include "cell.h"
#include "render.h"
#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void print_quoted(FILE *stream, const char *cell)
{
    if (strpbrk(cell, ",\"\r\n") == NULL) {
        fputs(cell, stream);
        return;
    }
    putc('"', stream);
    for (; *cell != '\0'; cell++) {
        if (*cell == '"')
            putc('"', stream);
        putc(*cell, stream);
    }
    putc('"', stream);
}

static int print_row(FILE *stream, const struct render_column *const *columns, size_t n,
                     const struct report_image *image, const struct report_table *table)
{
    for (size_t i = 0; i < n; i++) {
        char *cell = render_cell_for_programs(columns[i], columns[i]->value(image, table));

        if (cell == NULL)
            return -ENOMEM;
        if (i > 0)
            putc(',', stream);
        print_quoted(stream, cell);
        free(cell);
    }
    putc('\n', stream);
    return 0;
}

int render_csv(FILE *stream, const struct report_image *images, size_t n_images,
               const struct render_options *options)
{
    const struct render_column *columns[RENDER_COLUMNS_MAX];
    size_t n = render_chosen_columns(options, true, columns), n_rows;
    struct render_row *rows = render_rows(images, n_images, &n_rows);
    int ret = rows == NULL ? -ENOMEM : 0;

    if (ret == 0 && options->sort != NULL)
        ret = render_rows_sort(rows, n_rows, options->sort, options->sort_reversed);
    for (size_t i = 0; i < n && ret == 0 && !options->noheadings; i++)
        fprintf(stream, "%s%s", columns[i]->name, i + 1 < n ? "," : "\n");
    for (size_t i = 0; i < n_rows && ret == 0; i++)
        ret = print_row(stream, columns, n, rows[i].image, rows[i].table);
    free(rows);
    return ret;
}
