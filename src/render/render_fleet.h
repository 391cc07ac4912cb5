/* SPDX-License-Identifier: MIT */
/* Many images as one HTML page: a table, the worst first, and what is lost where. */
#ifndef RENDER_RENDER_FLEET_H
#define RENDER_RENDER_FLEET_H

#include "html_thumb.h"
#include "opt.h"
#include "report.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Where time is lost. */
enum render_fleet_place {
    RENDER_FLEET_IMAGE,
    RENDER_FLEET_HOST,
    RENDER_FLEET_SNAPSHOTS,
    RENDER_FLEET_TABLES,
    RENDER_FLEET_N_PLACES,
};

/* How an image is, or what a rewrite made of it. */
enum render_fleet_state {
    RENDER_FLEET_UNKNOWN,
    RENDER_FLEET_FAILED,
    RENDER_FLEET_DAMAGED,
    RENDER_FLEET_CHANGING,
    RENDER_FLEET_IN_ORDER,
    RENDER_FLEET_SLOW_IMAGE, /* from here on as the verdict's actions, */
    RENDER_FLEET_SLOW_HOST,
    RENDER_FLEET_SLOW_BOTH,
    RENDER_FLEET_SLOW_SNAPSHOTS,
    RENDER_FLEET_SLOW_L2_CACHE, /* up to here */
    RENDER_FLEET_REWRITTEN,
    RENDER_FLEET_PLANNED,
    RENDER_FLEET_REFUSED,
    RENDER_FLEET_SKIPPED,
};

/* What the page shows of one image. */
struct render_fleet_row {
    const char *path; /* borrowed */
    enum render_fleet_state state;
    struct opt_f64 lost, seconds, slowdown, score;
    struct opt_f64 seconds_after; /* of a rewrite, done or planned */
    struct opt_u64 half_bytes, mapped_bytes;
    double lost_where[RENDER_FLEET_N_PLACES];
    struct html_thumb before, after;
};

/* The picture that a row is made of: to be asked for when an image is measured. */
extern const struct report_picture_choice render_fleet_picture;

struct render_fleet {
    const char *folder; /* NULL: there is none; names are shown without it */
    bool rewritten;     /* rows have before and after */
    struct render_fleet_row *rows;
    size_t n_rows;
    const struct report_image *images; /* for the JSON; NULL: too many */
    size_t n_images;
    int64_t measured_at;
};

/* Fills all but what is known after a rewrite. 0 or -ENOMEM. */
int render_fleet_row(const struct report_image *image, struct render_fleet_row *row);

/* Sorts the rows. 0 or -ENOMEM. At most RENDER_HTML_BYTES_MAX. */
int render_fleet(FILE *stream, struct render_fleet *fleet);

#endif
