// SPDX-License-Identifier: MIT
/* Until when there is time, and what the next rewrite takes of it. */
#include "schedule.h"

#include "disk.h"
#include "report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BYTES UINT64_C(1500000000)

/* Of an image of which nothing is known. */
static double reckon(const struct schedule *schedule, uint64_t rate, bool verify)
{
    const struct report_image unknown = {.n_tables = 0};

    return schedule_reckon(schedule, &unknown, BYTES, rate, verify);
}

static void without_an_end_there_is_always_time(void **state)
{
    struct schedule schedule;

    (void)state;
    schedule_begin(&schedule, 0);
    assert_true(schedule_has_room(&schedule, 1e9));
}

static void what_would_end_later_has_no_room(void **state)
{
    struct schedule schedule;

    (void)state;
    schedule_begin(&schedule, 100);
    assert_true(schedule_has_room(&schedule, 50));
    assert_false(schedule_has_room(&schedule, 101));
}

static void what_is_not_known_is_read_written_and_read_back_by_a_disk(void **state)
{
    const double transfer = meter_disk_transfer_seconds(METER_DISK_HDD, BYTES);
    struct schedule schedule;

    (void)state;
    schedule_begin(&schedule, 0);
    assert_float_equal(reckon(&schedule, 0, true), 3 * transfer, 1e-9);
    assert_float_equal(reckon(&schedule, 0, false), 2 * transfer, 1e-9);
}

static void no_more_is_written_in_a_second_than_that(void **state)
{
    struct schedule schedule;

    (void)state;
    schedule_begin(&schedule, 0);
    assert_float_equal(reckon(&schedule, 1000000, true), 1500, 1e-9);
    assert_float_equal(reckon(&schedule, BYTES, true), reckon(&schedule, 0, true), 1e-9);
}

static void a_slow_one_makes_the_next_slower(void **state)
{
    struct schedule schedule;
    double plain;

    (void)state;
    schedule_begin(&schedule, 0);
    plain = reckon(&schedule, 0, true);
    schedule_learn(&schedule, plain, 2 * plain);
    assert_float_equal(reckon(&schedule, 0, true), 2 * plain, 1e-9);
    /* That was reckoned with what had been learned, and took three times the plain time. */
    schedule_learn(&schedule, 2 * plain, 3 * plain);
    assert_float_equal(reckon(&schedule, 0, true), 3 * plain, 1e-9);
}

static void a_fast_one_after_it_changes_nothing(void **state)
{
    struct schedule schedule;
    double plain;

    (void)state;
    schedule_begin(&schedule, 0);
    plain = reckon(&schedule, 0, true);
    schedule_learn(&schedule, plain, 2 * plain);
    schedule_learn(&schedule, 2 * plain, plain / 2);
    assert_float_equal(reckon(&schedule, 0, true), 2 * plain, 1e-9);
    schedule_learn(&schedule, 0, 5); /* nothing to learn of */
    assert_float_equal(reckon(&schedule, 0, true), 2 * plain, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_end_there_is_always_time),
        cmocka_unit_test(what_would_end_later_has_no_room),
        cmocka_unit_test(what_is_not_known_is_read_written_and_read_back_by_a_disk),
        cmocka_unit_test(no_more_is_written_in_a_second_than_that),
        cmocka_unit_test(a_slow_one_makes_the_next_slower),
        cmocka_unit_test(a_fast_one_after_it_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
