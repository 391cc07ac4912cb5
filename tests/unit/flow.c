// SPDX-License-Identifier: MIT
/* Proves where the lines of a page break, and where they never do. */
#include "flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *text, unsigned width, const char *expected)
{
    char *result = NULL;
    size_t len;
    FILE *to = open_memstream(&result, &len);
    FILE *flow = render_flow_open(to, width);

    assert_non_null(flow);
    assert_true(fputs(text, flow) >= 0);
    assert_int_equal(fclose(flow), 0);
    assert_int_equal(fclose(to), 0);
    assert_string_equal(result, expected);
    free(result);
}

static void what_fits_stays_on_its_line(void **state)
{
    (void)state;
    check("  label " RENDER_FIGURE "text\n", 60, "  label text\n");
    check(RENDER_FIGURE "\n", 60, "\n");
    check("", 60, "");
    check("\n\n", 60, "\n\n");
    check("no newline", 60, "no newline");
    /* 60 columns are not too many for 60 columns, 61 are. */
    check("..." RENDER_FIGURE "1234567 1234567 1234567 1234567 1234567 1234567 1234567 2\n", 60,
          "...1234567 1234567 1234567 1234567 1234567 1234567 1234567 2\n");
    check("..." RENDER_FIGURE "1234567 1234567 1234567 1234567 1234567 1234567 1234567 22\n", 60,
          "...1234567 1234567 1234567 1234567 1234567 1234567 1234567\n   22\n");
}

static void a_line_goes_on_below_its_mark(void **state)
{
    (void)state;
    check("  in  " RENDER_PROSE "aaaaaaaaa bbbbbbbbb ccccccccc ddddddddd eeeeeeeee fffffffff ggg\n"
          "next\n",
          60,
          "  in  aaaaaaaaa bbbbbbbbb ccccccccc ddddddddd eeeeeeeee\n"
          "      fffffffff ggg\n"
          "next\n");
}

static void a_mark_far_to_the_right_is_no_place_to_go_on(void **state)
{
    (void)state;
    check("a path of forty columns and one, at least " RENDER_FIGURE "aaaaaaaaa bbbbbbbbb ccc\n",
          60,
          "a path of forty columns and one, at least aaaaaaaaa\n"
          "    bbbbbbbbb ccc\n");
}

static void a_line_without_a_mark_is_never_broken(void **state)
{
    char line[400];

    (void)state;
    memset(line, 0, sizeof(line));
    for (int i = 0; i < 39; i++)
        strcat(line, "command -x");
    strcat(line, "\n");
    check(line, 60, line);
}

static void a_long_word_stays_whole(void **state)
{
    (void)state;
    check("  " RENDER_PROSE
          "a /a/path/that/is/longer/than/the/line/can/be/and/more/than/that/is b\n",
          60,
          "  a\n"
          "  /a/path/that/is/longer/than/the/line/can/be/and/more/than/that/is\n"
          "  b\n");
}

static void a_number_keeps_its_unit(void **state)
{
    (void)state;
    check("  " RENDER_PROSE "1234567 1234567 1234567 1234567 1234567 1234567 mean 512 KiB, x\n", 60,
          "  1234567 1234567 1234567 1234567 1234567 1234567 mean\n"
          "  512 KiB, x\n");
    check("  " RENDER_PROSE "1234567 1234567 1234567 1234567 1234567 1234567 mean 512 clusters\n",
          60,
          "  1234567 1234567 1234567 1234567 1234567 1234567 mean 512\n"
          "  clusters\n");
    check("  " RENDER_PROSE "1234567 1234567 1234567 1234567 1234567 1234567 12345 7 min\n", 60,
          "  1234567 1234567 1234567 1234567 1234567 1234567 12345\n"
          "  7 min\n");
}

static void blanks_inside_a_line_are_kept(void **state)
{
    (void)state;
    check("  " RENDER_FIGURE "11,248      mean 5 MiB\n", 60, "  11,248      mean 5 MiB\n");
}

static void blanks_at_the_end_of_a_line_break_nothing(void **state)
{
    (void)state;
    check(RENDER_FIGURE "1234567 1234567 1234567 1234567 1234567 1234567 1234567 1234  \n", 60,
          "1234567 1234567 1234567 1234567 1234567 1234567 1234567 1234  \n");
}

static void characters_are_counted_not_bytes(void **state)
{
    (void)state;
    check(RENDER_FIGURE "äääääää ööööööö üüüüüüü äääääää ööööööö üüüüüüü äääääää öööö\n", 60,
          "äääääää ööööööö üüüüüüü äääääää ööööööö üüüüüüü äääääää öööö\n");
}

static void figures_are_as_wide_as_the_terminal_sentences_are_not(void **state)
{
    static const char *const text = "1234567 1234567 1234567 1234567 1234567 1234567 1234567 "
                                    "1234567 1234567 1234567 1234567 1234567 1234567\n";
    static const char *const broken = "1234567 1234567 1234567 1234567 1234567 1234567 1234567 "
                                      "1234567 1234567 1234567 1234567 1234567\n1234567\n";
    char figure[128], prose[128];

    (void)state;
    snprintf(figure, sizeof(figure), RENDER_FIGURE "%s", text);
    snprintf(prose, sizeof(prose), RENDER_PROSE "%s", text);
    check(figure, 0, text); /* no terminal */
    check(figure, 120, text);
    check(figure, 103, text);
    check(figure, 102, broken);
    check(prose, 0, broken);
    check(prose, 120, broken);
}

static void nothing_is_narrower_than_the_least_width(void **state)
{
    (void)state;
    check(RENDER_PROSE "1234567 1234567 1234567 1234567 1234567 1234567 1234567 1234\n", 1,
          "1234567 1234567 1234567 1234567 1234567 1234567 1234567 1234\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_stays_on_its_line),
        cmocka_unit_test(a_line_goes_on_below_its_mark),
        cmocka_unit_test(a_mark_far_to_the_right_is_no_place_to_go_on),
        cmocka_unit_test(a_line_without_a_mark_is_never_broken),
        cmocka_unit_test(a_long_word_stays_whole),
        cmocka_unit_test(a_number_keeps_its_unit),
        cmocka_unit_test(blanks_inside_a_line_are_kept),
        cmocka_unit_test(blanks_at_the_end_of_a_line_break_nothing),
        cmocka_unit_test(characters_are_counted_not_bytes),
        cmocka_unit_test(figures_are_as_wide_as_the_terminal_sentences_are_not),
        cmocka_unit_test(nothing_is_narrower_than_the_least_width),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
