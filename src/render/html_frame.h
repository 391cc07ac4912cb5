/* SPDX-License-Identifier: MIT */
/* What is around the parts of a page: its head, which allows nothing from outside, and its end. */
#ifndef RENDER_HTML_FRAME_H
#define RENDER_HTML_FRAME_H

#include "html.h"
#include "report.h"

#include <stdbool.h>
#include <stddef.h>

struct render_images;

/* Up to the place where the title goes: put it there, as text. */
void html_frame_begin(struct html *html);

/* From behind the title to the header of the page. */
void html_frame_body(struct html *html);

/* Where the name of what was measured goes, and when that was; the header ends with it. */
void html_frame_header(struct html *html, const char *const *paths, size_t n, int64_t measured_at);

/* A link to a part of the page, inside the list of them. */
void html_frame_link(struct html *html, const char *id, const char *text, bool is_there);

/* A part of the page: its title is @title, and what it says in a sentence, which may be NULL. */
void html_frame_section(struct html *html, const char *id, const char *title, const char *sentence);

/* A table that may be wider than the page: begin, and end. @caption says what it is. */
void html_frame_table(struct html *html, const char *caption, const char *class);
void html_frame_table_end(struct html *html);

/*
 * The JSON of @images, to be put where it does not end the page. A new string; NULL: it is longer
 * than @most, or there is no memory.
 */
char *html_frame_document(const struct render_images *images, size_t most);

/* The end of all. */
void html_frame_end(struct html *html);

#endif
