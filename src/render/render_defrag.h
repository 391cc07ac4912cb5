/* SPDX-License-Identifier: MIT */
/* What a rewrite gives, or would give: the figures before and after, side by side. */
#ifndef RENDER_DEFRAG_H
#define RENDER_DEFRAG_H

#include "json.h"
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
    RENDER_DEFRAG_SKIPPED, /* by a limit that was given */
};

/* How the new image was read back: past the page cache, or through it. */
enum render_defrag_verified {
    RENDER_DEFRAG_NOT_VERIFIED,
    RENDER_DEFRAG_CACHED,
    RENDER_DEFRAG_DIRECT,
};

#define RENDER_DEFRAG_NOTES_MAX 3

struct render_defrag {
    const char *path, *output; /* output NULL: none is made */
    const char *original;      /* where the old one is; NULL: nowhere any more */
    bool replaced;             /* the new one has the name of the old one */
    /* What else is to be said, or why it was skipped: sentences, NULL behind the last. */
    const char *notes[RENDER_DEFRAG_NOTES_MAX + 1];
    enum render_defrag_state state;
    const char *error;                         /* NULL: there is none */
    const struct report_image *before, *after; /* NULL: not measured */
    struct opt_u64 file_bytes_after;
    uint64_t copied_bytes, needed_bytes; /* to be copied, and needed, if it is not done */
    enum render_defrag_verified verified;
    double seconds;                      /* that it took */
    bool bytes;                          /* sizes in bytes */
    bool verbose;                        /* each figure is explained */
};

/* The page of one image. Failed writes show in @stream. */
void render_defrag_text(FILE *stream, const struct render_defrag *defrag);

/* One document for all images: begin it, add each, end it. */
void render_defrag_json_begin(struct json *json);
void render_defrag_json(struct json *json, const struct render_defrag *defrag);
void render_defrag_json_end(struct json *json);

/* What a table of many images shows of one; the path is borrowed. */
struct render_defrag_row {
    const char *path;
    enum render_defrag_state state;
    struct opt_f64 seconds_before, seconds_after; /* by the model */
    uint64_t copied_bytes;
    double seconds;
    char *notes[RENDER_DEFRAG_NOTES_MAX];
};

void render_defrag_row(const struct render_defrag *defrag, struct render_defrag_row *row);
void render_defrag_row_free(struct render_defrag_row *row);

/* The rows as they are, and a line that adds them up. @bytes: sizes in bytes. 0 or -ENOMEM. */
int render_defrag_table(FILE *stream, const struct render_defrag_row *rows, size_t n, bool bytes);

#endif
