// SPDX-License-Identifier: MIT
/* Proves what a name inside an image stands for, and where a relative one begins. */
#include "filename.h"

#include "header.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct format_name name_of(char *text)
{
    return (struct format_name){text, strlen(text)};
}

static void a_colon_before_the_first_slash_is_a_protocol(void **state)
{
    static struct {
        char name[24];
        enum format_filename_kind kind;
    } cases[] = {
        {"", FORMAT_FILENAME_NONE},
        {"base.qcow2", FORMAT_FILENAME_PATH},
        {"/a/b", FORMAT_FILENAME_PATH},
        {"./a:b", FORMAT_FILENAME_PATH},
        {"/a:b", FORMAT_FILENAME_PATH},
        {"a/b:c", FORMAT_FILENAME_PATH},
        {"file:", FORMAT_FILENAME_PATH},
        {"file:base", FORMAT_FILENAME_PATH},
        {"file:nbd:x", FORMAT_FILENAME_PATH},
        {"file", FORMAT_FILENAME_PATH},
        {"json:{}", FORMAT_FILENAME_JSON},
        {"json:", FORMAT_FILENAME_JSON},
        {"json", FORMAT_FILENAME_PATH},
        {"JSON:{}", FORMAT_FILENAME_PROTOCOL},
        {"FILE:base", FORMAT_FILENAME_PROTOCOL},
        {"files:base", FORMAT_FILENAME_PROTOCOL},
        {"nbd://host/x", FORMAT_FILENAME_PROTOCOL},
        {"fat:rw:/etc", FORMAT_FILENAME_PROTOCOL},
        {":x", FORMAT_FILENAME_PROTOCOL},
        {"host:port/x", FORMAT_FILENAME_PROTOCOL},
    };
    const struct format_name none = {NULL, 0};

    (void)state;
    assert_int_equal(format_filename_kind(&none), FORMAT_FILENAME_NONE);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct format_name name = name_of(cases[i].name);

        if (format_filename_kind(&name) != cases[i].kind)
            fail_msg("%s", cases[i].name);
    }
}

static void a_relative_name_begins_in_the_folder_of_the_image(void **state)
{
    static struct {
        char name[24];
        const char *image, *path;
    } cases[] = {
        {"base", "top", "base"},
        {"base", "./top", "./base"},
        {"base", "/a/top", "/a/base"},
        {"../b/base", "/a/c/top", "/a/c/../b/base"},
        {"base", "/top", "/base"},
        {"base", "a//top", "a//base"},
        {"/b/base", "/a/top", "/b/base"},
        {"./b:base", "a/top", "a/./b:base"},
        {"file:base", "/a/top", "base"},
        {"file:/b/base", "/a/top", "/b/base"},
        {"file:file:base", "/a/top", "file:base"},
        {"file:///b", "/a/top", "///b"},
        {"file:", "/a/top", ""},
        {"%s%n", "/a/%d/top", "/a/%d/%s%n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct format_name name = name_of(cases[i].name);
        char *path = format_filename_backing(&name, cases[i].image);

        assert_string_equal(path, cases[i].path);
        free(path);
    }
}

static void a_data_file_has_its_name_as_it_is(void **state)
{
    static char names[][8] = {"d", "a/d", "/a/d", "file:d", "json:{}", "nbd:x"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct format_name name = name_of(names[i]);
        char *path = format_filename_data(&name);

        assert_string_equal(path, names[i]);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_colon_before_the_first_slash_is_a_protocol),
        cmocka_unit_test(a_relative_name_begins_in_the_folder_of_the_image),
        cmocka_unit_test(a_data_file_has_its_name_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
