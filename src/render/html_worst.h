/* SPDX-License-Identifier: MIT */
/* The stretches of the guest disk that cost most, and how to look closer. */
#ifndef RENDER_HTML_WORST_H
#define RENDER_HTML_WORST_H

#include "html.h"
#include "html_subject.h"

#include <stdbool.h>

bool html_worst_is_there(const struct html_subject *subject);

/* The section; nothing where nothing is lost. 0 or -ENOMEM. */
int html_worst(struct html *html, const struct html_subject *subject);

#endif
