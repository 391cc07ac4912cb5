/* SPDX-License-Identifier: MIT */
/*
 * Runs that are held back until it is known that they are of one state of the image. No more than
 * fit into 16 MiB: a longer list is let go, and goes on without being held back.
 */
#ifndef REPORT_SPOOL_H
#define REPORT_SPOOL_H

#include "list.h"

#include <stdbool.h>
#include <stddef.h>

#define REPORT_SPOOL_BYTES (16 << 20)

struct report_spool {
    int (*take)(void *context, const struct report_run *run); /* where the runs go */
    void *context;
    size_t most; /* runs that are held back */
    struct report_run *runs;
    size_t n_runs, cap_runs;
    bool released; /* from now on each goes its way at once */
};

void report_spool_init(struct report_spool *spool, const struct report_list_choice *choice);
void report_spool_free(struct report_spool *spool);

/* The name of the file in @run is borrowed until the spool is emptied. As take, or -ENOMEM. */
int report_spool_add(struct report_spool *spool, const struct report_run *run);

/* Hands over what was held back, or forgets it. */
int report_spool_release(struct report_spool *spool);
void report_spool_forget(struct report_spool *spool);

#endif
