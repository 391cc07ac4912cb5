/* SPDX-License-Identifier: MIT */
/*
 * The ways to show reports. Each function writes to @stream and returns 0 or -errno; whether the
 * bytes arrive is for the owner of the stream to check. None of them opens an image.
 */
#ifndef RENDER_RENDER_H
#define RENDER_RENDER_H

#include "column.h"
#include "report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct render_options {
    bool bytes;                                 /* plain numbers instead of KiB, MiB ... */
    bool noheadings;                            /* no line of column names */
    bool verbose;                               /* text: explain each figure */
    bool histogram;                             /* text: add the histograms */
    unsigned width;                             /* text: columns of the terminal; 0: there is none */
    const struct render_column *const *columns; /* table, CSV; NULL: the default ones */
    size_t n_columns;                           /* at most RENDER_COLUMNS_MAX */
    bool snapshots;                             /* the default ones say whose a row is */
    bool domains;                               /* and what has it as a disk */
    const struct render_column *sort;           /* table, CSV; NULL: as each sorts by itself */
    bool sort_reversed;
};

/* Images to be shown, one after the other: each is borrowed until the next one is asked for. */
struct render_images {
    size_t n;
    const struct report_image *(*image)(void *context, size_t i);
    void *context;
};

/* One image as a page for people. */
int render_text(FILE *stream, const struct report_image *image,
                const struct render_options *options);

/*
 * A row for each table of each image. Unless told otherwise, those first that lose most time, then
 * by score; a figure by which rows are sorted begins with the largest, a text with A, and what is
 * not known comes last, also in reverse.
 */
int render_table(FILE *stream, const struct render_images *images,
                 const struct render_options *options);

/* The same rows, unless told otherwise in the order given, as RFC 4180 wants them but with plain newlines. */
int render_csv(FILE *stream, const struct render_images *images,
               const struct render_options *options);

/* One document with all images in the order given: see qcow2frag-json(5). */
int render_json(FILE *stream, const struct render_images *images);

/* The same in one line, for a script element of HTML, which nothing in it ends. */
void render_json_in_html(FILE *stream, const struct render_images *images);

#endif
