/* SPDX-License-Identifier: MIT */
/* Limits that the user sets to figures: --max-score and the like. */
#ifndef THRESHOLDS_H
#define THRESHOLDS_H

struct options;
struct report_image;

/*
 * Compares each table of @image with each limit given, and tells what is strictly worse. Returns
 * the exit status: also 1, if a figure with a limit is not known. What holds no data is within every
 * limit.
 */
int thresholds_check(const struct options *options, const struct report_image *image,
                     void (*complain)(const char *path, const char *text));

#endif
