/* SPDX-License-Identifier: MIT */
/* The recipe that has this program put the image in order, in the place of the original. */
#ifndef REPORT_RECIPE_DEFRAG_H
#define REPORT_RECIPE_DEFRAG_H

struct report_cook;

void report_recipe_defrag(struct report_cook *cook);

/* Its one step, at the end of whatever has to be done before. */
void report_recipe_put_in_order(struct report_cook *cook);

#endif
