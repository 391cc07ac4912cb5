/* SPDX-License-Identifier: MIT */
/* Which of the images of a run are built on which others of it. */
#ifndef KIN_H
#define KIN_H

#include "render.h"

#include <stddef.h>

struct kin {
    size_t n_images;
    const char **backing;  /* of each image the path of its backing file, or NULL */
    const char **overlays; /* the paths of those that have a backing file, by that */
    size_t *first_overlay; /* of each image, where its own begin; one more behind them */
};

/*
 * Compares the names that images have inside with the names that @images have outside, as far as
 * that goes without looking at any of the former: nothing is opened, and nobody asked, because an
 * image says so. Paths are borrowed. 0 or -ENOMEM; kin_free in any case.
 */
int kin_find(struct kin *kin, const struct render_images *images);
void kin_free(struct kin *kin);

/* Sets what @kin knows of number @i. */
void kin_fill(const struct kin *kin, size_t i, struct report_image *image);

#endif
