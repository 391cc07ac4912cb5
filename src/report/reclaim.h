/* SPDX-License-Identifier: MIT */
/* What the file of an image holds for nothing, and what gets it back. */
#ifndef REPORT_RECLAIM_H
#define REPORT_RECLAIM_H

#include "recipe.h"
#include "report.h"

/*
 * Fills @recipe with what is to be done about the space; no steps if there is nothing to get back,
 * or if it is not known or not safe: in a damaged image, what nobody refers to may be what was
 * lost. 0 or -ENOMEM. Release with report_recipe_release, also on failure.
 */
int report_reclaim(const struct report_image *image, struct report_recipe *recipe);

#endif
