/* SPDX-License-Identifier: MIT */
/*
 * The page for people, as its parts write it: where it goes, how it is wanted, and how numbers,
 * names and bars look on it.
 */
#ifndef RENDER_PAGE_H
#define RENDER_PAGE_H

#include "flow.h"
#include "number.h"
#include "opt.h"
#include "render.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* How a line of figures begins: its argument says what it is of. */
#define RENDER_PAGE_LABEL "  %-24s " RENDER_FIGURE

struct render_page {
    FILE *stream;
    const struct render_options *options;
};

/* A size, and a rounded mean ("-": not known), in plain bytes if so wanted. As those of number.h.
 */
const char *render_page_size(const struct render_page *page, uint64_t bytes);
const char *render_page_mean(const struct render_page *page, struct opt_f64 bytes);

/* Whatever bytes it has, escaped. */
void render_page_name(const struct render_page *page, const char *bytes, size_t len);

/* Of the line above it: called only where that was printed. Nothing unless it was asked for. */
void render_page_explain(const struct render_page *page, const char *sentences);

/* Ends a line of which @used columns are printed: with a bar for a share, where there is room. */
void render_page_bar(const struct render_page *page, int used, double share);

/* Too narrow for two columns of counts and a bar? */
bool render_page_is_narrow(const struct render_page *page);

#endif
