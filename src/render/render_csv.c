// SPDX-License-Identifier: MIT
/*
 * Owns the CSV output: one row a table, quoted only where RFC 4180 asks for it. Printing asks for
 * no memory, so that what was begun is also ended.
 */
#include "cell.h"
#include "cleanup.h"
#include "render.h"
#include "rows.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool needs_quotes(const char *bytes, size_t len)
{
    return memchr(bytes, ',', len) != NULL || memchr(bytes, '"', len) != NULL ||
           memchr(bytes, '\n', len) != NULL;
}

static void print_text(FILE *stream, const char *bytes, size_t len)
{
    bool quoted = needs_quotes(bytes, len);

    if (quoted)
        putc('"', stream);
    for (size_t i = 0; i < len;) {
        struct text_sign sign = text_first(bytes + i, len - i);
        char spelled[TEXT_SPELLED_MAX];

        if (bytes[i] == '"')
            fputs("\"\"", stream);
        else
            fwrite(spelled, 1, render_cell_spell(bytes + i, len - i, &sign, spelled), stream);
        i += sign.len;
    }
    if (quoted)
        putc('"', stream);
}

static void print_row(FILE *stream, const struct render_column *const *columns, size_t n,
                      const struct report_image *image, const struct report_table *table)
{
    for (size_t i = 0; i < n; i++) {
        struct render_value value = columns[i]->value(image, table);
        char digits[RENDER_DIGITS_MAX];

        if (i > 0)
            putc(',', stream);
        if (columns[i]->type == RENDER_TEXT) {
            if (value.known)
                print_text(stream, value.text, value.text_len);
            continue;
        }
        render_cell_for_programs(columns[i], value, digits);
        fputs(digits, stream);
    }
    putc('\n', stream);
}

int render_csv(FILE *stream, const struct render_images *images,
               const struct render_options *options)
{
    const struct render_column *columns[RENDER_COLUMNS_MAX];
    size_t n = render_chosen_columns(options, true, columns), n_rows;
    CLEANUP_FREE struct render_row *rows = render_rows(images, &n_rows);

    if (rows == NULL ||
        (options->sort != NULL &&
         render_rows_sort(rows, n_rows, images, options->sort, options->sort_reversed) < 0))
        return -ENOMEM;
    for (size_t i = 0; i < n && !options->noheadings; i++)
        fprintf(stream, "%s%s", columns[i]->name, i + 1 < n ? "," : "\n");
    for (size_t i = 0; i < n_rows; i++) {
        const struct report_image *image;
        const struct report_table *table;

        render_row_look(&rows[i], images, &image, &table);
        print_row(stream, columns, n, image, table);
    }
    return 0;
}
