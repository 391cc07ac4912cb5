/* SPDX-License-Identifier: MIT */
/*
 * Looks at an image that others may be writing to: asks who has it open, opens it (and its chain)
 * anew for each attempt, looks before and after whether it has changed, and tries again if what was
 * read need not belong to one state. Takes no lock, waits for nobody.
 */
#ifndef REPORT_WATCH_H
#define REPORT_WATCH_H

#include "io.h"

#include <stdbool.h>

struct err;
struct format_findings;
struct format_image;
struct report_backing;

struct report_watch {
    /* Filled by the caller. */
    struct io *io; /* borrowed */
    const char *path;
    bool chain; /* open what the image is built on, too */
    /* Throws away what the attempt before has left, findings included; called before each. */
    void (*forget)(void *context);
    /* @backing is NULL without a chain. Both are closed behind it. */
    int (*attempt)(void *context, struct format_image *image, struct report_backing *backing,
                   struct err *err);
    void *context;
    const struct format_findings *findings; /* of the attempts: errors there may not be real */

    /* Set by an attempt that has given away what it found: there must be no other. */
    bool no_more;

    /* Filled by the watch, also on failure. */
    struct io_users users; /* of the image, or of all of its chain once that is open */
    bool written_to;       /* somebody did write during the last attempt, or may have */
    bool changed;          /* what the last attempt found mixes states */
};

/* The result of the last attempt: 0 or -errno. */
int report_watch(struct report_watch *watch, struct err *err);

/*
 * Adds what must be said of the last attempt to @findings. If the image was changing, errors are
 * taken away: they may only mean that old and new were read together. @changing says it in words.
 */
void report_watch_tell(const struct report_watch *watch, const char *changing,
                       struct format_findings *findings);

#endif
