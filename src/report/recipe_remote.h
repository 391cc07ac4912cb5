/* SPDX-License-Identifier: MIT */
/* What to do about an image that is not on this host: nothing here can take its place. */
#ifndef REPORT_RECIPE_REMOTE_H
#define REPORT_RECIPE_REMOTE_H

struct report_cook;
struct report_image;
struct report_words;

void report_recipe_remote(struct report_cook *cook);

/* The command that makes a local file of it, with every byte as it is. NULL without memory. */
char *report_recipe_fetch(const struct report_image *image, const struct report_words *words);

#endif
