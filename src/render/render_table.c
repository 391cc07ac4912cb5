// SPDX-License-Identifier: MIT
/* Owns the table for several images. The layout of columns is libsmartcols' work. */
#include "cell.h"
#include "render.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

struct row {
    const struct report_image *image;
    const struct report_table *table; /* NULL: not measured */
    size_t given;                     /* the order of the command line */
};

/* A figure by which rows are sorted: the largest first, unknown last. */
struct key {
    bool known;
    double value;
};

static struct key lost_of(const struct row *row)
{
    const struct report_disk *disk = row->table != NULL ? &row->table->disk : NULL;

    if (disk == NULL || !disk->known)
        return (struct key){false, 0};
    return (struct key){true, disk->seconds - disk->ideal_seconds};
}

static struct key score_of(const struct row *row)
{
    if (row->table == NULL || !row->table->measured || !row->table->walk.fragmentation_score.known)
        return (struct key){false, 0};
    return (struct key){true, row->table->walk.fragmentation_score.value};
}

static int compare(struct key left, struct key right)
{
    if (left.known != right.known)
        return left.known ? -1 : 1;
    return (left.value < right.value) - (left.value > right.value);
}

/* Equals as they were given. */
static int worse_first(const void *a, const void *b)
{
    const struct row *left = a, *right = b;
    int order = compare(lost_of(left), lost_of(right));

    if (order == 0)
        order = compare(score_of(left), score_of(right));
    return order != 0 ? order : (left->given > right->given) - (left->given < right->given);
}

static struct row *collect_rows(const struct report_image *images, size_t n_images, size_t *n_rows)
{
    size_t n = 0;
    struct row *rows;

    for (size_t i = 0; i < n_images; i++)
        n += images[i].n_tables > 0 ? images[i].n_tables : 1;
    rows = calloc(n > 0 ? n : 1, sizeof(*rows));
    *n_rows = n;
    n = 0;
    for (size_t i = 0; i < n_images && rows != NULL; i++) {
        if (images[i].n_tables == 0)
            rows[n] = (struct row){&images[i], NULL, n}, n++;
        for (size_t t = 0; t < images[i].n_tables; t++, n++)
            rows[n] = (struct row){&images[i], &images[i].tables[t], n};
    }
    return rows;
}

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

static int add_row(struct libscols_table *table, const struct row *row,
                   const struct render_column *const *columns, size_t n, bool bytes)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);

    if (line == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        char *cell =
            render_cell_for_table(columns[i], columns[i]->value(row->image, row->table), bytes);

        if (cell == NULL || scols_line_refer_data(line, i, cell) != 0) {
            free(cell);
            return -ENOMEM;
        }
    }
    return 0;
}

/* With snapshots in it, a table must say which row is which. */
static size_t default_columns(const struct row *rows, size_t n_rows,
                              const struct render_options *options,
                              const struct render_column **columns)
{
    size_t n = render_chosen_columns(options, false, columns);

    if (options->columns != NULL)
        return n;
    for (size_t i = 0; i < n_rows; i++)
        if (rows[i].table != NULL && rows[i].table->is_snapshot) {
            columns[n] = columns[n - 1]; /* IMAGE stays last */
            columns[n - 1] = render_column_find("SNAPSHOT", strlen("SNAPSHOT"));
            return n + 1;
        }
    return n;
}

int render_table(FILE *stream, const struct report_image *images, size_t n_images,
                 const struct render_options *options)
{
    const struct render_column *columns[RENDER_COLUMNS_MAX];
    size_t n_rows, n_columns;
    struct row *rows = collect_rows(images, n_images, &n_rows);
    struct libscols_table *table = scols_new_table();
    int ret = -ENOMEM;

    if (rows != NULL && table != NULL) {
        n_columns = default_columns(rows, n_rows, options, columns);
        qsort(rows, n_rows, sizeof(*rows), worse_first);
        scols_table_set_stream(table, stream);
        scols_table_enable_noheadings(table, options->noheadings);
        ret = add_columns(table, columns, n_columns);
        for (size_t i = 0; i < n_rows && ret == 0; i++)
            ret = add_row(table, &rows[i], columns, n_columns, options->bytes);
        if (ret == 0 && n_rows > 0)
            ret = scols_print_table(table);
    }
    scols_unref_table(table);
    free(rows);
    return ret;
}
