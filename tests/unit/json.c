// SPDX-License-Identifier: MIT
/*
 * Proves the spelling of JSON: where commas and line breaks stand, that a number reads back as the
 * same one, and that of a hostile text every sign is a value and none is a command.
 */
#include "json.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* What has been written since begin(). */
static char *written;
static size_t written_bytes;

static struct json begin(bool one_line)
{
    struct json json = {.stream = open_memstream(&written, &written_bytes), .one_line = one_line};

    assert_non_null(json.stream);
    return json;
}

static void check(struct json *json, const char *expected)
{
    fclose(json->stream);
    assert_string_equal(written, expected);
    free(written);
}

static void members_and_elements_have_a_line_each(void **state)
{
    struct json json = begin(false);

    (void)state;
    json_open_object(&json, NULL);
    json_count(&json, "a", 1);
    json_open_array(&json, "b");
    json_bool(&json, NULL, true);
    json_open_object(&json, NULL);
    json_null(&json, "c");
    json_close_object(&json);
    json_close_array(&json);
    json_bool(&json, "d", false);
    json_close_object(&json);
    check(&json, "{\n"
                 "  \"a\":1,\n"
                 "  \"b\":[\n"
                 "    true,\n"
                 "    {\n"
                 "      \"c\":null\n"
                 "    }\n"
                 "  ],\n"
                 "  \"d\":false\n"
                 "}");
}

static void what_is_empty_is_on_one_line(void **state)
{
    struct json json = begin(false);

    (void)state;
    json_open_object(&json, NULL);
    json_open_array(&json, "a");
    json_close_array(&json);
    json_open_object(&json, "b");
    json_close_object(&json);
    json_close_object(&json);
    check(&json, "{\n  \"a\":[],\n  \"b\":{}\n}");
}

static void one_line_has_no_break(void **state)
{
    struct json json = begin(true);

    (void)state;
    json_open_object(&json, NULL);
    json_count(&json, "a", 1);
    json_open_array(&json, "b");
    json_count(&json, NULL, 2);
    json_count(&json, NULL, 3);
    json_close_array(&json);
    json_close_object(&json);
    check(&json, "{\"a\":1,\"b\":[2,3]}");
}

static void unknown_is_null(void **state)
{
    struct json json = begin(true);

    (void)state;
    json_open_array(&json, NULL);
    json_opt_count(&json, NULL, (struct opt_u64){false, 7});
    json_opt_real(&json, NULL, (struct opt_f64){false, 7});
    json_opt_bool(&json, NULL, (struct opt_bool){false, true});
    json_text(&json, NULL, NULL, 7);
    json_string(&json, NULL, NULL);
    json_opt_count(&json, NULL, opt_u64_of(0));
    json_opt_real(&json, NULL, opt_f64_of(0));
    json_opt_bool(&json, NULL, opt_bool_of(false));
    json_text(&json, NULL, "", 0);
    json_close_array(&json);
    check(&json, "[null,null,null,null,null,0,0.0,false,\"\"]");
}

static void numbers_are_written_in_full(void **state)
{
    struct json json = begin(true);

    (void)state;
    json_open_array(&json, NULL);
    json_count(&json, NULL, UINT64_MAX);
    json_integer(&json, NULL, INT64_MIN);
    json_real(&json, NULL, 3);
    json_real(&json, NULL, 0.1);
    json_real(&json, NULL, 1e100);
    json_real(&json, NULL, 0x1.0000000000001p0);
    json_close_array(&json);
    check(&json, "[18446744073709551615,-9223372036854775808,3.0,0.1,1e+100,1.0000000000000002]");
}

static void text_is_escaped_where_it_is_no_plain_sign(void **state)
{
    static const struct {
        const char *bytes, *spelled;
    } cases[] = {
        {"a/b c", "a/b c"},
        {"\"\\", "\\\"\\\\"},
        {"\b\f\n\r\t", "\\b\\f\\n\\r\\t"},
        {"\x01\x0b\x1b\x1f\x7f", "\\u0001\\u000b\\u001b\\u001f\\u007f"},
        {"\xc2\x80\xc2\x9b\xc2\x9f", "\\u0080\\u009b\\u009f"},         /* C1 */
        {"\xd8\x9c\xe2\x80\x8e\xe2\x80\xae", "\\u061c\\u200e\\u202e"}, /* marks, an override */
        {"\xe2\x81\xa6\xe2\x81\xa9", "\\u2066\\u2069"},                /* isolates */
        {"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"},                /* separators */
        {"\xc2\xa0\xe6\x97\xa5\xf0\x9f\x98\x80", "\xc2\xa0\xe6\x97\xa5\xf0\x9f\x98\x80"},
        {"a\xff\xc3(", "a\xef\xbf\xbd\xef\xbf\xbd("},             /* no UTF-8 */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json json = begin(true);
        char expected[80];

        snprintf(expected, sizeof(expected), "\"%s\"", cases[i].spelled);
        json_string(&json, NULL, cases[i].bytes);
        check(&json, expected);
    }
}

static void a_nul_is_no_end(void **state)
{
    struct json json = begin(true);

    (void)state;
    json_text(&json, NULL, "a\0b", 3);
    check(&json, "\"a\xef\xbf\xbd"
                 "b\"");
}

/* \u with four digits says all that is ever escaped. */
static void every_control_has_four_digits(void **state)
{
    (void)state;
    for (uint32_t code = 0x10000; code <= 0x10ffff; code++) {
        const char bytes[] = {(char)(0xf0 | code >> 18), (char)(0x80 | (code >> 12 & 0x3f)),
                              (char)(0x80 | (code >> 6 & 0x3f)), (char)(0x80 | (code & 0x3f))};

        assert_false(text_first(bytes, 4).control);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_and_elements_have_a_line_each),
        cmocka_unit_test(what_is_empty_is_on_one_line),
        cmocka_unit_test(one_line_has_no_break),
        cmocka_unit_test(unknown_is_null),
        cmocka_unit_test(numbers_are_written_in_full),
        cmocka_unit_test(text_is_escaped_where_it_is_no_plain_sign),
        cmocka_unit_test(a_nul_is_no_end),
        cmocka_unit_test(every_control_has_four_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
