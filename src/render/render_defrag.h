/* SPDX-License-Identifier: MIT */
/* What a rewrite gives, or would give: the figures before and after, side by side. */
#ifndef RENDER_DEFRAG_H
#define RENDER_DEFRAG_H

#include "report.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum render_defrag_state {
    RENDER_DEFRAG_DONE,
    RENDER_DEFRAG_PLANNED,  /* --dry-run */
    RENDER_DEFRAG_IN_ORDER, /* it would gain nothing */
    RENDER_DEFRAG_REFUSED,
    RENDER_DEFRAG_FAILED,
};

struct render_defrag {
    const char *path, *output; /* output NULL: none was named */
    enum render_defrag_state state;
    const char *error;                         /* NULL: there is none */
    const struct report_image *before, *after; /* NULL: not measured */
    struct opt_u64 file_bytes_after;
    uint64_t copied_bytes, needed_bytes; /* to be copied, and needed, if it is not done */
    const char *verified;                /* "direct", "cached" or "none" */
    double seconds;                      /* that it took */
    bool bytes;                          /* sizes in bytes */
    bool verbose;                        /* each figure is explained */
};

/* 0 or -ENOMEM; failed writes show in @stream. */
int render_defrag_text(FILE *stream, const struct render_defrag *defrag);
int render_defrag_json(FILE *stream, const struct render_defrag *defrag);

#endif
