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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_has_the_unit_that_suits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
