/* SPDX-License-Identifier: MIT */
/*
 * A work in numbered parts, done by as many threads as may be had, whose results are merged from
 * left to right. If merging does not depend on where the cuts are, neither does the result depend
 * on the number of threads.
 */
#ifndef BASE_FOLD_H
#define BASE_FOLD_H

#include <stdint.h>

struct err;
struct workers;

#define FOLD_PARTS_MAX 64

struct fold {
    uint32_t n_parts; /* 1 .. FOLD_PARTS_MAX */
    void *context;

    /* What a thread needs for itself. NULL without memory. */
    void *(*tool_new)(void *context);
    void (*tool_free)(void *tool); /* NULL is allowed */

    /* An empty result. NULL without memory. */
    void *(*result_new)(void *context);
    void (*result_clear)(void *result);
    void (*result_free)(void *result); /* NULL is allowed */

    /* Adds part @number to an empty result. Returns 0 or -errno, with @err filled. */
    int (*work)(void *context, void *tool, uint32_t number, void *result, struct err *err);

    /* @right comes after @left; it is cleared or freed next. */
    void (*merge)(void *left, void *right);

    struct workers *workers; /* NULL: only the calling thread */
    /* Called now and then, by one thread at a time, with the part that is done, 0 .. 1. */
    void (*progress)(void *progress_context, double done); /* NULL: nobody asks */
    void *progress_context;
};

/*
 * Does all parts. Sets *@result to that of the whole (release it with result_free). On failure it
 * is NULL, and the error is that of the first part that failed.
 */
int fold(const struct fold *fold, void **result, struct err *err);

#endif
