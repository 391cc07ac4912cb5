// SPDX-License-Identifier: MIT
/*
 * Owns the threads of a work in parts. A thread more is started whenever the budget has one to
 * spare and parts are left; none waits for another.
 */
#include "fold.h"

#include "err.h"
#include "workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct state {
    const struct fold *fold;

    pthread_mutex_t lock; /* over all below */
    uint32_t next;        /* part that nobody has taken yet */
    uint32_t merged;      /* parts merged into the whole */
    void *whole;
    void *done[FOLD_PARTS_MAX]; /* finished, waiting for those before them */
    void *idle;                 /* one to use again */
    uint32_t failed;            /* the first part that failed, or n_parts */
    int ret;
    struct err err;
};

/* The error of the first part is the one to tell, whichever thread was faster. */
static void fail(struct state *state, uint32_t part, int ret, const struct err *err)
{
    if (part >= state->failed)
        return;
    state->failed = part;
    state->ret = ret;
    state->err = *err;
}

/* Merges all finished parts that have nothing unfinished before them. */
static void merge_done(struct state *state)
{
    const struct fold *fold = state->fold;

    while (state->merged < fold->n_parts && state->done[state->merged] != NULL) {
        void *result = state->done[state->merged];

        state->done[state->merged++] = NULL;
        if (state->whole == NULL) {
            state->whole = result;
            continue;
        }
        fold->merge(state->whole, result);
        fold->result_clear(result);
        fold->result_free(state->idle);
        state->idle = result;
    }
    if (fold->progress != NULL)
        fold->progress(fold->progress_context, (double)state->merged / fold->n_parts);
}

static void *take_idle(struct state *state)
{
    void *result = state->idle;

    state->idle = NULL;
    return result;
}

static void do_part(struct state *state, void *tool, uint32_t number, void *result)
{
    const struct fold *fold = state->fold;
    struct err err = {0};
    int ret;

    if (result == NULL)
        result = fold->result_new(fold->context);
    ret = result == NULL || tool == NULL ? err_no_memory(&err)
                                         : fold->work(fold->context, tool, number, result, &err);

    pthread_mutex_lock(&state->lock);
    if (ret < 0) {
        fail(state, number, ret, &err);
        fold->result_free(result);
    } else {
        state->done[number] = result;
        merge_done(state);
    }
    pthread_mutex_unlock(&state->lock);
}

static void *work(void *context);

/* Starts a thread more if parts are left for it. The lock is held. */
static bool start_helper(struct state *state, pthread_t *thread)
{
    struct workers *workers = state->fold->workers;

    if (state->next >= state->fold->n_parts || !workers_try_take(workers))
        return false;
    if (workers_start(thread, work, state) == 0)
        return true;
    workers_give(workers);
    return false;
}

static void *work(void *context)
{
    struct state *state = context;
    const struct fold *fold = state->fold;
    void *tool = fold->tool_new(fold->context);
    pthread_t helper;
    bool has_helper = false;

    pthread_mutex_lock(&state->lock);
    while (state->next < fold->n_parts && state->failed == fold->n_parts) {
        uint32_t number = state->next++;
        void *result = take_idle(state);

        if (!has_helper) /* who in turn may start another */
            has_helper = start_helper(state, &helper);
        pthread_mutex_unlock(&state->lock);
        do_part(state, tool, number, result);
        pthread_mutex_lock(&state->lock);
    }
    pthread_mutex_unlock(&state->lock);
    fold->tool_free(tool);
    if (has_helper) {
        pthread_join(helper, NULL);
        workers_give(fold->workers);
    }
    return NULL;
}

int fold(const struct fold *fold, void **result, struct err *err)
{
    struct state *state = calloc(1, sizeof(*state));
    int ret;

    *result = NULL;
    if (state == NULL)
        return err_no_memory(err);
    state->fold = fold;
    state->failed = fold->n_parts;
    pthread_mutex_init(&state->lock, NULL);
    work(state);
    ret = state->ret;
    if (ret == 0)
        *result = state->whole;
    else
        *err = state->err;
    for (uint32_t i = 0; i < fold->n_parts; i++)
        fold->result_free(state->done[i]);
    fold->result_free(state->idle);
    if (ret < 0)
        fold->result_free(state->whole);
    pthread_mutex_destroy(&state->lock);
    free(state);
    return ret;
}
