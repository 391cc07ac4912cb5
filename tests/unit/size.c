// SPDX-License-Identifier: MIT
/*
 * Proves how sizes and counts look, from 0 to 2^64 - 1, which texts are read as a size, and that
 * what is written can be read again.
 */
#include "size.h"

#include "dice.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)
#define PIB (UINT64_C(1) << 50)
#define EIB (UINT64_C(1) << 60)

struct text_case {
    uint64_t bytes;
    const char *text;
};

static void check_format(const struct text_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[SIZE_TEXT_MAX];

        size_format(text, cases[i].bytes);
        assert_string_equal(text, cases[i].text);
    }
}

static void whole_units_show_no_decimals(void **state)
{
    static const struct text_case cases[] = {
        {0, "0 B"},
        {1, "1 B"},
        {512, "512 B"},
        {1023, "1023 B"},
        {KIB, "1 KiB"},
        {64 * KIB, "64 KiB"},
        {1000 * KIB, "1000 KiB"},
        {1023 * KIB, "1023 KiB"},
        {MIB, "1 MiB"},
        {100 * GIB, "100 GiB"},
        {TIB, "1 TiB"},
        {PIB, "1 PiB"},
        {EIB, "1 EiB"},
        {8 * EIB, "8 EiB"},
    };

    (void)state;
    check_format(cases, sizeof(cases) / sizeof(cases[0]));
}

static void fractions_show_three_digits(void **state)
{
    static const struct text_case cases[] = {
        {1025, "1 KiB"}, /* 1.00098 */
        {1536, "1.5 KiB"},
        {1147, "1.12 KiB"},              /* 1.1201 */
        {MIB + MIB / 8, "1.13 MiB"},     /* 1.125: half up */
        {MIB + MIB / 8 - 1, "1.12 MiB"}, /* the byte below the half */
        {12 * MIB + MIB / 20, "12 MiB"}, /* 12.04999: one byte is lost in the division */
        {12 * MIB + MIB / 20 + 1, "12.1 MiB"},
        {123 * MIB + MIB / 2, "124 MiB"}, /* 123.5: half up */
        {123 * MIB + MIB / 2 - 1, "123 MiB"},
        {9 * GIB + 995 * GIB / 1000, "9.99 GiB"}, /* 9.99499 */
    };

    (void)state;
    check_format(cases, sizeof(cases) / sizeof(cases[0]));
}

static void rounding_up_may_reach_the_next_unit(void **state)
{
    static const struct text_case cases[] = {
        {MIB - 1, "1 MiB"},      {MIB - 512, "1 MiB"}, /* 1023.5 KiB: half up */
        {MIB - 513, "1023 KiB"}, {GIB - 1, "1 GiB"},       {TIB - 1, "1 TiB"},
        {EIB - 1, "1 EiB"},      {10 * KIB - 1, "10 KiB"}, {100 * KIB - 1, "100 KiB"},
    };

    (void)state;
    check_format(cases, sizeof(cases) / sizeof(cases[0]));
}

static void the_largest_sizes_do_not_wrap(void **state)
{
    static const struct text_case cases[] = {
        {UINT64_MAX, "16 EiB"}, /* there is no larger unit to go to */
        {UINT64_MAX - EIB / 2, "15.5 EiB"},
        {UINT64_C(1) << 63, "8 EiB"},
        {(UINT64_C(1) << 63) - 1, "8 EiB"},
    };

    (void)state;
    check_format(cases, sizeof(cases) / sizeof(cases[0]));
}

static void a_mean_is_rounded_to_a_byte(void **state)
{
    static const struct {
        double bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},        {0.4, "0 B"},       {0.5, "1 B"},
        {511.49, "511 B"}, {1023.5, "1 KiB"},  {104857.6, "102 KiB"},
        {0x1p63, "8 EiB"}, {0x1p64, "16 EiB"}, {1e300, "16 EiB"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[SIZE_TEXT_MAX];

        size_format_mean(text, cases[i].bytes);
        assert_string_equal(text, cases[i].text);
    }
}

static void counts_have_commas_every_three_digits(void **state)
{
    static const struct text_case cases[] = {
        {0, "0"},
        {7, "7"},
        {999, "999"},
        {1000, "1,000"},
        {704512, "704,512"},
        {1000000, "1,000,000"},
        {UINT64_MAX, "18,446,744,073,709,551,615"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[SIZE_TEXT_MAX];

        size_format_count(text, cases[i].bytes);
        assert_string_equal(text, cases[i].text);
    }
}

static void sizes_are_read_in_every_spelling(void **state)
{
    static const struct text_case cases[] = {
        {0, "0"},
        {4096, "4096"},
        {4096, "4096B"},
        {4096, "04096"},
        {64 * KIB, "64K"},
        {64 * KIB, "64k"},
        {64 * KIB, "64KB"},
        {64 * KIB, "64KiB"},
        {64 * KIB, "64kib"},
        {64 * KIB, "64 KiB"},
        {3 * MIB, "3M"},
        {3 * GIB, "3g"},
        {2 * TIB, "2TiB"},
        {2 * PIB, "2P"},
        {15 * EIB, "15E"},
        {GIB + GIB / 2, "1.5G"},
        {KIB / 4, "0.25K"},
        {1, "1.9B"}, /* no part of a byte */
        {UINT64_MAX, "18446744073709551615"},
        {16 * EIB - EIB / 2, "15.5E"},
        {KIB, "1.000000000000000K"}, /* 15 digits after the point */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t bytes = 42;

        if (!size_parse(cases[i].text, &bytes))
            fail_msg("\"%s\" is refused", cases[i].text);
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void is_read_as(const char *text, uint64_t expected)
{
    uint64_t bytes = 0;

    if (!size_parse(text, &bytes))
        fail_msg("\"%s\" is refused", text);
    if (bytes != expected)
        fail_msg("\"%s\" is read as %" PRIu64, text, bytes);
}

static void numbers_may_be_hexadecimal(void **state)
{
    (void)state;
    is_read_as("0x0", 0);
    is_read_as("0x10000", 65536);
    is_read_as("0XfF", 255);
    is_read_as("0x1B", 27); /* a digit */
    is_read_as("0x1E", 30);
    is_read_as("0x10K", 16384);
    is_read_as("0xffffffffffffffff", UINT64_MAX);
    is_read_as("010", 10); /* never octal */
}

static void sectors_have_512_bytes(void **state)
{
    (void)state;
    is_read_as("2048s", 1048576);
    is_read_as("1S", 512);
    is_read_as("0x800s", 1048576);
    is_read_as("36028797018963967s", UINT64_MAX - 511);
}

static void what_is_no_size_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "K",
        "-1",
        "+1",
        " 1",
        "1.",
        "1 ",
        "1  K",
        "1K ",
        ".5",
        "1..5",
        "1.5.5",
        "1.K",
        "0x",
        "0xg",
        "x10",
        "0x-1",
        "0x1.5",
        "0x10000000000000000", /* 2^64 */
        "0b1",
        "s",
        "1ss",
        "1siB",
        "1Ks",
        "36028797018963968s", /* 2^64 */
        "1e3",
        "1X",
        "1KK",
        "1Ki",
        "1KiBs",
        "1BB",
        "1BiB",
        "1K1",
        "1,000",
        "1K B",
        "1\n",
        "1\tK",
        "inf",
        "1-2",
        "١",
        "18446744073709551616", /* 2^64 */
        "99999999999999999999999999999999",
        "16E",
        "16384P",
        "18014398509481984K",  /* 2^64 */
        "1.0000000000000000K", /* 16 digits after the point */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t bytes;

        if (size_parse(texts[i], &bytes))
            fail_msg("\"%s\" is read as a size", texts[i]);
    }
}

/* A size that is shown in full is read as itself. */
static void whole_units_survive_a_round_trip(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++)
        for (uint64_t n = 1; n < 1000 && n <= UINT64_MAX >> shift; n = n * 3 + 1) {
            uint64_t unit = UINT64_C(1) << (shift / 10 * 10);
            uint64_t bytes = n * unit, again;
            char text[SIZE_TEXT_MAX];

            if (n > UINT64_MAX / unit)
                break;
            size_format(text, bytes);
            assert_true(size_parse(text, &again));
            assert_int_equal(again, bytes);
        }
}

/* Off by half of the last of three digits, 1 part in 200, and by the part of a byte. */
static void any_size_comes_back_within_half_a_percent(void **state)
{
    struct dice dice = dice_of(1);

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t bytes = dice_u64(&dice) >> dice_below(&dice, 64), again, off;
        char text[SIZE_TEXT_MAX];

        size_format(text, bytes);
        assert_in_range(strlen(text), 3, SIZE_TEXT_MAX - 1);
        if (!size_parse(text, &again)) {
            assert_string_equal(text, "16 EiB"); /* rounded up to 2^64 */
            continue;
        }
        off = again > bytes ? again - bytes : bytes - again;
        if (off > bytes / 200 + 1)
            fail_msg("%" PRIu64 " bytes are shown as %s", bytes, text);
    }
}

static void one_is_singular(void **state)
{
    (void)state;
    assert_string_equal(size_noun(0, "run", "runs"), "runs");
    assert_string_equal(size_noun(1, "run", "runs"), "run");
    assert_string_equal(size_noun(2, "run", "runs"), "runs");
    assert_string_equal(size_noun(UINT64_MAX, "run", "runs"), "runs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_singular),
        cmocka_unit_test(whole_units_show_no_decimals),
        cmocka_unit_test(fractions_show_three_digits),
        cmocka_unit_test(rounding_up_may_reach_the_next_unit),
        cmocka_unit_test(the_largest_sizes_do_not_wrap),
        cmocka_unit_test(a_mean_is_rounded_to_a_byte),
        cmocka_unit_test(counts_have_commas_every_three_digits),
        cmocka_unit_test(sizes_are_read_in_every_spelling),
        cmocka_unit_test(numbers_may_be_hexadecimal),
        cmocka_unit_test(sectors_have_512_bytes),
        cmocka_unit_test(what_is_no_size_is_refused),
        cmocka_unit_test(whole_units_survive_a_round_trip),
        cmocka_unit_test(any_size_comes_back_within_half_a_percent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
