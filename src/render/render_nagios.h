/* SPDX-License-Identifier: MIT */
/*
 * One line as monitoring plugins print it (Nagios, Icinga, Checkmk): the state, what brought it
 * about, and behind a bar the performance data, of which there are as many whatever is measured.
 */
#ifndef RENDER_RENDER_NAGIOS_H
#define RENDER_RENDER_NAGIOS_H

#include "limit.h"
#include "render.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct render_nagios {
    enum report_level level;           /* what it all comes to */
    const struct report_limit *limits; /* REPORT_N_LIMITS of them */
    bool fleet;                        /* not the figures of one image, but those of all */
    const char *search_error; /* the first thing that could not be searched; NULL: all could */
    size_t n_named;           /* of the worst images, at most; 0: not said */
};

#define RENDER_NAGIOS_NAMED_MAX 10

int render_nagios(FILE *stream, const struct render_images *images,
                  const struct render_nagios *how);

/* The line of what failed altogether. @path may be NULL. */
void render_nagios_failure(FILE *stream, const char *path, const char *text);

#endif
