/* SPDX-License-Identifier: MIT */
/* What comes first on the page: how the image is, in a sentence, and what to do about it. */
#ifndef RENDER_HTML_VERDICT_H
#define RENDER_HTML_VERDICT_H

#include "html.h"
#include "html_subject.h"

#include <stdbool.h>

/* How an image is, at a glance. */
enum html_mood { HTML_GOOD, HTML_WARN, HTML_BAD };

struct html_state {
    enum html_mood mood;
    const char *word;     /* "Fragmented" */
    const char *sentence; /* the rest of the title of the page */
};

struct html_state html_verdict_state(const struct html_subject *subject);

/* Badge, title, reason, and the times as bars. */
void html_verdict(struct html *html, const struct html_subject *subject);

/* The same of two: what has become of it. */
void html_verdict_change(struct html *html, const struct html_subjects *subjects);

/* The section of steps; nothing is written where there is nothing to do. 0 or -ENOMEM. */
int html_verdict_steps(struct html *html, const struct report_image *image);
bool html_verdict_has_steps(const struct report_image *image);

#endif
