/* SPDX-License-Identifier: MIT */
/* What a report is about: an image, alone or as one side of before and after. */
#ifndef RENDER_HTML_SUBJECT_H
#define RENDER_HTML_SUBJECT_H

#include "picture.h"
#include "report.h"

#include <stddef.h>
#include <stdint.h>

struct html_subject {
    const struct report_image *image;
    const struct report_table *table; /* that the page is about */
    const char *label;                /* "Before", "After"; NULL: it is alone */
    struct report_cell *cells;        /* of the picture of the file; NULL: there is none */
    size_t n_cells;
};

/* One image, or two on the same scales. */
struct html_subjects {
    struct html_subject list[2];
    size_t n;
    const char *note; /* how one became the other; NULL: nobody says */
};

#endif
