/* SPDX-License-Identifier: MIT */
/* The page of a made report, and questions about its text. */
#ifndef UNIT_MADE_PAGE_H
#define UNIT_MADE_PAGE_H

#include "made_report.h"
#include "render.h"

#include <ctype.h>
#include <errno.h>

/* The page of @made, and questions about it. */
struct page {
    struct made_report made;
    struct render_options options;
    char *text;
};

static inline void make(struct page *page)
{
    memset(page, 0, sizeof(*page));
    made_init(&page->made);
}

static inline const char *text_of(struct page *page)
{
    struct made_print *print = made_print_begin();

    assert_int_equal(render_text(print->stream, &page->made.image, &page->options), 0);
    free(page->text);
    page->text = made_print_end(print);
    return page->text;
}

static inline void fail_with(const struct page *page, const char *what, const char *part)
{
    fprintf(stderr, "%s", page->text);
    fail_msg("%s: %s", what, part);
}

static inline void says(struct page *page, const char *line)
{
    if (!made_has_line(text_of(page), line))
        fail_with(page, "no such line", line);
}

/* A sentence, wherever its lines are broken: that is flow.c's. */
static inline void tells(struct page *page, const char *sentence)
{
    char *flat = strdup(text_of(page)), *to = flat;

    for (const char *from = page->text; *from != '\0'; from++)
        if (!isspace((unsigned char)*from))
            *to++ = *from;
        else if (to > flat && to[-1] != ' ')
            *to++ = ' ';
    *to = '\0';
    if (strstr(flat, sentence) == NULL)
        fail_with(page, "not told", sentence);
    free(flat);
}

static inline void hides(struct page *page, const char *part)
{
    if (strstr(text_of(page), part) != NULL)
        fail_with(page, "on the page", part);
}

static inline void done(struct page *page)
{
    free(page->text);
}

#endif
