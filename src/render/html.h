/* SPDX-License-Identifier: MIT */
/*
 * Writes HTML as it goes. Whatever bytes a name has, they are text on the page and never markup:
 * all that is not ours goes through html_name or html_sentence, in an attribute, too.
 */
#ifndef RENDER_HTML_H
#define RENDER_HTML_H

#include "number.h"
#include "opt.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct html {
    FILE *stream;
    size_t n_bytes; /* written so far: what is long asks how much room there is left */
};

/* The most bytes that a byte of a name can take on the page: "&quot;". */
#define HTML_BYTE_MAX 6

/* Markup of ours, as it stands. */
void html_put(struct html *html, const char *markup);

/* The same with numbers, and texts of ours. */
void html_format(struct html *html, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A number in plain digits: where there are thousands, quicker than by a format. */
void html_digits(struct html *html, uint64_t number);

/*
 * A name of any bytes: control characters, what reorders a line, bytes that are not UTF-8 and the
 * backslash become \xNN, as on a terminal.
 */
void html_name(struct html *html, const char *bytes, size_t len);

/* The same by itself, so that its direction is no matter of what stands beside it; shortened in its
 * middle to about @most bytes, if it is longer. */
void html_isolated(struct html *html, const char *bytes, size_t len, size_t most);

/* A message or a command, which may hold names that are spelled already: backslashes stay. */
void html_sentence(struct html *html, const char *text);

/* A time in a list of them (<dl>), with a bar of so many percent of its width, in a colour that the
 * style sheet names. */
void html_time(struct html *html, const char *words, double seconds, double percent,
               const char *colour);

/* ---- texts of numbers: each lives until the eighth one of its kind after it ---- */

const char *html_mean(struct opt_f64 bytes); /* "-": not known */

/* "3.2 %", and "under 0.1 %" for what is not nothing. */
const char *html_percent(double share);

/* A size that the command line reads as just this one: "12G", "4608K", "512". */
const char *html_exact(uint64_t bytes);

#endif
