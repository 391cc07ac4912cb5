/* SPDX-License-Identifier: MIT */
/*
 * What to do about a verdict, step by step, with the commands for this image. The one place that
 * knows such commands.
 *
 * What a rewrite is promised to bring is the layout that `qcow2frag defrag` writes, or where that
 * refuses the image, and along a chain, the one of the printed convert: version,
 * cluster size, width of refcounts, extended L2 entries as they are; -c if more than half of the
 * mapped clusters are compressed; with the backing file of the image, or without any, where it
 * flattens; encrypted if the image is, by LUKS. On a new volume it is the same (create, convert
 * -n).
 */
#ifndef REPORT_RECIPE_H
#define REPORT_RECIPE_H

#include "report.h"

#include <stddef.h>

struct report_recipe_step {
    char *text;    /* a sentence */
    char *command; /* a line for a shell that does it; NULL: a person does it */
};

#define REPORT_RECIPE_STEPS_MAX 24 /* to delete snapshots, and copy to a volume, takes 17 */

struct report_recipe {
    struct report_recipe_step steps[REPORT_RECIPE_STEPS_MAX];
    size_t n;
};

/* Is an image rewritten by convert, since defrag refuses its kind? Format and place must stand. */
bool report_recipe_converts(const struct report_image *image);

/* Does a rewrite of the table's image compress? It does what most of its clusters are. */
bool report_recipe_compresses(const struct report_format *format, const struct report_table *table);

/* Does it put the whole chain that was walked into one file? Else only the image is rewritten. */
bool report_recipe_flattens(const struct report_table *table);

/* No steps if there is nothing to do. 0 or -ENOMEM. Release also on failure. */
int report_recipe(const struct report_image *image, struct report_recipe *recipe);
void report_recipe_release(struct report_recipe *recipe);

#endif
