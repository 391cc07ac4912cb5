// SPDX-License-Identifier: MIT
/* Proves the unit and the digits of durations, at the borders between them. */
#include "duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_duration_has_the_unit_that_suits(void **state)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        {0, "0 s"},         {0.0004, "0 s"},   {0.0005, "1 ms"},    {0.035, "35 ms"},
        {0.9994, "999 ms"}, {0.9996, "1.0 s"}, {10.5, "11 s"},      {150, "3 min"},
        {2.44, "2.4 s"},    {9.94, "9.9 s"},   {9.96, "10 s"},      {48.2, "48 s"},
        {119.4, "119 s"},   {119.6, "2 min"},  {18 * 60, "18 min"}, {7169, "119 min"},
        {7171, "2.0 h"},    {8280, "2.3 h"},   {35800, "9.9 h"},    {40 * 3600, "40 h"},
        {4e9, "1111111 h"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[DURATION_TEXT_MAX];

        duration_format(text, cases[i].seconds);
        assert_string_equal(text, cases[i].text);
    }
}

static void a_duration_is_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } cases[] = {
        {"0", 0},        {"90", 90},    {"90s", 90},         {"15m", 900},           {"2h", 7200},
        {"1h30m", 5400}, {"1d", 86400}, {"1d1h1m1s", 90061}, {"36600d", 3162240000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t seconds = 1;

        assert_true(duration_parse(cases[i].text, &seconds));
        assert_int_equal(seconds, cases[i].seconds);
    }
}

static void what_is_no_duration_is_refused(void **state)
{
    static const char *const texts[] = {"",     "s",           "x",      "-1",   "1x",
                                        "1.5h", " 1",          "1 ",     "1h30", "1m1h",
                                        "1h1h", "99999999999", "36601d", "1hm"};
    uint64_t seconds;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(duration_parse(texts[i], &seconds));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_has_the_unit_that_suits),
        cmocka_unit_test(a_duration_is_read),
        cmocka_unit_test(what_is_no_duration_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
