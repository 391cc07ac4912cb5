/* SPDX-License-Identifier: MIT */
/* Which of the images found in folders an earlier run has kept as the original of another one. */
#ifndef ORIGINALS_H
#define ORIGINALS_H

#include <stdbool.h>
#include <stddef.h>

struct targets;

#define ORIGINALS_SUFFIX ".orig" /* unless the user says another one */

struct originals {
    char **marked; /* paths of those that another image names as its original */
    size_t n_marked, cap_marked;
    const char **found; /* the paths of all images, borrowed */
    size_t n_found, cap_found;
};

/* Opens each image that was found in a folder. 0 or -ENOMEM; release it in both cases. */
int originals_find(const struct targets *targets, struct originals *originals);
void originals_free(struct originals *originals);

/*
 * By what another image says, or by the name: it ends in the usual suffix, and there is an image
 * without it; or in @suffix, with which originals are kept now. NULL: they are not.
 */
bool originals_has(const struct originals *originals, const char *path, const char *suffix);

#endif
