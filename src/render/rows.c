// SPDX-License-Identifier: MIT
/* Owns the order of rows. */
#include "rows.h"

#include "render.h"
#include "vec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a row is sorted by is looked up once, not at each comparison. */
struct keyed {
    struct render_row row;
    struct render_value chosen, lost, score;
    char *text; /* of the chosen one */
    enum render_type type;
    bool reversed;
};

struct list {
    struct render_row *rows;
    size_t n_rows, cap_rows;
};

struct render_row *render_rows(const struct render_images *images, size_t *n_rows)
{
    struct list list = {NULL, 0, 0};
    int ret = vec_reserve(&list, rows);

    for (size_t i = 0; i < images->n && ret == 0; i++) {
        size_t n = images->image(images->context, i)->n_tables;

        for (size_t t = 0; (t < n || t == 0) && ret == 0; t++) {
            ret = vec_reserve(&list, rows);
            if (ret == 0) {
                list.rows[list.n_rows] = (struct render_row){i, t, list.n_rows};
                list.n_rows++;
            }
        }
    }
    *n_rows = list.n_rows;
    if (ret == 0)
        return list.rows;
    free(list.rows);
    return NULL;
}

void render_row_look(const struct render_row *row, const struct render_images *images,
                     const struct report_image **image, const struct report_table **table)
{
    *image = images->image(images->context, row->image);
    *table = row->table < (*image)->n_tables ? &(*image)->tables[row->table] : NULL;
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

/* The text of the value is the row's own then. */
static int find_key(struct keyed *keyed, const struct render_images *images,
                    const struct render_column *chosen, const struct render_column *lost,
                    const struct render_column *score)
{
    const struct report_image *image;
    const struct report_table *table;

    render_row_look(&keyed->row, images, &image, &table);
    keyed->chosen = chosen->value(image, table);
    keyed->lost = lost->value(image, table);
    keyed->score = score->value(image, table);
    if (keyed->chosen.text == NULL)
        return 0;
    keyed->text = malloc(keyed->chosen.text_len + 1);
    if (keyed->text == NULL)
        return -ENOMEM;
    memcpy(keyed->text, keyed->chosen.text, keyed->chosen.text_len);
    keyed->chosen.text = keyed->text;
    return 0;
}

int render_rows_sort(struct render_row *rows, size_t n, const struct render_images *images,
                     const struct render_column *column, bool reversed)
{
    const struct render_column *lost = render_column_find("LOST", strlen("LOST"));
    const struct render_column *score = render_column_find("SCORE", strlen("SCORE"));
    struct keyed *keyed = calloc(n > 0 ? n : 1, sizeof(*keyed));
    int ret = 0;

    if (keyed == NULL)
        return -ENOMEM;
    if (column == NULL)
        column = lost;
    for (size_t i = 0; i < n && ret == 0; i++) {
        keyed[i] = (struct keyed){.row = rows[i], .type = column->type, .reversed = reversed};
        ret = find_key(&keyed[i], images, column, lost, score);
    }
    if (ret == 0)
        qsort(keyed, n, sizeof(*keyed), by_keys);
    for (size_t i = 0; i < n; i++) {
        if (ret == 0)
            rows[i] = keyed[i].row;
        free(keyed[i].text);
    }
    free(keyed);
    return ret;
}
