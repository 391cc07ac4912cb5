/* SPDX-License-Identifier: MIT */
/* The figures of one table on the page, a line each. */
#ifndef RENDER_FIGURES_H
#define RENDER_FIGURES_H

#include "page.h"
#include "report.h"

void render_figures(const struct render_page *page, const struct report_image *image,
                    const struct report_table *table);

#endif
