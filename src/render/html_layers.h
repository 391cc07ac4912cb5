/* SPDX-License-Identifier: MIT */
/* What an image consists of: snapshots, and the files of its chain, as rows. */
#ifndef RENDER_HTML_LAYERS_H
#define RENDER_HTML_LAYERS_H

#include "html.h"
#include "html_subject.h"

#include <stdbool.h>

bool html_layers_has_snapshots(const struct report_image *image);
void html_layers_snapshots(struct html *html, const struct report_image *image);

bool html_layers_has_chain(const struct html_subject *subject);
void html_layers_chain(struct html *html, const struct html_subject *subject);

#endif
