/* SPDX-License-Identifier: MIT */
/* What --help prints. */
#ifndef HELP_H
#define HELP_H

#include "options.h"

#include <stdio.h>

/*
 * The help of one command, or with OPTIONS_NO_COMMAND of all, for a terminal of @width columns (0:
 * it is none). Returns 0 or -ENOMEM; whether the text arrives is for the owner of @stream to check.
 */
int help_print(FILE *stream, enum options_command command, unsigned width);

#endif
