/* SPDX-License-Identifier: MIT */
/*
 * A budget of threads, shared by all that could use some: several images side by side, and the
 * parts of one image. Whoever has a thread of its own may ask for more; nobody waits for one.
 */
#ifndef BASE_WORKERS_H
#define BASE_WORKERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct workers {
    atomic_int spare; /* threads that may still be started */
};

/* The processors that this process may use, at least 1. */
int workers_processors(void);

/* @n_threads with the calling one, at least 1. */
void workers_init(struct workers *workers, int n_threads);

/* A thread more, if there is one left; give it back when it has ended. NULL: there is none. */
bool workers_try_take(struct workers *workers);
void workers_give(struct workers *workers);

/*
 * Starts a thread whose stack has a length of its own, whatever the limit for stacks is (ulimit
 * -s): that of the calling thread need not do for the work. Returns 0 or -errno.
 */
int workers_start(pthread_t *thread, void *(*work)(void *context), void *context);

#endif
