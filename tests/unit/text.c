// SPDX-License-Identifier: MIT
/*
 * Proves that no byte of a hostile name reaches a terminal as more than a sign: what
 * is a control, reorders a line or is no UTF-8 is written out, and all else stays as it is.
 */
#include "text.h"

#include "dice.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

struct text_case {
    const char *bytes;
    size_t len;
    const char *text;
};

/* The length of a literal counts NULs inside. */
#define CASE(bytes, text)                                                                          \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, text                                                             \
    }

static void check(char *(*convert)(const char *, size_t), const struct text_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        /* A copy of just the bytes given, so that a read past them is found. */
        char *bytes = malloc(cases[i].len + (cases[i].len == 0));
        char *text;

        assert_non_null(bytes);
        memcpy(bytes, cases[i].bytes, cases[i].len);
        text = convert(bytes, cases[i].len);
        assert_non_null(text);
        assert_string_equal(text, cases[i].text);
        free(text);
        free(bytes);
    }
}

#define CHECK(convert, cases) check(convert, cases, sizeof(cases) / sizeof(cases[0]))

static void escape_leaves_readable_text_alone(void **state)
{
    static const struct text_case cases[] = {
        CASE("", ""),
        CASE("before-update", "before-update"),
        CASE(" ~%s\"'<>&", " ~%s\"'<>&"),
        CASE("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"),             /* two bytes */
        CASE("\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac"), /* three */
        CASE("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"),                 /* four */
        CASE("\xc2\xa0", "\xc2\xa0"),                 /* U+00A0, after the C1 controls */
        CASE("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"), /* U+10FFFF, the last one */
    };

    (void)state;
    CHECK(text_escape, cases);
}

static void escape_writes_controls_out(void **state)
{
    static const struct text_case cases[] = {
        CASE("a\0b", "a\\x00b"),
        CASE("\n\r\t", "\\x0a\\x0d\\x09"),
        CASE("\x1b[31mred", "\\x1b[31mred"),
        CASE("\x1f \x7f", "\\x1f \\x7f"),
        CASE("\xc2\x80\xc2\x9b\xc2\x9f", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f"), /* C1 */
        CASE("back\\slash", "back\\x5cslash"), /* else a name could look like an escape */
    };

    (void)state;
    CHECK(text_escape, cases);
}

static void escape_writes_out_what_reorders_a_line(void **state)
{
    static const struct text_case cases[] = {
        CASE("\xe2\x80\x8e", "\\xe2\\x80\\x8e"), /* U+200E, left-to-right mark */
        CASE("\xe2\x80\x8f", "\\xe2\\x80\\x8f"),
        CASE("\xe2\x80\xa8", "\\xe2\\x80\\xa8"), /* U+2028, line separator */
        CASE("\xe2\x80\xae", "\\xe2\\x80\\xae"), /* U+202E, right-to-left override */
        CASE("\xe2\x81\xa6", "\\xe2\\x81\\xa6"), /* U+2066, isolate */
        CASE("\xe2\x81\xa9", "\\xe2\\x81\\xa9"),
        CASE("\xe2\x80\x8d\xe2\x80\x90", "\xe2\x80\x8d\xe2\x80\x90"), /* the neighbours stay */
        CASE("\xe2\x80\xa7\xe2\x80\xaf", "\xe2\x80\xa7\xe2\x80\xaf"),
        CASE("\xe2\x81\xa5\xe2\x81\xaa", "\xe2\x81\xa5\xe2\x81\xaa"),
    };

    (void)state;
    CHECK(text_escape, cases);
}

/* Unicode, table 3-7: the borders of what is well formed. */
static const struct text_case malformed[] = {
    CASE("\x80", "\\x80"), /* a continuation alone */
    CASE("\xbf", "\\xbf"),
    CASE("\xc0\x80", "\\xc0\\x80"), /* overlong NUL */
    CASE("\xc1\xbf", "\\xc1\\xbf"),
    CASE("\xc3", "\\xc3"),                   /* cut short */
    CASE("\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"), /* overlong */
    CASE("\xe2\x82", "\\xe2\\x82"),
    CASE("\xe2\x28\xa1", "\\xe2(\\xa1"),     /* the good byte inside stays */
    CASE("\xed\xa0\x80", "\\xed\\xa0\\x80"), /* surrogates */
    CASE("\xed\xbf\xbf", "\\xed\\xbf\\xbf"),
    CASE("\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"), /* overlong */
    CASE("\xf0\x9f\x98", "\\xf0\\x9f\\x98"),
    CASE("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"), /* U+110000 */
    CASE("\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"),
    CASE("\xfe\xff", "\\xfe\\xff"),
    CASE("a\xff"
         "b",
         "a\\xffb"),
};

static void escape_writes_out_what_is_no_utf8(void **state)
{
    (void)state;
    CHECK(text_escape, malformed);
}

/* Of each character from U+0000 on, in UTF-8. */
static size_t encode(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

static void every_character_but_the_surrogates_is_valid(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        bool surrogate = code >= 0xd800 && code < 0xe000;
        char bytes[5] = "";
        size_t n = encode(code, bytes);
        struct text_sign sign = text_first(bytes, n);

        if (sign.valid == surrogate || (!surrogate && (sign.code != code || sign.len != n)))
            fail_msg("U+%04X", (unsigned)code);
    }
}

static void what_is_malformed_is_one_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        struct text_sign sign;
        size_t at = 0;

        do {
            assert_true(at < malformed[i].len);
            sign = text_first(malformed[i].bytes + at, malformed[i].len - at);
            at += sign.len;
        } while (sign.valid);
        assert_int_equal(sign.len, 1);
        assert_false(sign.control);
    }
}

/* Whatever goes in: what comes out has no control byte, and is UTF-8. */
static void noise_becomes_printable_utf8(void **state)
{
    struct dice dice = dice_of(2);

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        char bytes[24], *escaped;
        size_t len = dice_below(&dice, sizeof(bytes) + 1);

        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)dice_u64(&dice);
        escaped = text_escape(bytes, len);
        assert_non_null(escaped);
        for (size_t i = 0; escaped[i] != '\0';) {
            struct text_sign sign = text_first(escaped + i, strlen(escaped + i));

            assert_true(sign.valid && !sign.control);
            i += sign.len;
        }
        free(escaped);
    }
}

static void a_word_of_a_shell_is_bare_or_quoted(void **state)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"a", "a"},
        {"base.qcow2", "base.qcow2"},
        {"/a-b_c/d.e,f:g+h=i@j%k", "/a-b_c/d.e,f:g+h=i@j%k"},
        {"", "''"},
        {"a b", "'a b'"},
        {"it's", "'it'\\''s'"},
        {"'", "''\\'''"},
        {"$(id)`id`\"!*?~#&;|<>", "'$(id)`id`\"!*?~#&;|<>'"},
        {"\xc3\xa9", "'\xc3\xa9'"},
        {"a\tb", "$'a\\x09b'"},
        {"a\\b", "$'a\\x5cb'"},
        {"it's\n", "$'it\\'s\\x0a'"},
        {"\xff", "$'\\xff'"},
        {"\xe2\x80\xae", "$'\\xe2\\x80\\xae'"}, /* turns the line around */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *word = text_shell_word(cases[i].text);

        assert_string_equal(word, cases[i].word);
        free(word);
    }
}

static void a_long_text_is_shortened_between_characters(void **state)
{
    static const struct {
        const char *text;
        size_t max;
        const char *shortened;
    } cases[] = {
        {"", 4, ""},
        {"abcd", 4, "abcd"},
        {"abcdefg", 4, "abcdefg"},
        {"abcdefgh", 4, "ab...gh"},
        {"abcdefghi", 5, "ab...hi"},
        {"a\xc3\xa9zzzzzz\xc3\xa9", 4, "a...\xc3\xa9"},
        {"aa\xc3\xa9zzzz\xc3\xa9z", 4, "aa...z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = malloc(strlen(cases[i].text) + 1);

        strcpy(text, cases[i].text);
        text_shorten(text, cases[i].max);
        assert_string_equal(text, cases[i].shortened);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escape_leaves_readable_text_alone),
        cmocka_unit_test(escape_writes_controls_out),
        cmocka_unit_test(escape_writes_out_what_reorders_a_line),
        cmocka_unit_test(escape_writes_out_what_is_no_utf8),
        cmocka_unit_test(every_character_but_the_surrogates_is_valid),
        cmocka_unit_test(what_is_malformed_is_one_byte),
        cmocka_unit_test(noise_becomes_printable_utf8),
        cmocka_unit_test(a_word_of_a_shell_is_bare_or_quoted),
        cmocka_unit_test(a_long_text_is_shortened_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
