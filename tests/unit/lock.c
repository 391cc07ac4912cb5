// SPDX-License-Identifier: MIT
/* Locks as QEMU takes them: which bytes, and whom they shut out. Each opening is another program.
 */
#include "lock.h"

#include "err.h"
#include "io.h"
#include "scratch.h"

#include <errno.h>
#include <sys/file.h>

static int open_once(void)
{
    int fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

/* Locks one byte through another opening, as somebody else. */
static int hold(short type, off_t byte)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int fd = open_once();

    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    return fd;
}

/* Which of the bytes 0 to 299 somebody has a lock on, as seen from another opening. */
static void are_locked(const char *expected)
{
    char list[256] = "";
    int fd = open_once();

    for (off_t byte = 0; byte < 300; byte++) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

        assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
        if (lock.l_type != F_UNLCK) {
            assert_int_equal(lock.l_type, F_RDLCK);
            snprintf(list + strlen(list), sizeof(list) - strlen(list), " %ld", (long)byte);
        }
    }
    close(fd);
    assert_string_equal(list, expected);
}

static int take(int fd, enum store_lock lock)
{
    struct err err = {0};
    int ret = store_lock_take(fd, lock, &err);

    assert_int_equal(err.code, -ret);
    return ret;
}

/* ---- which bytes ---- */

static void the_owner_locks_what_a_qemu_that_writes_locks_and_more(void **state)
{
    int fd = open_once();

    (void)state;
    assert_int_equal(take(fd, STORE_LOCK_OWNER), 0);
    are_locked(" 0 100 101 103 200 201 203");
    store_lock_let_read(fd);
    are_locked(" 100 201 203");
    store_lock_drop(fd);
    are_locked("");
    close(fd);
}

static void a_reader_locks_what_a_qemu_that_reads_locks(void **state)
{
    int fd = open_once();

    (void)state;
    assert_int_equal(take(fd, STORE_LOCK_READER), 0);
    are_locked(" 100 201 203");
    close(fd);
    are_locked("");
}

static void a_copy_of_the_descriptor_keeps_the_lock_and_does_not_see_it(void **state)
{
    struct err err = {0};
    struct io *io, *again;

    (void)state;
    close(open_once());
    assert_int_equal(io_file_open("file", &io, &err), 0);
    assert_int_equal(take(io_descriptor(io), STORE_LOCK_OWNER), 0);
    assert_int_equal(io_file_again(io, &again, &err), 0);
    io_close(io);
    are_locked(" 0 100 101 103 200 201 203");
    assert_true(io_users(again).known);
    assert_false(io_users(again).held);
    io_close(again);
    are_locked("");
}

/* ---- who shuts out whom ---- */

static void who_has_it_alone_shuts_out_everybody(void **state)
{
    int mine = open_once(), other = open_once();

    (void)state;
    assert_int_equal(take(mine, STORE_LOCK_OWNER), 0);
    assert_int_equal(take(other, STORE_LOCK_OWNER), -EBUSY);
    assert_int_equal(take(other, STORE_LOCK_READER), -EBUSY);
    are_locked(" 0 100 101 103 200 201 203");
    close(mine);
    assert_int_equal(take(other, STORE_LOCK_OWNER), 0);
    close(other);
}

static void readers_bear_each_other_and_no_owner(void **state)
{
    int one = open_once(), two = open_once(), owner = open_once();

    (void)state;
    assert_int_equal(take(one, STORE_LOCK_READER), 0);
    assert_int_equal(take(two, STORE_LOCK_READER), 0);
    assert_int_equal(take(owner, STORE_LOCK_OWNER), -EBUSY);
    close(one);
    assert_int_equal(take(owner, STORE_LOCK_OWNER), -EBUSY);
    close(two);
    assert_int_equal(take(owner, STORE_LOCK_OWNER), 0);
    close(owner);
}

/* Bytes of QEMU one by one: of permissions that are used, and of those that nobody else may have.
 */
static void each_byte_of_others(void **state)
{
    static const struct {
        short type;
        off_t byte;
        int owner, reader;
    } cases[] = {
        {F_RDLCK, 100, -EBUSY, 0}, {F_RDLCK, 101, -EBUSY, -EBUSY},
        {F_RDLCK, 102, -EBUSY, 0}, {F_RDLCK, 103, -EBUSY, -EBUSY},
        {F_RDLCK, 104, -EBUSY, 0}, {F_RDLCK, 200, -EBUSY, -EBUSY},
        {F_RDLCK, 201, -EBUSY, 0}, {F_RDLCK, 202, -EBUSY, 0},
        {F_RDLCK, 203, -EBUSY, 0}, {F_RDLCK, 204, -EBUSY, 0},
        {F_RDLCK, 0, -EBUSY, 0},   {F_WRLCK, 0, -EBUSY, -EBUSY},
        {F_WRLCK, 1, 0, 0},        {F_WRLCK, 99, 0, 0},
        {F_WRLCK, 105, 0, 0},      {F_WRLCK, 205, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int other = hold(cases[i].type, cases[i].byte), fd = open_once();

        assert_int_equal(take(fd, STORE_LOCK_OWNER), cases[i].owner);
        store_lock_drop(fd);
        assert_int_equal(take(fd, STORE_LOCK_READER), cases[i].reader);
        close(fd);
        close(other);
    }
}

static void a_lock_that_was_not_won_is_not_kept(void **state)
{
    int other = hold(F_RDLCK, 201), fd = open_once();

    (void)state;
    assert_int_equal(take(fd, STORE_LOCK_OWNER), -EBUSY);
    are_locked(" 201");
    close(fd);
    close(other);
}

static void the_message_does_not_blame_this_process(void **state)
{
    int other = hold(F_RDLCK, 101), fd = open_once();
    struct err err = {0};

    (void)state;
    assert_int_equal(store_lock_take(fd, STORE_LOCK_OWNER, &err), -EBUSY);
    assert_string_equal(err.text, "it is in use by a program that the system does not tell of; end "
                                  "that, and begin again");
    close(fd);
    close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(the_owner_locks_what_a_qemu_that_writes_locks_and_more),
        SCRATCH_TEST(a_reader_locks_what_a_qemu_that_reads_locks),
        SCRATCH_TEST(a_copy_of_the_descriptor_keeps_the_lock_and_does_not_see_it),
        SCRATCH_TEST(who_has_it_alone_shuts_out_everybody),
        SCRATCH_TEST(readers_bear_each_other_and_no_owner),
        SCRATCH_TEST(each_byte_of_others),
        SCRATCH_TEST(a_lock_that_was_not_won_is_not_kept),
        SCRATCH_TEST(the_message_does_not_blame_this_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
