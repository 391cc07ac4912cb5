// SPDX-License-Identifier: MIT
/* Who has a file open, by /proc: programs of any name, made of a shell. */
#include "holder.h"

#include "scratch.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

#define HOLDERS_MAX 2

static struct {
    pid_t pid;
    int input; /* it stays until this is closed */
} holders[HOLDERS_MAX];
static unsigned n_holders;
static int mine;

static int begin(void **state)
{
    if (scratch_enter(state) < 0)
        return -1;
    n_holders = 0;
    scratch_write("file", "text");
    mine = open("file", O_RDONLY | O_CLOEXEC);
    return mine < 0 ? -1 : 0;
}

static int end(void **state)
{
    for (unsigned i = 0; i < n_holders; i++) {
        close(holders[i].input);
        waitpid(holders[i].pid, NULL, 0);
    }
    close(mine);
    return scratch_leave(state);
}

static void become(const char *program, const char *name, int flags, bool locks, const int *input,
                   const int *output)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1};
    int fd = open("file", flags);

    if (fd < 0 || (locks && fcntl(fd, F_OFD_SETLK, &lock) < 0))
        _exit(1);
    fd = fcntl(fd, F_DUPFD, 10);
    for (int other = 3; other < 10; other++) /* but for those of the shell and its pipes */
        if (other != input[0] && other != output[1])
            close(other);
    dup2(input[0], 0);
    dup2(output[1], 1);
    close(input[0]);
    close(input[1]);
    close(output[0]);
    execl("/bin/sh", program, "-c", "echo; read x", "x", "-name", name, (char *)NULL);
    _exit(1);
}

/* @program: what it was started as; @name: as of a guest. */
static pid_t start(const char *program, const char *name, int flags, bool locks)
{
    int input[2], output[2];
    char answer;
    pid_t pid;

    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0)
        become(program, name, flags, locks, input, output);
    close(input[0]);
    close(output[1]);
    assert_int_equal(read(output[0], &answer, 1), 1);
    close(output[0]);
    holders[n_holders].input = input[1];
    holders[n_holders++].pid = pid;
    return pid;
}

static void is_described(const struct store_holder *holder, pid_t pid, const char *format)
{
    char text[STORE_HOLDER_TEXT_MAX], expected[STORE_HOLDER_TEXT_MAX], number[32];
    const char *gap = strchr(format, '#');

    snprintf(number, sizeof(number), "%ld", (long)pid);
    snprintf(expected, sizeof(expected), "%.*s%s%s", (int)(gap - format), format, number, gap + 1);
    store_holder_describe(holder, text);
    assert_int_equal(holder->pid, pid);
    assert_string_equal(text, expected);
}

static void nobody_but_this_process(void **state)
{
    struct store_holder holder;

    (void)state;
    assert_false(store_holder_find(mine, &holder));
    assert_false(store_holder_find_writer(mine, true, &holder));
}

static void who_reads_is_no_writer(void **state)
{
    pid_t pid = start("/usr/bin/backup", "", O_RDONLY, false);
    struct store_holder holder;

    (void)state;
    assert_true(store_holder_find(mine, &holder));
    is_described(&holder, pid, "backup (process #)");
    assert_false(store_holder_find_writer(mine, false, &holder));
    assert_false(store_holder_find_writer(mine, true, &holder));
}

static void who_has_it_open_to_write(void **state)
{
    pid_t pid = start("editor", "", O_WRONLY, false);
    struct store_holder holder;

    (void)state;
    assert_true(store_holder_find_writer(mine, false, &holder));
    is_described(&holder, pid, "editor (process #)");
}

static void a_qemu_that_reads_may_write_at_any_time(void **state)
{
    pid_t pid = start("/usr/bin/qemu-system-x86_64", "web,debug-threads=on", O_RDONLY, false);
    struct store_holder holder;

    (void)state;
    assert_false(store_holder_find_writer(mine, false, &holder));
    assert_true(store_holder_find_writer(mine, true, &holder));
    is_described(&holder, pid, "qemu-system-x86_64 (process #, guest web)");
}

static void the_name_of_a_domain(void **state)
{
    pid_t pid = start("/usr/bin/kvm", "guest=a,,b,debug-threads=on", O_RDONLY, false);
    struct store_holder holder;

    (void)state;
    assert_true(store_holder_find(mine, &holder));
    is_described(&holder, pid, "kvm (process #, libvirt domain a,b)");
}

static void of_two_the_one_that_has_a_lock(void **state)
{
    pid_t first = start("one", "", O_RDONLY, true);
    struct store_holder holder;

    (void)state;
    start("two", "", O_RDONLY, false);
    assert_true(store_holder_find(mine, &holder));
    is_described(&holder, first, "one (process #)");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_but_this_process),  TEST(who_reads_is_no_writer),
        TEST(who_has_it_open_to_write), TEST(a_qemu_that_reads_may_write_at_any_time),
        TEST(the_name_of_a_domain),     TEST(of_two_the_one_that_has_a_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
