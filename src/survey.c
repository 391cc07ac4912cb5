// SPDX-License-Identifier: MIT
/* Owns the threads that take image after image. */
#include "survey.h"

#include "cleanup.h"
#include "facts.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>

static void tell_progress(void *context, double done)
{
    struct survey *survey = context;

    pthread_mutex_lock(&survey->lock);
    survey->progress(survey->context, done);
    pthread_mutex_unlock(&survey->lock);
}

/* While an image is measured, its walk may take further threads. */
static void *measure_images(void *context)
{
    struct survey *survey = context;

    pthread_mutex_lock(&survey->lock);
    while (survey->next < survey->targets->n_list && !survey->no_memory) {
        size_t i = survey->next++;
        struct report_image *image = calloc(1, sizeof(*image));

        survey->no_memory = image == NULL;
        if (image == NULL)
            break;
        pthread_mutex_unlock(&survey->lock);
        targets_measure(survey->targets, i, &survey->choice, image);
        pthread_mutex_lock(&survey->lock);
        survey->finished(survey->context, i, image);
    }
    pthread_mutex_unlock(&survey->lock);
    return NULL;
}

int survey_measure(struct survey *survey)
{
    CLEANUP_FREE pthread_t *threads = calloc((size_t)survey->n_threads, sizeof(*threads));
    const bool many = survey->targets->n_list > 1;
    struct host_facts_memory *memory = many ? host_facts_memory_new() : NULL;
    int n_started = 0;

    if (threads == NULL || (many && memory == NULL)) {
        host_facts_memory_free(memory);
        return -ENOMEM;
    }
    pthread_mutex_init(&survey->lock, NULL);
    workers_init(&survey->workers, survey->n_threads);
    survey->choice.host_memory = memory;
    survey->choice.walk.workers = &survey->workers;
    survey->choice.walk.progress = survey->progress != NULL ? tell_progress : NULL;
    survey->choice.walk.context = survey;
    while ((size_t)n_started + 1 < survey->targets->n_list && workers_try_take(&survey->workers)) {
        if (workers_start(&threads[n_started], measure_images, survey) != 0) {
            workers_give(&survey->workers);
            break;
        }
        n_started++;
    }
    measure_images(survey);
    for (int i = 0; i < n_started; i++) {
        pthread_join(threads[i], NULL);
        workers_give(&survey->workers); /* those still at work on an image may use it */
    }
    pthread_mutex_destroy(&survey->lock);
    host_facts_memory_free(memory);
    return survey->no_memory ? -ENOMEM : 0;
}
