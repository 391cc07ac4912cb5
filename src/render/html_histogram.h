/* SPDX-License-Identifier: MIT */
/* Runs by their length and jumps by their distance, as tables with bars. */
#ifndef RENDER_HTML_HISTOGRAM_H
#define RENDER_HTML_HISTOGRAM_H

#include "html.h"
#include "html_subject.h"

#include <stdbool.h>

/* A cell with a bar for a share, 0 .. 1. */
void html_histogram_bar(struct html *html, double share, const char *colour);

bool html_histogram_is_there(const struct html_subjects *subjects);

/* The section of both; two images have the same classes and the same scale. */
void html_histograms(struct html *html, const struct html_subjects *subjects);

#endif
