/* SPDX-License-Identifier: MIT */
/* The histograms of the page: a row for each power of two that occurs. */
#ifndef RENDER_HISTOGRAM_H
#define RENDER_HISTOGRAM_H

#include "page.h"
#include "report.h"

void render_histogram_runs(const struct render_page *page, const struct report_walk *walk);
void render_histogram_jumps(const struct render_page *page, const struct report_walk *walk);
void render_histogram_gaps(const struct render_page *page, const struct report_space *space);

#endif
