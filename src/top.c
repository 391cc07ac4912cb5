// SPDX-License-Identifier: MIT
/* Owns which images are shown where not all are. Computes nothing of them. */
#include "top.h"

#include "cleanup.h"
#include "rows.h"

#include <errno.h>
#include <stdlib.h>

static const struct report_image *image_of(void *context, size_t i)
{
    const struct top *top = context;

    return top->all->image(top->all->context, top->list[i]);
}

int top_choose(struct top *top, const struct render_images *all, size_t n,
               const struct render_column *column, bool reversed)
{
    CLEANUP_FREE bool *chosen = calloc(all->n + 1, sizeof(*chosen));
    CLEANUP_FREE struct render_row *rows = NULL;
    size_t n_rows = 0;

    *top =
        (struct top){.all = all, .list = calloc(n < all->n ? n : all->n + 1, sizeof(*top->list))};
    rows = render_rows(all, &n_rows);
    if (chosen == NULL || top->list == NULL || rows == NULL ||
        render_rows_sort(rows, n_rows, all, column, reversed) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < n_rows && top->n < n; i++) {
        if (!chosen[rows[i].image])
            top->list[top->n++] = rows[i].image;
        chosen[rows[i].image] = true;
    }
    top->images = (struct render_images){top->n, image_of, top};
    return 0;
}

void top_free(struct top *top)
{
    free(top->list);
    top->list = NULL;
}
