/* SPDX-License-Identifier: MIT */
/*
 * Threads that work on windows, a few blocks of them at a time, while the next window is read.
 * Where no thread can be had, whoever gives a window does the work.
 */
#ifndef DEFRAG_CREW_H
#define DEFRAG_CREW_H

#include "err.h"
#include "parts.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEFRAG_CREW_THREADS 2                       /* one waits for the disk, the other computes */
#define DEFRAG_SHARE_BYTES (4 * DEFRAG_BLOCK_BYTES) /* of a window, for one thread at a time */

/* A stretch of the new file in memory. */
struct defrag_window {
    unsigned char *bytes;
    uint64_t begin, end; /* @begin is a multiple of a block */
    struct defrag_parts parts;

    struct defrag_window *behind; /* the crew's, from here on */
    uint64_t next;                /* what no thread has taken yet */
    size_t open;                  /* shares that are not done; 0: the window is its owner's */
};

/* Does [begin, end) of the window. Called by several threads at once. 0 or -errno. */
typedef int defrag_share(void *context, const struct defrag_window *window, uint64_t begin,
                         uint64_t end, struct err *err);

struct defrag_crew {
    defrag_share *work;
    void *context;

    pthread_mutex_t lock;
    pthread_cond_t given, done;
    struct defrag_window *first, *last; /* with shares that nobody has taken */
    pthread_t threads[DEFRAG_CREW_THREADS];
    size_t n_threads;
    bool end;
    int ret; /* the first failure; then nothing more is done */
    struct err err;
};

void defrag_crew_begin(struct defrag_crew *crew, defrag_share *work, void *context);

/*
 * Waits for all that was given. Returns @ret of its owner, or if that is 0 the first failure of the
 * work, whose error is taken over if @err is none yet.
 */
int defrag_crew_end(struct defrag_crew *crew, int ret, struct err *err);

/* The window is the crew's until it is done. */
void defrag_crew_give(struct defrag_crew *crew, struct defrag_window *window);

/* Waits until @window is done. 0, or -errno if any work has failed: defrag_crew_end tells why. */
int defrag_crew_wait(struct defrag_crew *crew, const struct defrag_window *window);

#endif
