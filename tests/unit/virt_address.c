// SPDX-License-Identifier: MIT
/* Which libvirt is asked, and what an export of NBD is called. */
#include "address.h"
#include "err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void daemons_of_this_host_are_asked(void **state)
{
    static const char *const uris[] = {"qemu:///system",
                                       "qemu:///session",
                                       "qemu+unix:///system?socket=/a+b://c/x",
                                       "test:///default",
                                       "test:///a/embed/x.xml",
                                       "xen:/",
                                       "lxc:///",
                                       "vbox:///session",
                                       "alias",
                                       ""};

    (void)state;
    for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
        struct err err = {0};

        assert_int_equal(virt_address_check(uris[i], &err), 0);
    }
}

static void those_of_others_are_not(void **state)
{
    static const char *const uris[] = {
        "qemu+ssh://host/system", "qemu+ssh:///system", "qemu+tcp://host/system",
        "qemu+tls:///system",     "qemu+libssh2://h/",  "qemu+ext:///system?command=x",
        "qemu+unixx:///system",   "qemu://host/system", "qemu+unix://host/system",
        "esx://host?x=/",         "qemu://me@host:1/x", "qemu+://host/system"};

    (void)state;
    for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
        struct err err = {0};

        assert_int_equal(virt_address_check(uris[i], &err), -ENOTSUP);
        assert_non_null(strstr(err.text, "of another host are no files of this one"));
    }
}

static void nothing_is_started(void **state)
{
    static const char *const uris[] = {"qemu:///embed?root=/x", "qemu:///embed", "secret:///embed"};

    (void)state;
    for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
        struct err err = {0};

        assert_int_equal(virt_address_check(uris[i], &err), -ENOTSUP);
        assert_non_null(strstr(err.text, "it would be started here"));
    }
}

static void is_export(const char *expected, const char *name, const char *host, const char *port,
                      const char *socket, const char *tls)
{
    char *uri = virt_address_of_export(name, host, port, socket, tls);

    if (expected == NULL)
        assert_null(uri);
    else
        assert_string_equal(uri, expected);
    free(uri);
}

static void an_export_has_a_uri(void **state)
{
    (void)state;
    is_export("nbd://host:10810/disk", "disk", "host", "10810", NULL, NULL);
    is_export("nbd://host/", NULL, "host", NULL, NULL, "no");
    is_export("nbds://host/a/b", "a/b", "host", NULL, NULL, "yes");
    is_export("nbd://[::1]:1/", "", "::1", "1", NULL, NULL);
    is_export("nbd+unix:///a%20%3F%26%25%23%C3%A9?socket=/s%26t", "a ?&%#\xc3\xa9", NULL, NULL,
              "/s&t", NULL);
    is_export("nbds+unix:///?socket=/s", "", NULL, NULL, "/s", "yes");
}

static void not_all_hosts_can_be_in_one(void **state)
{
    (void)state;
    is_export(NULL, "disk", NULL, "1", NULL, NULL);
    is_export(NULL, "disk", "", NULL, NULL, NULL);
    is_export(NULL, "disk", "me:secret@host", NULL, NULL, NULL);
    is_export(NULL, "disk", "host/x", NULL, NULL, NULL);
    is_export(NULL, "disk", "host", "1/x", NULL, NULL);
    is_export(NULL, "disk", "host", "", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(daemons_of_this_host_are_asked),
        cmocka_unit_test(those_of_others_are_not),
        cmocka_unit_test(nothing_is_started),
        cmocka_unit_test(an_export_has_a_uri),
        cmocka_unit_test(not_all_hosts_can_be_in_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
