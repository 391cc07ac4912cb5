/* SPDX-License-Identifier: MIT */
/* Many images, measured side by side by as many threads as there may be. */
#ifndef CREW_H
#define CREW_H

#include "measure.h"
#include "targets.h"
#include "workers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct crew {
    /* Filled by the caller. */
    const struct targets *targets;
    struct report_choice choice; /* without workers and memory of the host */
    int n_threads;
    /* One at a time, in the order of the targets' ends; owns what @image holds, not @image. */
    void (*finished)(void *context, size_t i, struct report_image *image);
    void *context;

    struct workers workers;
    pthread_mutex_t lock; /* over all below */
    size_t next;
    bool no_memory;
};

/* 0 or -ENOMEM. */
int crew_measure(struct crew *crew);

#endif
