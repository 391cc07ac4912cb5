/* SPDX-License-Identifier: MIT */
/* The map of the guest disk: cells in reading order, coloured by where their data lie. */
#ifndef RENDER_HTML_MAP_H
#define RENDER_HTML_MAP_H

#include "html.h"
#include "html_subject.h"
#include "picture.h"

#include <stddef.h>
#include <stdint.h>

#define HTML_MAP_CELLS_MAX 2048

/* The map of @subject, whose cells are those of its picture. @host_end: of the scale of colours. 0
 * or -ENOMEM. */
int html_map(struct html *html, const struct html_subject *subject, uint64_t host_end);

/* What the colours of maps mean. 0 or -ENOMEM. */
int html_map_legend(struct html *html);

#endif
