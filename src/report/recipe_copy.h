/* SPDX-License-Identifier: MIT */
/* The recipe that writes the image anew, in guest order, and puts the copy in its place. */
#ifndef REPORT_RECIPE_COPY_H
#define REPORT_RECIPE_COPY_H

struct report_cook;

void report_recipe_copy(struct report_cook *cook);

#endif
