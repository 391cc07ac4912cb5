/* SPDX-License-Identifier: MIT */
/* The worst of many images. */
#ifndef TOP_H
#define TOP_H

#include "render.h"

#include <stddef.h>

struct top {
    const struct render_images *all;
    size_t *list; /* numbers of those chosen, the worst first */
    size_t n;
    struct render_images images; /* the same, for a renderer */
};

/*
 * At most @n of @all, in the order of render_rows_sort: by @column or, if that is NULL, by the time
 * lost; of an image its worst table counts. Both are borrowed. 0 or -ENOMEM; top_free in any case.
 */
int top_choose(struct top *top, const struct render_images *all, size_t n,
               const struct render_column *column, bool reversed);
void top_free(struct top *top);

#endif
