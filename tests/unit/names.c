// SPDX-License-Identifier: MIT
/* Lists of names: how they end, and what is none. */
#include "names.h"

#include "err.h"
#include "scratch.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void write_list(const char *bytes, size_t len)
{
    int fd = open("list", O_CREAT | O_WRONLY | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

#define LIST(text) write_list(text, sizeof(text) - 1)

static void has(const char *const *expected)
{
    struct err err = {0};
    struct io_names names;
    const char *name;

    assert_int_equal(io_names_read("list", &names, &err), 0);
    while ((name = io_names_next(&names)) != NULL) {
        assert_non_null(*expected);
        assert_string_equal(name, *expected++);
    }
    assert_null(*expected);
    assert_null(io_names_next(&names));
    io_names_free(&names);
}

static void lines(void **state)
{
    (void)state;
    LIST("a\n\n b \nlast");
    has((const char *const[]){"a", " b ", "last", NULL});
    LIST("a\r\n");
    has((const char *const[]){"a\r", NULL});
    LIST("");
    has((const char *const[]){NULL});
    LIST("\n\n\n");
    has((const char *const[]){NULL});
}

static void names_with_a_nul_behind_them(void **state)
{
    (void)state;
    LIST("a\nb\0\0c\0");
    has((const char *const[]){"a\nb", "c", NULL});
    LIST("a\0b\n");
    has((const char *const[]){"a", "b\n", NULL});
}

static void a_name_over_the_border_of_a_read(void **state)
{
    static char text[3 * 65536 + 2];
    char *name = text + 65535;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[0] = text[65534] = text[sizeof(text) - 1] = '\n';
    write_list(text, sizeof(text));
    text[65534] = text[sizeof(text) - 1] = '\0';
    has((const char *const[]){text + 1, name, NULL});
}

static void refuses(const char *path, const char *text)
{
    struct err err = {0};
    struct io_names names;

    assert_true(io_names_read(path, &names, &err) < 0);
    assert_string_equal(err.text, text);
    assert_null(io_names_next(&names));
}

static void what_is_no_list(void **state)
{
    (void)state;
    LIST("QFI\xfb\0\0\0\3");
    refuses("list", "is a qcow2 image, and no list of names");
    refuses("missing", "cannot open the list: No such file or directory");
    refuses(".", "cannot read the list: Is a directory");
    refuses("/dev/zero", "is longer than 64 MiB: no list of names");
    refuses("/proc/version", "is no list of names, but a file of the kernel's");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(lines),
        SCRATCH_TEST(names_with_a_nul_behind_them),
        SCRATCH_TEST(a_name_over_the_border_of_a_read),
        SCRATCH_TEST(what_is_no_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
