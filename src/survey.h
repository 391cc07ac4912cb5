/* SPDX-License-Identifier: MIT */
/* Many images, measured side by side by as many threads as there may be. */
#ifndef SURVEY_H
#define SURVEY_H

#include "measure.h"
#include "targets.h"
#include "workers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct survey {
    /* Filled by the caller. */
    const struct targets *targets;
    struct report_choice choice; /* without workers, progress and memory of the host */
    int n_threads;               /* at least 1 */
    /* Target @i is measured. Owns @image, which is from malloc. In the order in which they end. */
    void (*finished)(void *context, size_t i, struct report_image *image);
    /* Of the image that a thread is at, 0 .. 1. NULL: nobody asks. */
    void (*progress)(void *context, double done);
    void *context; /* of both, which are called by one thread at a time */

    struct workers workers;
    pthread_mutex_t lock; /* over all below, and over the calls */
    size_t next;
    bool no_memory;
};

/* 0 or -ENOMEM. */
int survey_measure(struct survey *survey);

#endif
