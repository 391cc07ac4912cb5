// SPDX-License-Identifier: MIT
/* Who else has a file open, as the kernel tells: each opening is another one. */
#include "openers.h"

#include "scratch.h"

#include <errno.h>

static int mine;

static int begin(void **state)
{
    if (scratch_enter(state) < 0)
        return -1;
    scratch_write("file", "text");
    mine = open("file", O_RDONLY | O_CLOEXEC);
    if (store_openers_any(mine) == STORE_OPENERS_UNKNOWN)
        print_message("# no leases here\n");
    return mine < 0 ? -1 : 0;
}

static int end(void **state)
{
    close(mine);
    return scratch_leave(state);
}

static void need_leases(void)
{
    if (store_openers_any(mine) == STORE_OPENERS_UNKNOWN)
        skip();
}

static void nobody(void **state)
{
    int copy = fcntl(mine, F_DUPFD_CLOEXEC, 0);

    (void)state;
    need_leases();
    assert_int_equal(store_openers_writers(mine), STORE_OPENERS_NONE);
    assert_int_equal(store_openers_any(mine), STORE_OPENERS_NONE);
    close(copy);
}

static void one_who_reads(void **state)
{
    int other = open("file", O_RDONLY | O_CLOEXEC);

    (void)state;
    need_leases();
    assert_int_equal(store_openers_writers(mine), STORE_OPENERS_NONE);
    assert_int_equal(store_openers_any(mine), STORE_OPENERS_SOME);
    close(other);
    assert_int_equal(store_openers_any(mine), STORE_OPENERS_NONE);
}

static void one_who_writes(void **state)
{
    int other = open("file", O_RDWR | O_CLOEXEC);

    (void)state;
    need_leases();
    assert_int_equal(store_openers_writers(mine), STORE_OPENERS_SOME);
    assert_int_equal(store_openers_any(mine), STORE_OPENERS_SOME);
    close(other);
    assert_int_equal(store_openers_writers(mine), STORE_OPENERS_NONE);
}

static void nothing_stays_of_the_question(void **state)
{
    int other;

    (void)state;
    need_leases();
    store_openers_any(mine);
    store_openers_writers(mine);
    assert_int_equal(fcntl(mine, F_GETLEASE), F_UNLCK);
    other = open("file", O_WRONLY | O_NONBLOCK | O_CLOEXEC); /* a lease would say EWOULDBLOCK */
    assert_true(other >= 0);
    close(other);
}

static void who_writes_himself_cannot_ask(void **state)
{
    int own = open("file", O_RDWR | O_CLOEXEC);

    (void)state;
    assert_int_equal(store_openers_writers(own), STORE_OPENERS_UNKNOWN);
    assert_int_equal(store_openers_any(own), STORE_OPENERS_UNKNOWN);
    close(own);
}

static void who_may_not_ask_does_not_know(void **state)
{
    (void)state;
    need_leases();
    if (geteuid() != 0)
        skip();
    scratch_be_nobody(); /* the file is root's */
    assert_int_equal(store_openers_writers(mine), STORE_OPENERS_UNKNOWN);
    scratch_be_oneself();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody),
        TEST(one_who_reads),
        TEST(one_who_writes),
        TEST(nothing_stays_of_the_question),
        TEST(who_writes_himself_cannot_ask),
        TEST(who_may_not_ask_does_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
