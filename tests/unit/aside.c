// SPDX-License-Identifier: MIT
/*
 * How a file comes to its name, with others who change names in the same moments: what they do
 * comes between two calls of the kernel, which are defined here.
 */
#undef _FORTIFY_SOURCE
#include "aside.h"
#include "scratch.h"

#include <errno.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static struct {
    bool no_exchange, no_link; /* the file system cannot do that */
    void (*before_exchange)(void), (*before_rename)(void), (*before_link)(void);
} kernel;

static void come_between(void (**what)(void))
{
    void (*once)(void) = *what;

    *what = NULL;
    if (once != NULL)
        once();
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    if (kernel.no_link && *to != '.') { /* but for the hidden one */
        errno = EPERM;
        return -1;
    }
    come_between(&kernel.before_link);
    return (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    come_between(&kernel.before_rename);
    return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    if ((flags & RENAME_EXCHANGE) && kernel.no_exchange) {
        errno = EINVAL;
        return -1;
    }
    if (flags & RENAME_EXCHANGE)
        come_between(&kernel.before_exchange);
    return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}

/* ---- the new file, the old one, and the one of somebody else ---- */

static struct {
    int folder, fd, old;
} files;

static int begin(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    if (scratch_enter(state) < 0)
        return -1;
    scratch_write("name", "old");
    scratch_write("other", "other");
    files.folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    files.old = open("name", O_RDONLY | O_CLOEXEC);
    files.fd = io_aside_open(files.folder, IO_ASIDE_IMAGE, O_RDWR, 0600);
    return files.fd >= 0 && write(files.fd, "new", 3) == 3 ? 0 : -1;
}

static int end(void **state)
{
    close(files.folder);
    close(files.fd);
    close(files.old);
    return scratch_leave(state);
}

static int replace(const char *kept)
{
    return io_aside_replace(files.folder, "name", kept, files.fd, files.old);
}

static void is_refused(const char *kept, int code)
{
    assert_int_equal(replace(kept), -1);
    assert_int_equal(errno, code);
}

static void other_takes_the_name(void)
{
    assert_int_equal(rename("other", "name"), 0);
}

/* ---- the name of another file ---- */

static void the_old_one_is_replaced(void **state)
{
    (void)state;
    assert_int_equal(replace(NULL), 0);
    scratch_holds("name", "new");
    assert_int_equal(scratch_count(), 2);
}

static void and_kept_if_that_is_wanted(void **state)
{
    (void)state;
    assert_int_equal(replace("kept"), 0);
    scratch_holds("name", "new");
    scratch_holds("kept", "old");
    assert_int_equal(scratch_count(), 3);
}

static void no_other_one_is_replaced(void **state)
{
    (void)state;
    other_takes_the_name();
    is_refused(NULL, ESTALE);
    scratch_holds("name", "other");
    assert_int_equal(scratch_count(), 1);
}

static void nor_one_that_comes_in_the_last_moment(void **state)
{
    (void)state;
    kernel.before_exchange = other_takes_the_name;
    is_refused(NULL, ESTALE);
    scratch_holds("name", "other");
    assert_int_equal(scratch_count(), 1);
}

static void nor_while_the_old_one_is_kept(void **state)
{
    (void)state;
    kernel.before_exchange = other_takes_the_name;
    is_refused("kept", ESTALE);
    scratch_holds("name", "other");
    scratch_holds("kept", "old"); /* or it would have no name any more */
    assert_int_equal(scratch_count(), 2);
}

static void what_is_kept_is_the_old_one_whatever_has_its_name(void **state)
{
    (void)state;
    kernel.before_link = other_takes_the_name;
    is_refused("kept", ESTALE);
    scratch_holds("name", "other");
    assert_int_equal(scratch_count(), 1); /* the old one had no name any more, and gets none */
}

static void a_name_that_is_gone_is_not_made(void **state)
{
    (void)state;
    assert_int_equal(unlink("name"), 0);
    is_refused(NULL, ESTALE);
    assert_int_equal(scratch_count(), 1);
}

static void other_takes_the_hidden_name(void)
{
    assert_int_equal(rename("other", io_aside_show(files.folder, files.fd)), 0);
}

/* In the place of a program that moves things about. */
static char hidden_name[64];

static void other_is_moved_to_the_hidden_name(void)
{
    assert_int_equal(rename("other", hidden_name), 0);
}

static void only_the_new_one_replaces_it(void **state)
{
    (void)state;
    other_takes_the_hidden_name();
    is_refused(NULL, ESTALE);
    scratch_holds("name", "old");
    assert_int_equal(scratch_count(), 2);
}

static void nothing_else_in_the_last_moment_either(void **state)
{
    (void)state;
    strcpy(hidden_name, io_aside_show(files.folder, files.fd));
    kernel.before_exchange = other_is_moved_to_the_hidden_name;
    is_refused(NULL, ESTALE);
    scratch_holds("name", "old");
    scratch_holds(hidden_name, "other"); /* it is not ours to remove */
}

/* ---- where two names cannot change places ---- */

static void without_exchange_it_is_renamed(void **state)
{
    (void)state;
    kernel.no_exchange = true;
    assert_int_equal(replace(NULL), 0);
    scratch_holds("name", "new");
    assert_int_equal(scratch_count(), 2);
}

static void without_exchange_no_other_one_is_replaced_that_is_seen(void **state)
{
    (void)state;
    kernel.no_exchange = true;
    other_takes_the_name();
    is_refused(NULL, ESTALE);
    scratch_holds("name", "other");
    assert_int_equal(scratch_count(), 1);
}

static void without_exchange_what_was_renamed_is_looked_at(void **state)
{
    (void)state;
    kernel.no_exchange = true;
    strcpy(hidden_name, io_aside_show(files.folder, files.fd));
    kernel.before_rename = other_is_moved_to_the_hidden_name;
    is_refused("kept", ESTALE);
    scratch_holds("kept", "old");
}

static void without_links_they_change_places(void **state)
{
    (void)state;
    kernel.no_link = true;
    assert_int_equal(replace("kept"), 0);
    scratch_holds("name", "new");
    scratch_holds("kept", "old");
    assert_int_equal(scratch_count(), 3);
}

static void without_links_one_that_comes_in_the_last_moment_stays(void **state)
{
    (void)state;
    kernel.no_link = true;
    kernel.before_exchange = other_takes_the_name;
    is_refused("kept", ESTALE);
    scratch_holds("name", "other");
    assert_int_equal(scratch_count(), 1);
}

static void a_third_file_is_not_replaced_by_the_kept_one(void **state)
{
    (void)state;
    is_refused("other", EEXIST);
    kernel.no_link = true;
    is_refused("other", EEXIST);
    scratch_holds("name", "old");
    scratch_holds("other", "other");
    assert_int_equal(scratch_count(), 2);
}

/* ---- a signal ---- */

static void wait_a_moment(void)
{
    const struct timespec moment = {0, 100L * 1000 * 1000};

    nanosleep(&moment, NULL);
}

static pthread_t handler;

static void *end_it(void *context)
{
    (void)context;
    io_aside_end();
    return NULL;
}

static void a_signal_comes(void)
{
    if (pthread_create(&handler, NULL, end_it, NULL) != 0)
        _exit(1);
    wait_a_moment();
}

static void *show(void *context)
{
    (void)context;
    io_aside_show(files.folder, files.fd);
    return NULL;
}

/* In a process that is about to end. */
static void child(void (*work)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        work();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void link_while_a_signal_comes(void)
{
    kernel.before_link = a_signal_comes;
    io_aside_show(files.folder, files.fd);
    pthread_join(handler, NULL);
    _exit(scratch_count() == 2 ? 0 : 2);
}

static void replace_while_a_signal_comes(void)
{
    char text[4] = "";
    int fd;

    kernel.before_exchange = a_signal_comes;
    if (replace(NULL) != 0)
        _exit(1);
    pthread_join(handler, NULL);
    fd = open("name", O_RDONLY);
    _exit(read(fd, text, 3) == 3 && strcmp(text, "new") == 0 && scratch_count() == 2 ? 0 : 2);
}

static void begin_after_the_signal(void)
{
    pthread_t thread;

    io_aside_end();
    if (pthread_create(&thread, NULL, show, NULL) != 0)
        _exit(1);
    wait_a_moment();
    _exit(scratch_count() == 2 ? 0 : 2);
}

static void a_name_that_comes_into_being_is_removed_when_a_signal_ends_the_program(void **state)
{
    (void)state;
    child(link_while_a_signal_comes);
}

static void a_replacement_is_not_cut_in_two_by_a_signal(void **state)
{
    (void)state;
    child(replace_while_a_signal_comes);
}

static void after_the_signal_no_name_comes_into_being(void **state)
{
    (void)state;
    child(begin_after_the_signal);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_old_one_is_replaced),
        TEST(and_kept_if_that_is_wanted),
        TEST(no_other_one_is_replaced),
        TEST(nor_one_that_comes_in_the_last_moment),
        TEST(nor_while_the_old_one_is_kept),
        TEST(what_is_kept_is_the_old_one_whatever_has_its_name),
        TEST(a_name_that_is_gone_is_not_made),
        TEST(only_the_new_one_replaces_it),
        TEST(nothing_else_in_the_last_moment_either),
        TEST(without_exchange_it_is_renamed),
        TEST(without_exchange_no_other_one_is_replaced_that_is_seen),
        TEST(without_exchange_what_was_renamed_is_looked_at),
        TEST(without_links_they_change_places),
        TEST(without_links_one_that_comes_in_the_last_moment_stays),
        TEST(a_third_file_is_not_replaced_by_the_kept_one),
        TEST(a_name_that_comes_into_being_is_removed_when_a_signal_ends_the_program),
        TEST(a_replacement_is_not_cut_in_two_by_a_signal),
        TEST(after_the_signal_no_name_comes_into_being),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
