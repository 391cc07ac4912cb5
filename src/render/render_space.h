/* SPDX-License-Identifier: MIT */
/* What the space of the file is used for, on the page. */
#ifndef RENDER_SPACE_H
#define RENDER_SPACE_H

#include "page.h"
#include "report.h"

/* Nothing if that was not measured. */
void render_space(const struct render_page *page, const struct report_image *image);

#endif
