/* SPDX-License-Identifier: MIT */
/* How reports are shown: as a page, a table, or for programs, whole or not at all. */
#ifndef SHOW_H
#define SHOW_H

#include "limit.h"

#include <stdbool.h>
#include <stddef.h>

struct domains;
struct err;
struct io_output;
struct options;
struct report_image;
struct report_packed;

/* An image that was measured. */
struct show_image {
    bool finished;
    struct report_image *image;   /* NULL: it is packed, or nobody has begun it */
    struct report_packed *packed; /* until it is shown */
};

struct show {
    const struct options *options;
    bool table; /* where text is asked for: not the page of one image */
    const struct show_image *images;
    size_t n_images;
    const struct domains *domains; /* whose disks they are */
    size_t room_bytes; /* the most that it takes to unpack one of them */
    size_t search_errors;     /* what could not be searched for images, */
    const char *search_error; /* and the first of that; NULL: nothing */
    enum report_level level;  /* what it comes to, for monitoring */
};

/* Prints the reports to @output and commits it, or aborts it. Nothing is shown of a page's failure.
 */
int show_reports(const struct show *show, struct io_output *output, struct err *err);

#endif
