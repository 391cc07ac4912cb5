/* SPDX-License-Identifier: MIT */
/*
 * The course of one rewrite: lock, measure, plan, measure the plan, write, prove, put in place.
 * What is decided here is only whether it is worth it.
 */
#ifndef REWRITE_H
#define REWRITE_H

#include "err.h"
#include "original.h"
#include "render_defrag.h"
#include "report.h"
#include "schedule.h"

#include <stdbool.h>
#include <time.h>

struct cmd_console;
struct defrag;
struct io;
struct options;

struct rewrite {
    /* Filled by the caller. */
    const struct options *options;
    const struct cmd_console *console;
    const char *path;
    struct io *found;          /* what must still be there, taken; NULL: whatever is */
    struct schedule *schedule; /* until when there is time */
    const struct report_picture_choice *picture; /* of before and after; NULL: none */

    struct render_defrag result; /* @path and what it points to is borrowed from here */
    struct report_image before, after;
    struct store_original original; /* if that is replaced */
    struct io *second;              /* the source, if it is not */
    struct io *source;              /* borrowed from one of these */
    struct defrag *defrag;
    struct err err;
    char *kept, *notes[RENDER_DEFRAG_NOTES_MAX]; /* texts of the result */
    time_t shown;
    const char *stage; /* what is being done, and since when */
    double stage_began;
};

/* Fills the rest; the message of a failure is told. Release with rewrite_free in any case. */
void rewrite_run(struct rewrite *rewrite);

/* The result of an image that is not looked at. */
void rewrite_leave(struct rewrite *rewrite, const char *why);

void rewrite_free(struct rewrite *rewrite);

#endif
