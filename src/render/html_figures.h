/* SPDX-License-Identifier: MIT */
/* The figures, each with what it means: in the file, and on the device under it; or before and
 * after. */
#ifndef RENDER_HTML_FIGURES_H
#define RENDER_HTML_FIGURES_H

#include "html.h"
#include "html_subject.h"

void html_figures(struct html *html, const struct html_subjects *subjects);

#endif
