/* SPDX-License-Identifier: MIT */
/* The verdict on the page: the sentence, the causes, what to do. */
#ifndef RENDER_VERDICT_H
#define RENDER_VERDICT_H

#include "report.h"

#include <stdio.h>

struct report_recipe;

/* Numbered steps with their commands. */
void render_steps(FILE *stream, const struct report_recipe *recipe);

/* Prints nothing if there is no verdict. 0 or -ENOMEM. */
int render_verdict(FILE *stream, const struct report_image *image);

#endif
