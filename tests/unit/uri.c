// SPDX-License-Identifier: MIT
/* What is a URI, which of them are opened, and what a local file of it is called. */
#include "uri.h"
#include "err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void four_schemes_are_opened(void **state)
{
    static const char *const uris[] = {"nbd://host",
                                       "nbd://host:10809/disk",
                                       "nbd:///",
                                       "nbds://user@host/a/b",
                                       "nbd+unix:///?socket=/s",
                                       "nbds+unix://me@/x?socket=s&tls-psk-file=k"};
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
        assert_true(io_uri_is(uris[i]));
        assert_int_equal(io_uri_check(uris[i], &err), 0);
    }
}

static void their_like_is_refused_and_is_no_file(void **state)
{
    static const char *const uris[] = {"nbd+vsock://2", "nbds+vsock://2/x", "nbd+ssh://host/x",
                                       "nbd+exec://sh", "nbd+://x",         "nbd+unix+x://"};

    (void)state;
    for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
        struct err err = {0};

        assert_true(io_uri_is(uris[i]));
        assert_int_equal(io_uri_check(uris[i], &err), -ENOTSUP);
        assert_non_null(strstr(err.text, "nbds+unix: are read, and no others"));
    }
}

static void all_else_is_the_name_of_a_file(void **state)
{
    static const char *const names[] = {"",
                                        "nbd",
                                        "nbd:x",
                                        "nbd:/x",
                                        "./nbd://host",
                                        "/nbd://host",
                                        "x",
                                        "http://host",
                                        "nbdx://host",
                                        "nbdsx://host",
                                        "NBD://host",
                                        "nbd.x://host",
                                        "nbd+a b://",
                                        "json:nbd://x",
                                        "nbd:unix:/x",
                                        "nbd+unix:/x",
                                        "anbd://host",
                                        "nbd\n://host"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        assert_false(io_uri_is(names[i]));
}

static void a_password_is_found_and_not_told(void **state)
{
    static const char *const with[] = {"nbds://me:secret@host/", "nbd://:secret@host",
                                       "nbds+unix://me:secret@/?socket=x", "nbd://a@b:secret@c"};
    static const char *const without[] = {"nbds://me@host:10809/a:b@c", "nbd://host:1?x=a:b@c",
                                          "nbd://[::1]:10809/x", "nbd:///a:b@c"};
    char masked[64];

    (void)state;
    for (size_t i = 0; i < sizeof(with) / sizeof(*with); i++) {
        struct err err = {0};

        assert_true(io_uri_has_password(with[i]));
        assert_int_equal(io_uri_check(with[i], &err), -EINVAL);
        assert_null(strstr(err.text, "secret"));
        assert_null(strstr(err.text, "me:"));
        strcpy(masked, with[i]);
        io_uri_mask(masked);
        assert_null(strstr(masked, "secret"));
        assert_true(io_uri_is(masked) && io_uri_has_password(masked));
    }
    for (size_t i = 0; i < sizeof(without) / sizeof(*without); i++) {
        assert_false(io_uri_has_password(without[i]));
        strcpy(masked, without[i]);
        io_uri_mask(masked);
        assert_string_equal(masked, without[i]);
    }
}

static void plain_is_what_every_client_understands(void **state)
{
    (void)state;
    assert_true(io_uri_is_plain("nbd://host:1/disk"));
    assert_true(io_uri_is_plain("nbd+unix:///disk?socket=/a/b"));
    assert_false(io_uri_is_plain("nbd://me@host/disk"));
    assert_false(io_uri_is_plain("nbd://host/disk?x=y"));
    assert_false(io_uri_is_plain("nbds://host/disk"));
    assert_false(io_uri_is_plain("nbd+unix:///disk?socket=/a&tls-psk-file=b"));
    assert_false(io_uri_is_plain("nbd+unix://me@/disk?socket=/a"));
    assert_false(io_uri_is_plain("nbds+unix:///disk?socket=/a"));
}

static void a_name_of_a_file_is_made_of_the_export(void **state)
{
    static const char *const pairs[][2] = {
        {"nbd://host/disk.qcow2", "disk.qcow2"},
        {"nbd://host/a/b/c", "c"},
        {"nbd://host", "image"},
        {"nbd://host/", "image"},
        {"nbd://host/..", "image"},
        {"nbd://host/-rf", "rf"},
        {"nbd://host/.x", "x"},
        {"nbd://host/a%2fb;c$d", "a2fbcd"},
        {"nbd://host/a?b=/c", "a"},
        {"nbd+unix:///?socket=/tmp/s", "image"},
        {"nbd+unix:///x-1.y?socket=/tmp/s", "x-1.y"},
    };
    char uri[400] = "nbd://host/", *name;

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        name = io_uri_plain_name(pairs[i][0], "image");
        assert_string_equal(name, pairs[i][1]);
        free(name);
    }
    memset(uri + 11, 'x', 300);
    name = io_uri_plain_name(uri, "image");
    assert_int_equal(strlen(name), 64);
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_schemes_are_opened),
        cmocka_unit_test(their_like_is_refused_and_is_no_file),
        cmocka_unit_test(all_else_is_the_name_of_a_file),
        cmocka_unit_test(a_password_is_found_and_not_told),
        cmocka_unit_test(plain_is_what_every_client_understands),
        cmocka_unit_test(a_name_of_a_file_is_made_of_the_export),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
