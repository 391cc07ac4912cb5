/* SPDX-License-Identifier: MIT */
/*
 * What saves the data of a damaged image, step by step: the copy first, then the reading. Repairs
 * are named only where they lose nothing, or QEMU does not open the image without.
 */
#ifndef REPORT_RESCUE_H
#define REPORT_RESCUE_H

#include "recipe.h"

#include <stdbool.h>

/* Damage in the image itself: not only a mixture of states, seen while it was changing. */
bool report_is_damaged(const struct report_image *image);

/* No steps if nothing is damaged. 0 or -ENOMEM. Release with report_recipe_release, also then. */
int report_rescue(const struct report_image *image, struct report_recipe *rescue);

#endif
