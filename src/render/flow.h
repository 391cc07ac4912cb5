/* SPDX-License-Identifier: MIT */
/*
 * Lines that follow the width of a terminal. Who writes a page marks the place in a line where its
 * text begins; what is too long there goes on in further lines, below that place. A line without a
 * mark is printed as it stands: a command must be copied whole, a row of a histogram is no text.
 *
 * A name on its way into a page has been through text_escape, so it holds no mark.
 */
#ifndef RENDER_FLOW_H
#define RENDER_FLOW_H

#include <stdio.h>

/* Before the text of a figure: it is as wide as the terminal, and one line where there is none. */
#define RENDER_FIGURE "\x02"

/* Before a sentence: it never gets wider than one likes to read. */
#define RENDER_PROSE "\x03"

#define RENDER_WIDTH_MIN 60
#define RENDER_PROSE_MAX 100

/*
 * A stream whose lines arrive in @to, broken for a terminal of @width columns; 0: it is none.
 * Narrower ones than RENDER_WIDTH_MIN are taken for that. NULL without memory. fclose it, and look
 * at what that returns; @to stays open.
 */
FILE *render_flow_open(FILE *to, unsigned width);

#endif
