// SPDX-License-Identifier: MIT
/*
 * Proves that the parts of a work are all done once and merged in their order, whatever the number
 * of threads, that the error of the first failing part is the one that is told, and that nothing is
 * lost or freed twice on the way.
 */
#include "fold.h"

#include "err.h"
#include "workers.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A text of the numbers of its parts: merging is joining. */
struct result {
    char text[512];
};

struct job {
    atomic_int tools, results; /* that are not released yet */
    bool fails[FOLD_PARTS_MAX];
    bool no_tools, no_results;
    double last_progress;
};

static struct job job;

static void *tool_new(void *context)
{
    void *tool = ((struct job *)context)->no_tools ? NULL : malloc(1);

    job.tools += tool != NULL;
    return tool;
}

static void tool_free(void *tool)
{
    job.tools -= tool != NULL;
    free(tool);
}

static void *result_new(void *context)
{
    struct result *result =
        ((struct job *)context)->no_results ? NULL : calloc(1, sizeof(struct result));

    job.results += result != NULL;
    return result;
}

static void result_clear(void *result)
{
    memset(result, 0, sizeof(struct result));
}

static void result_free(void *result)
{
    job.results -= result != NULL;
    free(result);
}

static int work(void *context, void *tool, uint32_t number, void *result, struct err *err)
{
    struct result *text = result;

    (void)context;
    (void)tool;
    if (number % 7 == 0)
        usleep(2000); /* others overtake it */
    if (job.fails[number])
        return err_set(err, EIO, "part %u", number);
    assert_string_equal(text->text, "");
    snprintf(text->text, sizeof(text->text), "%u ", number);
    return 0;
}

static void merge(void *left, void *right)
{
    strcat(((struct result *)left)->text, ((struct result *)right)->text);
}

static void note_progress(void *context, double done)
{
    (void)context;
    assert_true(done >= job.last_progress && done <= 1);
    job.last_progress = done;
}

static int fold_parts(uint32_t n_parts, int n_threads, void **result, struct err *err)
{
    struct workers workers;
    struct fold parts = {
        .n_parts = n_parts,
        .context = &job,
        .tool_new = tool_new,
        .tool_free = tool_free,
        .result_new = result_new,
        .result_clear = result_clear,
        .result_free = result_free,
        .work = work,
        .merge = merge,
        .workers = &workers,
        .progress = note_progress,
    };
    int ret;

    workers_init(&workers, n_threads);
    job.last_progress = 0;
    ret = fold(&parts, result, err);
    assert_int_equal(workers.spare, n_threads - 1);
    assert_int_equal(job.tools, 0);
    return ret;
}

static void parts_are_merged_in_their_order(void **state)
{
    (void)state;
    job = (struct job){.tools = 0};
    for (uint32_t n = 1; n <= FOLD_PARTS_MAX; n += n < 10 ? 1 : 18) {
        char expected[512] = "";

        for (uint32_t i = 0; i < n; i++)
            sprintf(expected + strlen(expected), "%u ", i);
        for (int threads = 1; threads <= 9; threads += 2) {
            struct err err = {0};
            void *result;

            assert_int_equal(fold_parts(n, threads, &result, &err), 0);
            assert_string_equal(((struct result *)result)->text, expected);
            assert_true(job.last_progress == 1);
            result_free(result);
            assert_int_equal(job.results, 0);
        }
    }
}

static void the_first_error_is_told(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        struct err err = {0};
        void *result = &err;

        job = (struct job){.tools = 0};
        job.fails[14] = job.fails[15] = job.fails[40] = true;
        assert_int_equal(fold_parts(50, threads, &result, &err), -EIO);
        assert_string_equal(err.text, "part 14");
        assert_null(result);
        assert_int_equal(job.results, 0);
    }
}

static void having_no_memory_is_an_error(void **state)
{
    struct err err = {0};
    void *result;

    (void)state;
    job = (struct job){.no_tools = true};
    assert_int_equal(fold_parts(3, 2, &result, &err), -ENOMEM);
    job = (struct job){.no_results = true};
    err = (struct err){0};
    assert_int_equal(fold_parts(3, 2, &result, &err), -ENOMEM);
    assert_int_equal(job.results, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_merged_in_their_order),
        cmocka_unit_test(the_first_error_is_told),
        cmocka_unit_test(having_no_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
