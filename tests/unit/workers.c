// SPDX-License-Identifier: MIT
/*
 * Proves that a budget of threads is never exceeded, that what is given back can be taken again,
 * and that having none is no error.
 */
#include "workers.h"

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
        cmocka_unit_test(never_more_than_the_budget_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
