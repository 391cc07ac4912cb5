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
};

void render_list_begin(const struct render_list *list);

/* Returns 0, or -errno when the stream has failed: nobody reads on. */
int render_list_run(const struct render_list *list, const struct report_run *run);

#endif
