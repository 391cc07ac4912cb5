// SPDX-License-Identifier: MIT
/* Which hidden names are removed: those of images that nobody is at work on. */
#include "leftover.h"

#include "err.h"
#include "lock.h"
#include "scratch.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define GONE ".qcow2frag-image.999999999.0" /* no process has such a number */

static void remove_left(void)
{
    int folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    store_leftover_remove(folder);
    close(folder);
}

static bool exists(const char *name)
{
    struct stat st;

    return lstat(name, &st) == 0;
}

static void one_of_a_process_that_is_gone(void **state)
{
    (void)state;
    scratch_write(GONE, "image");
    scratch_write("image", "image");
    remove_left();
    assert_false(exists(GONE));
    assert_true(exists("image"));
}

static void no_other_name(void **state)
{
    static const char *const names[] = {
        ".qcow2frag-image.",      ".qcow2frag-image.1",          ".qcow2frag-image.999999999.0x",
        ".qcow2frag.999999999.0", ".qcow2frag-image.-7.0",       ".qcow2frag-image.x.0",
        "qcow2frag-image.1.0",    ".qcow2frag-image.999999999.",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        scratch_write(names[i], "image");
    remove_left();
    assert_int_equal(scratch_count(), sizeof(names) / sizeof(names[0]));
}

static void nothing_but_a_file(void **state)
{
    (void)state;
    assert_int_equal(mkdir(GONE, 0700), 0);
    assert_int_equal(symlink("image", ".qcow2frag-image.999999999.1"), 0);
    assert_int_equal(mkfifo(".qcow2frag-image.999999999.2", 0600), 0);
    remove_left();
    assert_int_equal(scratch_count(), 3);
}

static void none_that_is_locked(void **state)
{
    struct err err = {0};
    int fd;

    (void)state;
    scratch_write(GONE, "image");
    fd = open(GONE, O_RDWR | O_CLOEXEC);
    assert_int_equal(store_lock_take(fd, STORE_LOCK_READER, &err), 0);
    remove_left();
    assert_true(exists(GONE));
    close(fd);
    remove_left();
    assert_false(exists(GONE));
}

static void none_of_somebody_else(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    scratch_write(GONE, "image");
    assert_int_equal(chmod(GONE, 0644), 0);
    scratch_be_nobody(); /* who may write to the folder, */
    remove_left();       /* but not to that */
    scratch_be_oneself();
    assert_true(exists(GONE));
}

/* In the moment in which it was made, but is not locked yet. */
static void none_of_a_process_that_runs(void **state)
{
    char name[64];
    int ready[2], begun;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NAME, "qcow2frag");
        _exit(write(ready[1], "x", 1) == 1 ? pause() : 1);
    }
    begun = read(ready[0], name, 1) == 1;
    snprintf(name, sizeof(name), ".qcow2frag-image.%ld.0", (long)pid);
    scratch_write(name, "image");
    remove_left();
    begun = begun && exists(name);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    assert_true(begun);
    remove_left();
    assert_false(exists(name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(one_of_a_process_that_is_gone),
        SCRATCH_TEST(no_other_name),
        SCRATCH_TEST(nothing_but_a_file),
        SCRATCH_TEST(none_that_is_locked),
        SCRATCH_TEST(none_of_somebody_else),
        SCRATCH_TEST(none_of_a_process_that_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
