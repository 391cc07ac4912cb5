// SPDX-License-Identifier: MIT
/* The user's command: what it gets, what its end means, and that it does not stay. */
#include "command.h"

#include "err.h"
#include "scratch.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

static bool stops; /* as soon as the command has written its file */

static bool stopped(void)
{
    struct stat st;

    return stops && stat("pid", &st) == 0 && st.st_size > 0;
}

static int begin(void **state)
{
    stops = false;
    return scratch_enter(state);
}

static int run(const char *command, struct err *err)
{
    *err = (struct err){0};
    return command_run(command, "the image", stopped, err);
}

static void succeeds(const char *command)
{
    struct err err;

    if (run(command, &err) < 0)
        fail_msg("%s: %s", command, err.text);
}

static void fails(const char *command, const char *text)
{
    struct err err;

    assert_int_equal(run(command, &err), -ECANCELED);
    assert_non_null(strstr(err.text, text));
}

static void its_status_is_the_answer(void **state)
{
    (void)state;
    succeeds("true #");
    fails("exit 3 #", "ended with status 3;");
    fails("kill -9 $$ #", "died of signal 9;");
    fails("no-such-program 2>/dev/null", "ended with status 127;");
}

static void it_gets_the_path_in_each_way(void **state)
{
    (void)state;
    succeeds("test 'the image' =");
    succeeds("test 'the image' = \"$1\"");
    succeeds("test 'the image' = \"${1}\"");
    succeeds("test 'the image' = \"$QCOW2FRAG_IMAGE\"");
    succeeds("test 1 = $#; : \"$@\"");
    assert_null(getenv("QCOW2FRAG_IMAGE"));
}

static void it_has_nothing_to_read(void **state)
{
    (void)state;
    fails("read -r line #", "ended with status 1;");
}

static void signals_mean_to_it_what_they_mean_to_others(void **state)
{
    struct sigaction before;

    (void)state;
    sigaction(SIGPIPE, NULL, &before);
    signal(SIGPIPE, SIG_IGN);
    fails("kill -PIPE $$; exit 0 #", "died of signal 13;");
    sigaction(SIGPIPE, &before, NULL);
}

static bool is_running(void)
{
    char text[32] = "", name[64], line[256] = "";
    int fd = open("pid", O_RDONLY);

    assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    snprintf(name, sizeof(name), "/proc/%ld/stat", strtol(text, NULL, 10));
    fd = open(name, O_RDONLY);
    if (fd < 0)
        return false;
    if (read(fd, line, sizeof(line) - 1) < 0)
        line[0] = '\0';
    close(fd);
    return line[0] != '\0' && strstr(line, ") Z ") == NULL;
}

static void is_gone_soon(void)
{
    const struct timespec moment = {0, 10L * 1000 * 1000};

    for (unsigned i = 0; i < 300 && is_running(); i++)
        nanosleep(&moment, NULL);
    assert_false(is_running());
}

static void it_ends_when_the_program_is_to_end_and_so_do_its_children(void **state)
{
    struct err err;

    (void)state;
    stops = true;
    assert_int_equal(run("sleep 60 & echo $! >pid; wait #", &err), -EINTR);
    is_gone_soon();
}

static void what_it_leaves_behind_ends_with_the_program(void **state)
{
    struct err err;

    (void)state;
    stops = true;
    assert_int_equal(run("trap '' TERM; sleep 60 & echo $! >pid; exit 0 #", &err), -EINTR);
    is_gone_soon();
}

static void nothing_runs_so_nothing_is_ended(void **state)
{
    (void)state;
    command_end();
    succeeds("true #");
    command_end();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, scratch_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_status_is_the_answer),
        TEST(it_gets_the_path_in_each_way),
        TEST(it_has_nothing_to_read),
        TEST(signals_mean_to_it_what_they_mean_to_others),
        TEST(it_ends_when_the_program_is_to_end_and_so_do_its_children),
        TEST(what_it_leaves_behind_ends_with_the_program),
        TEST(nothing_runs_so_nothing_is_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
