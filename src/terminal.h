/* SPDX-License-Identifier: MIT */
/* What is known of the terminal that a result goes to. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdio.h>

/* The columns of the terminal behind @stream; 0: there is none. */
unsigned terminal_width(FILE *stream);

#endif
