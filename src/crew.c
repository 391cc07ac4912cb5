// SPDX-License-Identifier: MIT
/* Owns the threads that take image after image. */
#include "crew.h"

#include "cleanup.h"
#include "facts.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>

static void tell_progress(void *context, double done)
{
    struct crew *crew = context;

    pthread_mutex_lock(&crew->lock);
    crew->progress(crew->context, done);
    pthread_mutex_unlock(&crew->lock);
}

/* While an image is measured, its walk may take further threads. */
static void *measure_images(void *context)
{
    struct crew *crew = context;

    pthread_mutex_lock(&crew->lock);
    while (crew->next < crew->targets->n_list && !crew->no_memory) {
        size_t i = crew->next++;
        struct report_image *image = calloc(1, sizeof(*image));

        crew->no_memory = image == NULL;
        if (image == NULL)
            break;
        pthread_mutex_unlock(&crew->lock);
        targets_measure(crew->targets, i, &crew->choice, image);
        pthread_mutex_lock(&crew->lock);
        crew->finished(crew->context, i, image);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

int crew_measure(struct crew *crew)
{
    CLEANUP_FREE pthread_t *threads = calloc((size_t)crew->n_threads, sizeof(*threads));
    const bool many = crew->targets->n_list > 1;
    struct host_facts_memory *memory = many ? host_facts_memory_new() : NULL;
    int n_started = 0;

    if (threads == NULL || (many && memory == NULL)) {
        host_facts_memory_free(memory);
        return -ENOMEM;
    }
    pthread_mutex_init(&crew->lock, NULL);
    workers_init(&crew->workers, crew->n_threads);
    crew->choice.host_memory = memory;
    crew->choice.walk.workers = &crew->workers;
    crew->choice.walk.progress = crew->progress != NULL ? tell_progress : NULL;
    crew->choice.walk.context = crew;
    while ((size_t)n_started + 1 < crew->targets->n_list && workers_try_take(&crew->workers)) {
        if (workers_start(&threads[n_started], measure_images, crew) != 0) {
            workers_give(&crew->workers);
            break;
        }
        n_started++;
    }
    measure_images(crew);
    for (int i = 0; i < n_started; i++) {
        pthread_join(threads[i], NULL);
        workers_give(&crew->workers); /* those still at work on an image may use it */
    }
    pthread_mutex_destroy(&crew->lock);
    host_facts_memory_free(memory);
    return crew->no_memory ? -ENOMEM : 0;
}
