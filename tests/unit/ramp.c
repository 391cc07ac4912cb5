// SPDX-License-Identifier: MIT
/*
 * Proves that places can be told by lightness alone, in even steps, and kinds by hue; and the
 * escape sequences that make terminals show them.
 */
#include "ramp.h"
#include "map_cell.h"
#include "paint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct render_colour black = {0, 0, 0};

/* CIE 1931 Y, by the weights of sRGB: what a photograph in black and white shows. Then its
 * lightness L*, 0 .. 100. */
static double lightness(struct render_colour colour)
{
    const uint8_t parts[] = {colour.red, colour.green, colour.blue};
    const double weights[] = {0.2126, 0.7152, 0.0722};
    double y = 0;

    for (unsigned i = 0; i < 3; i++) {
        double value = parts[i] / 255.0;

        y += weights[i] * (value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4));
    }
    return 116 * cbrt(y) - 16;
}

static struct render_colour data_at(double place, enum report_cell_order order)
{
    return render_ramp_colour(REPORT_CELL_DATA, order, place);
}

static void what_lies_further_behind_is_lighter(void **state)
{
    static const enum report_cell_kind kinds[] = {REPORT_CELL_DATA, REPORT_CELL_COMPRESSED};

    (void)state;
    for (unsigned k = 0; k < 2; k++)
        for (unsigned order = 0; order <= REPORT_CELL_IN_PIECES; order++)
            for (unsigned i = 1; i <= 40; i++) {
                struct render_colour before =
                    render_ramp_colour(kinds[k], (enum report_cell_order)order, (i - 1) / 40.0);
                struct render_colour after =
                    render_ramp_colour(kinds[k], (enum report_cell_order)order, i / 40.0);

                assert_true(lightness(after) > lightness(before));
            }
}

static void steps_are_even(void **state)
{
    double all =
        lightness(data_at(1, REPORT_CELL_WHOLE)) - lightness(data_at(0, REPORT_CELL_WHOLE));

    (void)state;
    assert_true(all > 60);
    for (unsigned i = 1; i <= 10; i++) {
        double step = lightness(data_at(i / 10.0, REPORT_CELL_WHOLE)) -
                      lightness(data_at((i - 1) / 10.0, REPORT_CELL_WHOLE));

        assert_true(step > 0.6 * all / 10 && step < 1.4 * all / 10);
    }
}

static void kinds_at_one_place_differ(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= 10; i++) {
        struct render_colour data = data_at(i / 10.0, REPORT_CELL_WHOLE);
        struct render_colour broken = data_at(i / 10.0, REPORT_CELL_IN_PIECES);
        struct render_colour blob =
            render_ramp_colour(REPORT_CELL_COMPRESSED, REPORT_CELL_WHOLE, i / 10.0);

        assert_true(render_ramp_distance(data, broken) > 0.08);
        assert_true(render_ramp_distance(data, blob) > 0.06);
        assert_true(render_ramp_distance(broken, blob) > 0.03);
    }
}

static void whatever_is_mapped_stands_out_from_what_is_not(void **state)
{
    const struct report_cell empty = {.kind = REPORT_CELL_EMPTY};
    struct render_colour ground = render_ramp_cell(&empty);

    (void)state;
    for (unsigned i = 0; i <= 10; i++) {
        assert_true(lightness(data_at(i / 10.0, REPORT_CELL_WHOLE)) > lightness(ground) + 8);
        assert_true(lightness(data_at(i / 10.0, REPORT_CELL_IN_PIECES)) > lightness(ground) + 8);
    }
}

static void distances_are_those_of_the_eye(void **state)
{
    (void)state;
    assert_true(fabs(render_ramp_distance(black, (struct render_colour){255, 255, 255}) - 1) <
                0.01);
    assert_true(render_ramp_distance(black, black) == 0);
}

static void of_256_colours_the_nearest_is_taken(void **state)
{
    (void)state;
    assert_int_equal(render_paint_nearest((struct render_colour){255, 0, 0}), 196);
    assert_int_equal(render_paint_nearest((struct render_colour){0, 0, 95}), 17);
    assert_int_equal(render_paint_nearest((struct render_colour){255, 255, 255}), 231);
    assert_int_equal(render_paint_nearest((struct render_colour){8, 8, 8}), 232);
    assert_int_equal(render_paint_nearest((struct render_colour){118, 118, 118}), 243);
    assert_int_equal(render_paint_nearest((struct render_colour){254, 1, 2}), 196);
}

/* What two cells, and the end of a line, print. */
static const char *painted(enum render_colours colours, enum map_form form, bool alike)
{
    static char text[256];
    struct map_palette palette = {.known = {{{false}}}};
    struct report_cell cell = {.kind = REPORT_CELL_DATA, .bytes = {.mapped_bytes = 1}, .place = 0};
    FILE *stream = fmemopen(text, sizeof(text), "w");
    struct render_paint paint = render_paint_begin(stream, colours);

    map_cell_print(&paint, &palette, form, &cell, form == MAP_BLOCKS ? &cell : NULL);
    cell.place = alike ? 0 : 1;
    map_cell_print(&paint, &palette, form, &cell, form == MAP_BLOCKS ? &cell : NULL);
    render_paint_end(&paint);
    fclose(stream);
    return text;
}

static void only_what_changes_is_written(void **state)
{
    (void)state;
    assert_string_equal(painted(RENDER_16_COLOURS, MAP_SHADES, true), "\033[34m██\033[0m");
    assert_string_equal(painted(RENDER_16_COLOURS, MAP_SHADES, false), "\033[34m█\033[97m█\033[0m");
}

static void without_colours_there_are_no_sequences(void **state)
{
    (void)state;
    assert_string_equal(painted(RENDER_NO_COLOURS, MAP_LETTERS, false), "az");
}

static void blocks_have_two_cells_in_a_character(void **state)
{
    struct render_colour colour = data_at(0, REPORT_CELL_WHOLE);
    char expected[128];

    (void)state;
    snprintf(expected, sizeof(expected), "\033[38;2;%u;%u;%um\033[48;2;%u;%u;%um▀▀\033[0m",
             colour.red, colour.green, colour.blue, colour.red, colour.green, colour.blue);
    assert_string_equal(painted(RENDER_TRUE_COLOURS, MAP_BLOCKS, true), expected);
    snprintf(expected, sizeof(expected), "\033[38;5;%um\033[48;5;%um▀▀\033[0m",
             render_paint_nearest(colour), render_paint_nearest(colour));
    assert_string_equal(painted(RENDER_256_COLOURS, MAP_BLOCKS, true), expected);
}

static void letters_say_kind_place_and_order(void **state)
{
    static const struct {
        enum report_cell_kind kind;
        enum report_cell_order order;
        double place;
        char letter;
    } cases[] = {
        {REPORT_CELL_DATA, REPORT_CELL_WHOLE, 0, 'a'},
        {REPORT_CELL_DATA, REPORT_CELL_CRACKED, 1, 'z'},
        {REPORT_CELL_DATA, REPORT_CELL_BROKEN, 0, 'A'},
        {REPORT_CELL_DATA, REPORT_CELL_IN_PIECES, 0.5, 'N'},
        {REPORT_CELL_COMPRESSED, REPORT_CELL_WHOLE, 0, '0'},
        {REPORT_CELL_COMPRESSED, REPORT_CELL_IN_PIECES, 1, '9'},
        {REPORT_CELL_EMPTY, REPORT_CELL_WHOLE, 0, '.'},
        {REPORT_CELL_ZERO, REPORT_CELL_WHOLE, 0, '-'},
        {REPORT_CELL_FREE, REPORT_CELL_WHOLE, 0, '_'},
        {REPORT_CELL_METADATA, REPORT_CELL_WHOLE, 0, '='},
        {REPORT_CELL_SNAPSHOT, REPORT_CELL_WHOLE, 0, '+'},
        {REPORT_CELL_LEAKED, REPORT_CELL_WHOLE, 0, '!'},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct report_cell cell = {
            .kind = cases[i].kind, .order = cases[i].order, .place = cases[i].place};

        assert_int_equal(map_cell_letter(&cell), cases[i].letter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_further_behind_is_lighter),
        cmocka_unit_test(steps_are_even),
        cmocka_unit_test(kinds_at_one_place_differ),
        cmocka_unit_test(whatever_is_mapped_stands_out_from_what_is_not),
        cmocka_unit_test(distances_are_those_of_the_eye),
        cmocka_unit_test(of_256_colours_the_nearest_is_taken),
        cmocka_unit_test(only_what_changes_is_written),
        cmocka_unit_test(without_colours_there_are_no_sequences),
        cmocka_unit_test(blocks_have_two_cells_in_a_character),
        cmocka_unit_test(letters_say_kind_place_and_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
