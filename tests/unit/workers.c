// SPDX-License-Identifier: MIT
/*
 * Proves that a budget of threads is never exceeded, that what is given back can be taken again,
 * and that having none is no error.
 */
#include "workers.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_calling_thread_is_one_of_them(void **state)
{
    struct workers workers;

    (void)state;
    workers_init(&workers, 1);
    assert_false(workers_try_take(&workers));
    workers_init(&workers, 3);
    assert_true(workers_try_take(&workers));
    assert_true(workers_try_take(&workers));
    assert_false(workers_try_take(&workers));
}

static void what_is_given_back_can_be_taken_again(void **state)
{
    struct workers workers;

    (void)state;
    workers_init(&workers, 2);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(workers_try_take(&workers));
        assert_false(workers_try_take(&workers));
        workers_give(&workers);
    }
}

static void without_a_budget_there_is_none(void **state)
{
    (void)state;
    assert_false(workers_try_take(NULL));
}

static void there_is_a_processor(void **state)
{
    (void)state;
    assert_in_range(workers_processors(), 1, 1 << 20);
}

/* ---- starting ---- */

/* The C library's, unless they are to fail. */
static int init_error, size_error;
static size_t stack_bytes;

int pthread_attr_init(pthread_attr_t *attributes)
{
    int (*init)(pthread_attr_t *) =
        (int (*)(pthread_attr_t *))dlsym(RTLD_NEXT, "pthread_attr_init");

    return init_error != 0 ? init_error : init(attributes);
}

int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t bytes)
{
    int (*set)(pthread_attr_t *, size_t) =
        (int (*)(pthread_attr_t *, size_t))dlsym(RTLD_NEXT, "pthread_attr_setstacksize");

    stack_bytes = bytes;
    return size_error != 0 ? size_error : set(attributes, bytes);
}

static void *note(void *context)
{
    *(bool *)context = true;
    return NULL;
}

static void a_thread_has_a_stack_of_its_own_length(void **state)
{
    bool noted = false;
    pthread_t thread;

    (void)state;
    assert_int_equal(workers_start(&thread, note, &noted), 0);
    pthread_join(thread, NULL);
    assert_true(noted);
    assert_in_range(stack_bytes, 1 << 20, 8 << 20);
}

static void a_thread_that_cannot_be_started_is_an_error(void **state)
{
    bool noted = false;
    pthread_t thread;

    (void)state;
    init_error = ENOMEM;
    assert_int_equal(workers_start(&thread, note, &noted), -ENOMEM);
    init_error = 0;
    size_error = EINVAL;
    assert_int_equal(workers_start(&thread, note, &noted), -EINVAL);
    size_error = 0;
    assert_false(noted);
}

/* ---- several threads that take and give ---- */

#define BUDGET 3
#define TAKERS 8

struct race {
    struct workers workers;
    atomic_int taken; /* at this moment */
    atomic_int most;
};

static void *take_and_give(void *context)
{
    struct race *race = context;

    for (unsigned i = 0; i < 20000; i++) {
        int now;

        if (!workers_try_take(&race->workers))
            continue;
        now = atomic_fetch_add(&race->taken, 1) + 1;
        if (now > atomic_load(&race->most))
            atomic_store(&race->most, now);
        atomic_fetch_sub(&race->taken, 1);
        workers_give(&race->workers);
    }
    return NULL;
}

static void never_more_than_the_budget_at_once(void **state)
{
    struct race race;
    pthread_t threads[TAKERS];

    (void)state;
    workers_init(&race.workers, BUDGET + 1);
    atomic_init(&race.taken, 0);
    atomic_init(&race.most, 0);
    for (unsigned i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &race), 0);
    for (unsigned i = 0; i < TAKERS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(atomic_load(&race.most), 1, BUDGET);
    for (unsigned i = 0; i < BUDGET; i++)
        assert_true(workers_try_take(&race.workers));
    assert_false(workers_try_take(&race.workers));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_calling_thread_is_one_of_them),
        cmocka_unit_test(what_is_given_back_can_be_taken_again),
        cmocka_unit_test(without_a_budget_there_is_none),
        cmocka_unit_test(there_is_a_processor),
        cmocka_unit_test(a_thread_has_a_stack_of_its_own_length),
        cmocka_unit_test(a_thread_that_cannot_be_started_is_an_error),
        cmocka_unit_test(never_more_than_the_budget_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
