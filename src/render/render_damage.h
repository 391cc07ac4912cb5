/* SPDX-License-Identifier: MIT */
/* What the page says of damage: before all figures what is lost and what saves the rest. */
#ifndef RENDER_DAMAGE_H
#define RENDER_DAMAGE_H

#include "render.h"

/* Nothing if the image is not damaged. 0 or -ENOMEM. */
int render_damage(FILE *stream, const struct report_image *image,
                  const struct render_options *options);

/* The findings: the first few of each kind, all of them with @options->verbose. */
void render_findings(FILE *stream, const struct format_findings *findings,
                     const struct render_options *options);

#endif
