// SPDX-License-Identifier: MIT
/* The two numbers by which a layout is judged: which walk they are of. */
#include "seconds.h"
#include "report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* An image that takes 3 s instead of 2, and 10 s instead of 2.5 as it lies on the device. */
static struct report_table both(void)
{
    return (struct report_table){
        .measured = true,
        .walk = {.mapped_bytes = 1000},
        .disk = {.known = true,
                 .seconds = 3,
                 .ideal_seconds = 2,
                 .slowdown_low = 1.25,
                 .slowdown_high = 1.5},
        .end_to_end = {.known = true,
                       .seconds = {true, 10},
                       .slowdown = {true, 4},
                       .ideal_seconds = 2.5,
                       .slowdown_low = 3.5},
    };
}

static void is_of_image_alone(const struct report_table *table)
{
    struct report_seconds result = report_seconds_of(table);

    assert_true(result.known);
    assert_false(result.with_host);
    assert_float_equal(result.seconds, 3, 0);
    assert_float_equal(result.ideal, 2, 0);
    assert_float_equal(result.lost, 1, 0);
    assert_float_equal(result.slowdown_low, 1.25, 0);
}

static void image_and_host_together(void **state)
{
    struct report_table table = both();
    struct report_seconds result = report_seconds_of(&table);

    (void)state;
    assert_true(result.known);
    assert_true(result.with_host);
    assert_float_equal(result.seconds, 10, 0);
    assert_float_equal(result.ideal, 2.5, 0);
    assert_float_equal(result.lost, 7.5, 0);
    assert_float_equal(result.slowdown_low, 3.5, 0);
}

static void the_image_alone_where_the_host_is_not_known(void **state)
{
    struct report_table table = both();

    (void)state;
    table.end_to_end.known = false;
    is_of_image_alone(&table);
}

static void the_image_alone_where_all_of_it_lies_in_holes(void **state)
{
    struct report_table table = both();

    (void)state;
    table.end_to_end.seconds.known = false;
    is_of_image_alone(&table);
}

static void more_than_a_tenth_in_holes_is_too_much(void **state)
{
    struct report_table table = both();

    (void)state;
    table.end_to_end.hole_bytes = 100;
    assert_false(report_is_sparse(&table));
    assert_true(report_seconds_of(&table).with_host);
    table.end_to_end.hole_bytes = 101;
    assert_true(report_is_sparse(&table));
    table.end_to_end.seconds.value = 3; /* less is lost than by the image alone */
    is_of_image_alone(&table);
}

static void what_a_sparse_file_has_may_take_longer(void **state)
{
    struct report_table table = both();

    (void)state;
    table.end_to_end.hole_bytes = 500;
    assert_true(report_seconds_of(&table).with_host);
    table.end_to_end.seconds.value = table.end_to_end.ideal_seconds + 1; /* as much is lost */
    is_of_image_alone(&table);
}

/* It will have one soon, and nobody knows where. */
static void what_has_no_place_yet_is_not_the_host_s(void **state)
{
    struct report_table table = both();

    (void)state;
    table.end_to_end.unplaced = true;
    assert_true(report_seconds_of(&table).with_host);
    table.end_to_end.hole_bytes = 500;
    is_of_image_alone(&table);
}

static void nothing_is_known_without_the_image(void **state)
{
    struct report_table table = both();

    (void)state;
    table.disk.known = false;
    assert_false(report_seconds_of(&table).known);
}

static void never_less_than_nothing_is_lost(void **state)
{
    struct report_table table = both();

    (void)state;
    table.end_to_end.ideal_seconds = 11;
    assert_float_equal(report_seconds_of(&table).lost, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_and_host_together),
        cmocka_unit_test(the_image_alone_where_the_host_is_not_known),
        cmocka_unit_test(the_image_alone_where_all_of_it_lies_in_holes),
        cmocka_unit_test(more_than_a_tenth_in_holes_is_too_much),
        cmocka_unit_test(what_a_sparse_file_has_may_take_longer),
        cmocka_unit_test(what_has_no_place_yet_is_not_the_host_s),
        cmocka_unit_test(nothing_is_known_without_the_image),
        cmocka_unit_test(never_less_than_nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
