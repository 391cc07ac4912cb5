// SPDX-License-Identifier: MIT
/* Owns the threads, and who takes what. Knows nothing of what the work is. */
#include "crew.h"

#include "workers.h"

struct share {
    struct defrag_window *window;
    uint64_t begin, end;
};

/* The next one; false: there is none. With the lock. */
static bool take(struct defrag_crew *crew, struct share *share)
{
    struct defrag_window *window = crew->first;

    if (window == NULL)
        return false;
    share->window = window;
    share->begin = window->next;
    share->end = window->end - window->next < DEFRAG_SHARE_BYTES
                     ? window->end
                     : window->next + DEFRAG_SHARE_BYTES;
    window->next = share->end;
    if (window->next == window->end) {
        crew->first = window->behind;
        if (crew->first == NULL)
            crew->last = NULL;
    }
    return true;
}

/* With the lock, which is let go meanwhile. */
static void work_on(struct defrag_crew *crew, const struct share *share)
{
    struct err err = {.code = 0};
    int ret = crew->ret;

    if (ret == 0) {
        pthread_mutex_unlock(&crew->lock);
        ret = crew->work(crew->context, share->window, share->begin, share->end, &err);
        pthread_mutex_lock(&crew->lock);
    }
    if (ret < 0 && crew->ret == 0) {
        crew->ret = ret;
        crew->err = err;
    }
    if (--share->window->open == 0)
        pthread_cond_broadcast(&crew->done);
}

static void *thread(void *context)
{
    struct defrag_crew *crew = context;
    struct share share;

    pthread_mutex_lock(&crew->lock);
    for (;;) {
        if (take(crew, &share))
            work_on(crew, &share);
        else if (crew->end)
            break;
        else
            pthread_cond_wait(&crew->given, &crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

void defrag_crew_begin(struct defrag_crew *crew, defrag_share *work, void *context)
{
    *crew = (struct defrag_crew){.work = work, .context = context};
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->given, NULL);
    pthread_cond_init(&crew->done, NULL);
    while (crew->n_threads < DEFRAG_CREW_THREADS &&
           workers_start(&crew->threads[crew->n_threads], thread, crew) == 0)
        crew->n_threads++;
}

int defrag_crew_end(struct defrag_crew *crew, int ret, struct err *err)
{
    pthread_mutex_lock(&crew->lock);
    crew->end = true;
    pthread_cond_broadcast(&crew->given);
    pthread_mutex_unlock(&crew->lock);
    for (size_t i = 0; i < crew->n_threads; i++)
        pthread_join(crew->threads[i], NULL);
    pthread_cond_destroy(&crew->done);
    pthread_cond_destroy(&crew->given);
    pthread_mutex_destroy(&crew->lock);
    if (crew->ret < 0 && err->code == 0)
        *err = crew->err;
    return ret < 0 ? ret : crew->ret;
}

void defrag_crew_give(struct defrag_crew *crew, struct defrag_window *window)
{
    struct share share;

    if (window->begin == window->end)
        return;
    window->behind = NULL;
    window->next = window->begin;
    window->open =
        (size_t)((window->end - window->begin + DEFRAG_SHARE_BYTES - 1) / DEFRAG_SHARE_BYTES);
    pthread_mutex_lock(&crew->lock);
    if (crew->last != NULL)
        crew->last->behind = window;
    else
        crew->first = window;
    crew->last = window;
    pthread_cond_broadcast(&crew->given);
    while (crew->n_threads == 0 && take(crew, &share))
        work_on(crew, &share);
    pthread_mutex_unlock(&crew->lock);
}

int defrag_crew_wait(struct defrag_crew *crew, const struct defrag_window *window)
{
    int ret;

    pthread_mutex_lock(&crew->lock);
    while (window->open > 0)
        pthread_cond_wait(&crew->done, &crew->lock);
    ret = crew->ret;
    pthread_mutex_unlock(&crew->lock);
    return ret;
}
