/* SPDX-License-Identifier: MIT */
/* What is known of the terminal that a result goes to, by itself and by the environment. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "paint.h"

#include <stdbool.h>
#include <stdio.h>

/* Of a terminal that cannot tell, as on a serial line; and where there is none. */
#define TERMINAL_WIDTH_USUAL 80
#define TERMINAL_HEIGHT_USUAL 24

/* The columns of the terminal behind @stream; 0: there is none. */
unsigned terminal_width(FILE *stream);

/* Its lines, likewise. */
unsigned terminal_height(FILE *stream);

/*
 * The colours of a terminal, by TERM and COLORTERM. @always: also where there is none; else there
 * are none without a terminal, nor where NO_COLOR is set (https://no-color.org).
 */
enum render_colours terminal_colours(FILE *stream, bool always);

/* Do texts have UTF-8, by the locale of the environment? */
bool terminal_has_utf8(void);

#endif
