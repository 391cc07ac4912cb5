// SPDX-License-Identifier: MIT
/* Limits: what is within them, what an image comes to, and how that is said. */
#include "limit.h"
#include "made_report.h"

static const struct report_limit score = {true, true, 0.25, 0.5};
static const struct report_limit half = {true, true, 4194304, 1048576};
static const struct report_limit slowdown = {true, false, 6, 0};

static void with_score(struct made_report *made, double value)
{
    made->tables[0].walk.fragmentation_score = opt_f64_of(value);
}

static void a_limit_is_reached_but_not_passed(void **state)
{
    struct made_report made;

    (void)state;
    made_init(&made);
    with_score(&made, 0.25);
    assert_int_equal(report_limit_level(made.tables, REPORT_MAX_SCORE, &score), REPORT_OK);
    with_score(&made, 0.26);
    assert_int_equal(report_limit_level(made.tables, REPORT_MAX_SCORE, &score), REPORT_WARNING);
    with_score(&made, 0.5);
    assert_int_equal(report_limit_level(made.tables, REPORT_MAX_SCORE, &score), REPORT_WARNING);
    with_score(&made, 0.51);
    assert_int_equal(report_limit_level(made.tables, REPORT_MAX_SCORE, &score), REPORT_CRITICAL);
}

static void the_half_length_is_worse_below(void **state)
{
    struct made_report made;
    struct opt_u64 *bytes;

    (void)state;
    made_init(&made);
    bytes = &made.tables[0].walk.contiguous_run_half_bytes;
    assert_int_equal(report_limit_level(made.tables, REPORT_MIN_RUN, &half), REPORT_OK);
    bytes->value = 4194303;
    assert_int_equal(report_limit_level(made.tables, REPORT_MIN_RUN, &half), REPORT_WARNING);
    bytes->value = 1048576;
    assert_int_equal(report_limit_level(made.tables, REPORT_MIN_RUN, &half), REPORT_WARNING);
    bytes->value = 1048575;
    assert_int_equal(report_limit_level(made.tables, REPORT_MIN_RUN, &half), REPORT_CRITICAL);
}

static void the_slowdown_is_that_of_image_and_host(void **state)
{
    struct made_report made;

    (void)state;
    made_init(&made);
    assert_true(report_limit_figure(made.tables, REPORT_MAX_SLOWDOWN).value == 6);
    assert_int_equal(report_limit_level(made.tables, REPORT_MAX_SLOWDOWN, &slowdown), REPORT_OK);
    made.tables[0].end_to_end.slowdown_low = 6.5;
    assert_int_equal(report_limit_level(made.tables, REPORT_MAX_SLOWDOWN, &slowdown),
                     REPORT_WARNING);
}

static void no_data_is_well_and_no_table_is_not_known(void **state)
{
    struct made_report made;
    struct report_limit none = {.given = false};

    (void)state;
    made_init(&made);
    made.tables[0].walk.fragmentation_score.known = false;
    assert_int_equal(report_limit_level(made.tables, REPORT_MAX_SCORE, &score), REPORT_OK);
    made.tables[0].measured = false;
    assert_int_equal(report_limit_level(made.tables, REPORT_MAX_SCORE, &score), REPORT_NOT_KNOWN);
    assert_int_equal(report_limit_level(made.tables, REPORT_MAX_SCORE, &none), REPORT_OK);
}

static void what_is_said(void **state)
{
    char text[REPORT_LIMIT_TEXT_MAX];
    struct made_report made;

    (void)state;
    made_init(&made);
    made_add_snapshot(&made);
    report_limit_text(&made.tables[1], REPORT_MAX_SCORE, &score, REPORT_WARNING, text);
    assert_string_equal(text,
                        "snapshot 7: the fragmentation score is 50 %, above the limit of 25 %");
    report_limit_text(made.tables, REPORT_MIN_RUN, &half, REPORT_CRITICAL, text);
    assert_string_equal(text, "the half length is 4 MiB, below the critical limit of 1 MiB");
    report_limit_text(made.tables, REPORT_MAX_SLOWDOWN, &slowdown, REPORT_NOT_KNOWN, text);
    assert_string_equal(text, "the slowdown is not known, so it cannot be compared with the limit");
}

static void an_image_is_as_bad_as_its_worst_table(void **state)
{
    const struct report_limit limits[REPORT_N_LIMITS] = {[REPORT_MAX_SCORE] = {true, true, .3, .4}};
    const struct report_limit none[REPORT_N_LIMITS] = {{.given = false}};
    struct made_report made;

    (void)state;
    made_init(&made);
    assert_int_equal(report_limits_level(&made.image, limits), REPORT_OK);
    made_add_snapshot(&made);
    assert_int_equal(report_limits_level(&made.image, limits), REPORT_CRITICAL);
    made_add_findings(&made);
    assert_int_equal(report_limits_level(&made.image, limits), REPORT_NOT_KNOWN);
    assert_int_equal(report_limits_level(&made.image, none), REPORT_NOT_KNOWN);
    made.image.findings.errors = 0;
    made.image.findings.per_code[FORMAT_FINDING_DATA_OVERLAP] = 0;
    made.image.findings.n_list = 1;
    assert_int_equal(report_limits_level(&made.image, none), REPORT_OK);
    made.image.error = (char *)(uintptr_t) "why";
    assert_int_equal(report_limits_level(&made.image, none), REPORT_NOT_KNOWN);
}

static void the_worse_of_two(void **state)
{
    static const enum report_level rising[] = {REPORT_OK, REPORT_WARNING, REPORT_NOT_KNOWN,
                                               REPORT_CRITICAL};

    (void)state;
    for (unsigned a = 0; a < 4; a++)
        for (unsigned b = 0; b < 4; b++)
            assert_int_equal(report_level_worse(rising[a], rising[b]), rising[a > b ? a : b]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_is_reached_but_not_passed),
        cmocka_unit_test(the_half_length_is_worse_below),
        cmocka_unit_test(the_slowdown_is_that_of_image_and_host),
        cmocka_unit_test(no_data_is_well_and_no_table_is_not_known),
        cmocka_unit_test(what_is_said),
        cmocka_unit_test(an_image_is_as_bad_as_its_worst_table),
        cmocka_unit_test(the_worse_of_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
