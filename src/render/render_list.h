/* SPDX-License-Identifier: MIT */
/* Prints runs as they come: a line each, as text in columns or as JSON lines. */
#ifndef RENDER_RENDER_LIST_H
#define RENDER_RENDER_LIST_H

#include "list.h"

#include <stdbool.h>
#include <stdio.h>

struct render_list {
    FILE *stream;
    bool json;       /* an object a line */
    bool bytes;      /* text: lengths as plain numbers */
    bool noheadings; /* text */
    bool begun;      /* the headings are printed, or not wanted */
};

/* Returns 0, or -errno when the stream has failed: nobody reads on. */
int render_list_run(struct render_list *list, const struct report_run *run);

/* After the last run: a list of none still has its headings. */
void render_list_end(struct render_list *list);

#endif
