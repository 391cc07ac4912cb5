// SPDX-License-Identifier: MIT
/* Owns the table for several images. The layout of columns is libsmartcols' work. */
#include "cell.h"
#include "cleanup.h"
#include "render.h"
#include "rows.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

static int add_columns(struct libscols_table *table, const struct render_column *const *columns,
                       size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int flags = columns[i]->type == RENDER_TEXT ? 0 : SCOLS_FL_RIGHT;

        if (scols_table_new_column(table, columns[i]->name, 0, flags) == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int add_row(struct libscols_table *table, const struct render_images *images,
                   const struct render_row *row, const struct render_column *const *columns,
                   size_t n, bool bytes)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    const struct report_image *image;
    const struct report_table *of;

    if (line == NULL)
        return -ENOMEM;
    render_row_look(row, images, &image, &of);
    for (size_t i = 0; i < n; i++) {
        char *cell = render_cell_for_table(columns[i], columns[i]->value(image, of), bytes);

        if (cell == NULL || scols_line_refer_data(line, i, cell) != 0) {
            free(cell);
            return -ENOMEM;
        }
    }
    return 0;
}

/* Before IMAGE, which stays last. */
static size_t put_before_last(const char *name, const struct render_column **columns, size_t n)
{
    columns[n] = columns[n - 1];
    columns[n - 1] = render_column_find(name, strlen(name));
    return n + 1;
}

/* Where snapshots or domains were asked for, a table must say which row is which. */
static size_t default_columns(const struct render_options *options,
                              const struct render_column **columns)
{
    size_t n = render_chosen_columns(options, false, columns);

    if (options->columns != NULL)
        return n;
    if (options->domains) {
        n = put_before_last("DOMAIN", columns, n);
        n = put_before_last("TARGET", columns, n);
    }
    return options->snapshots ? put_before_last("SNAPSHOT", columns, n) : n;
}

static void unref(struct libscols_table **table)
{
    scols_unref_table(*table);
}

int render_table(FILE *stream, const struct render_images *images,
                 const struct render_options *options)
{
    const struct render_column *columns[RENDER_COLUMNS_MAX];
    size_t n_rows, n_columns = default_columns(options, columns);
    CLEANUP_FREE struct render_row *rows = render_rows(images, &n_rows);
    CLEANUP(unref) struct libscols_table *table = scols_new_table();
    int ret;

    if (rows == NULL || table == NULL)
        return -ENOMEM;
    scols_table_set_stream(table, stream);
    scols_table_enable_noheadings(table, options->noheadings);
    ret = render_rows_sort(rows, n_rows, images, options->sort, options->sort_reversed);
    if (ret == 0)
        ret = add_columns(table, columns, n_columns);
    for (size_t i = 0; i < n_rows && ret == 0; i++)
        ret = add_row(table, images, &rows[i], columns, n_columns, options->bytes);
    return ret == 0 && n_rows > 0 ? scols_print_table(table) : ret;
}
