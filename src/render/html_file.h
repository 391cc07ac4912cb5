/* SPDX-License-Identifier: MIT */
/* The file as such: what it is, where the host keeps it, what its space is used for, what is wrong.
 */
#ifndef RENDER_HTML_FILE_H
#define RENDER_HTML_FILE_H

#include "html.h"
#include "html_subject.h"

/* The sections; of two images side by side. */
void html_file(struct html *html, const struct html_subjects *subjects);
void html_file_space(struct html *html, const struct html_subjects *subjects);
void html_file_findings(struct html *html, const struct html_subjects *subjects);

#endif
