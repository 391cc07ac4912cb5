/* SPDX-License-Identifier: MIT */
/*
 * A folder of its own for each test, below the present one; gone when the test is over. Standard
 * input is closed, so that the first file that is opened has the number 0; and what is opened is
 * closed again.
 */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch_name[] = "scratch.XXXXXX";

static unsigned scratch_n_open;

static inline unsigned scratch_count_open(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static inline int scratch_enter(void **state)
{
    (void)state;
    close(0);
    scratch_n_open = scratch_count_open();
    strcpy(scratch_name, "scratch.XXXXXX");
    return mkdtemp(scratch_name) == NULL || chdir(scratch_name) < 0 ? -1 : 0;
}

static inline int scratch_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline int scratch_leave(void **state)
{
    (void)state;
    if (chdir("..") < 0)
        return -1;
    if (scratch_count_open() != scratch_n_open) {
        print_error("%u files are open, not %u\n", scratch_count_open(), scratch_n_open);
        return -1;
    }
    return nftw(scratch_name, scratch_remove, 8, FTW_DEPTH | FTW_PHYS);
}

#define SCRATCH_TEST(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, scratch_enter, scratch_leave)

static inline void scratch_put(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static inline void scratch_write(const char *path, const char *text)
{
    scratch_put(path, text, strlen(text));
}

/* What a file holds is just this. */
static inline void scratch_holds(const char *path, const char *text)
{
    char bytes[256] = "";
    int fd = open(path, O_RDONLY);

    assert_true(fd >= 0);
    assert_true(read(fd, bytes, sizeof(bytes) - 1) >= 0);
    close(fd);
    assert_string_equal(bytes, text);
}

/* How many names there are in the folder, besides "." and "..". */
static inline unsigned scratch_count(void)
{
    DIR *folder = opendir(".");
    unsigned n = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n - 2;
}

/* Root may read and write everything: as somebody else, below the present folder. */
static inline void scratch_be_nobody(void)
{
    assert_int_equal(chmod(".", 0777), 0);
    if (geteuid() == 0)
        assert_int_equal(seteuid(65534), 0);
}

static inline void scratch_be_oneself(void)
{
    assert_int_equal(seteuid(getuid()), 0);
}

#endif
