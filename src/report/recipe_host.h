/* SPDX-License-Identifier: MIT */
/* The recipe that has the host's file system put the file together. */
#ifndef REPORT_RECIPE_HOST_H
#define REPORT_RECIPE_HOST_H

struct report_cook;

void report_recipe_host(struct report_cook *cook);

#endif
