// SPDX-License-Identifier: MIT
/* Owns the order of rows. */
#include "rows.h"

#include "render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a row is sorted by is looked up once, not at each comparison. */
struct keyed {
    struct render_row row;
    struct render_value chosen, lost, score;
    enum render_type type;
    bool reversed;
};

struct render_row *render_rows(const struct report_image *images, size_t n_images, size_t *n_rows)
{
    size_t n = 0;
    struct render_row *rows;

    for (size_t i = 0; i < n_images; i++)
        n += images[i].n_tables > 0 ? images[i].n_tables : 1;
    rows = calloc(n > 0 ? n : 1, sizeof(*rows));
    *n_rows = n;
    n = 0;
    for (size_t i = 0; i < n_images && rows != NULL; i++) {
        if (images[i].n_tables == 0)
            rows[n] = (struct render_row){&images[i], NULL, n}, n++;
        for (size_t t = 0; t < images[i].n_tables; t++, n++)
            rows[n] = (struct render_row){&images[i], &images[i].tables[t], n};
    }
    return rows;
}

static int compare_texts(const struct render_value *left, const struct render_value *right)
{
    size_t common = left->text_len < right->text_len ? left->text_len : right->text_len;
    int order = memcmp(left->text, right->text, common);

    return order != 0 ? order
                      : (left->text_len > right->text_len) - (left->text_len < right->text_len);
}

/* Numbers from the largest on, texts from A on; what is not known is last, also in reverse. */
static int compare(const struct render_value *left, const struct render_value *right,
                   enum render_type type, bool reversed)
{
    int order;

    if (left->known != right->known)
        return left->known ? -1 : 1;
    if (!left->known)
        return 0;
    if (type == RENDER_TEXT)
        order = compare_texts(left, right);
    else if (type == RENDER_COUNT || type == RENDER_BYTES)
        order = (left->integer < right->integer) - (left->integer > right->integer);
    else
        order = (left->real < right->real) - (left->real > right->real);
    return reversed ? -order : order;
}

static int by_keys(const void *a, const void *b)
{
    const struct keyed *left = a, *right = b;
    int order = compare(&left->chosen, &right->chosen, left->type, left->reversed);

    if (order == 0)
        order = compare(&left->lost, &right->lost, RENDER_SECONDS, false);
    if (order == 0)
        order = compare(&left->score, &right->score, RENDER_RATIO, false);
    if (order != 0)
        return order;
    return (left->row.given > right->row.given) - (left->row.given < right->row.given);
}

int render_rows_sort(struct render_row *rows, size_t n, const struct render_column *column,
                     bool reversed)
{
    const struct render_column *lost = render_column_find("LOST", strlen("LOST"));
    const struct render_column *score = render_column_find("SCORE", strlen("SCORE"));
    struct keyed *keyed = calloc(n > 0 ? n : 1, sizeof(*keyed));

    if (keyed == NULL)
        return -ENOMEM;
    if (column == NULL)
        column = lost;
    for (size_t i = 0; i < n; i++)
        keyed[i] = (struct keyed){
            .row = rows[i],
            .chosen = column->value(rows[i].image, rows[i].table),
            .lost = lost->value(rows[i].image, rows[i].table),
            .score = score->value(rows[i].image, rows[i].table),
            .type = column->type,
            .reversed = reversed,
        };
    qsort(keyed, n, sizeof(*keyed), by_keys);
    for (size_t i = 0; i < n; i++)
        rows[i] = keyed[i].row;
    free(keyed);
    return 0;
}
