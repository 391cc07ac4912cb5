// SPDX-License-Identifier: MIT
/* Runs that are held back until it is known that they may be printed. */
#include "spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct taker {
    uint64_t taken[16];
    size_t n;
    size_t refuses_at; /* the run, from 1 on; 0: none */
};

static int take(void *context, const struct report_run *run)
{
    struct taker *taker = context;

    if (taker->n + 1 == taker->refuses_at)
        return -5;
    taker->taken[taker->n++] = run->guest_off;
    return 0;
}

static struct report_spool spool_of(struct taker *taker, size_t most)
{
    const struct report_list_choice choice = {.take = take, .context = taker};
    struct report_spool spool;

    report_spool_init(&spool, &choice);
    assert_in_range(spool.most * sizeof(struct report_run), 15 << 20, REPORT_SPOOL_BYTES);
    spool.most = most;
    return spool;
}

static int add(struct report_spool *spool, uint64_t guest_off)
{
    const struct report_run run = {.guest_off = guest_off};

    return report_spool_add(spool, &run);
}

static void nothing_comes_before_it_is_released(void **state)
{
    struct taker taker = {.n = 0};
    struct report_spool spool = spool_of(&taker, 3);

    (void)state;
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(add(&spool, i), 0);
    assert_int_equal(taker.n, 0);
    assert_false(spool.released);
    assert_int_equal(report_spool_release(&spool), 0);
    assert_int_equal(taker.n, 3);
    assert_int_equal(taker.taken[2], 2);
    report_spool_free(&spool);
}

static void what_is_forgotten_never_comes(void **state)
{
    struct taker taker = {.n = 0};
    struct report_spool spool = spool_of(&taker, 3);

    (void)state;
    add(&spool, 7);
    report_spool_forget(&spool);
    add(&spool, 8);
    assert_int_equal(report_spool_release(&spool), 0);
    assert_int_equal(taker.n, 1);
    assert_int_equal(taker.taken[0], 8);
    report_spool_free(&spool);
}

static void more_than_there_is_room_for_goes_its_way_in_order(void **state)
{
    struct taker taker = {.n = 0};
    struct report_spool spool = spool_of(&taker, 3);

    (void)state;
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(add(&spool, i), 0);
    assert_true(spool.released);
    assert_int_equal(taker.n, 10);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(taker.taken[i], i);
    report_spool_free(&spool);
}

static void who_takes_no_more_stops_it(void **state)
{
    struct taker taker = {.refuses_at = 2};
    struct report_spool spool = spool_of(&taker, 3);

    (void)state;
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(add(&spool, i), 0);
    assert_int_equal(add(&spool, 3), -5);
    assert_int_equal(taker.n, 1);
    report_spool_free(&spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_comes_before_it_is_released),
        cmocka_unit_test(what_is_forgotten_never_comes),
        cmocka_unit_test(more_than_there_is_room_for_goes_its_way_in_order),
        cmocka_unit_test(who_takes_no_more_stops_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
