// SPDX-License-Identifier: MIT
/* The names of kept originals, in an attribute of the image. */
#include "kept.h"

#include "scratch.h"

#include <sys/xattr.h>

static int image, folder;

static int begin(void **state)
{
    if (scratch_enter(state) < 0)
        return -1;
    scratch_write("image", "");
    image = open("image", O_RDWR | O_CLOEXEC);
    folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return image < 0 || folder < 0 ? -1 : 0;
}

static int end(void **state)
{
    close(image);
    close(folder);
    return scratch_leave(state);
}

static void need_attributes(void)
{
    if (fsetxattr(image, "user.test", "x", 1, 0) < 0)
        skip();
}

static void mark(const char *name)
{
    scratch_write(name, "");
    store_kept_mark(image, folder, name);
}

static void has(const char *expected)
{
    char names[STORE_KEPT_MAX];

    store_kept_read(image, names);
    assert_string_equal(names, expected);
}

static void none(void **state)
{
    (void)state;
    has("");
    close(image);
    has("");
    image = open("image", O_RDWR | O_CLOEXEC);
}

static void one_after_another(void **state)
{
    (void)state;
    need_attributes();
    mark("image.orig");
    has("image.orig");
    mark("image old");
    has("image.orig/image old");
    mark("image.orig"); /* the newest is last, and there once */
    has("image old/image.orig");
}

static void what_is_gone_is_forgotten(void **state)
{
    (void)state;
    need_attributes();
    mark("a");
    mark("b");
    assert_int_equal(unlink("a"), 0);
    mark("c");
    has("b/c");
}

static void what_somebody_else_wrote_there_does_no_harm(void **state)
{
    char text[STORE_KEPT_MAX];

    (void)state;
    need_attributes();
    assert_int_equal(fsetxattr(image, "user.qcow2frag.original", "//\0/..", 6, 0), 0);
    has("//");
    mark("a");
    has("a");
    memset(text, 'x', sizeof(text));
    if (fsetxattr(image, "user.qcow2frag.original", text, sizeof(text), 0) < 0)
        return; /* too much for this file system */
    has("");
    mark("a");
    has("a");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(none),
        TEST(one_after_another),
        TEST(what_is_gone_is_forgotten),
        TEST(what_somebody_else_wrote_there_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
