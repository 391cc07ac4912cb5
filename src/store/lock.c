// SPDX-License-Identifier: MIT
/* Owns QEMU's protocol of locks. Must never keep a lock that it did not win. */
#include "lock.h"

#include "err.h"
#include "holder.h"
#include "openers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Permissions: 0 consistent read, 1 write, 2 write unchanged, 3 resize, 4 change of the graph (of
 * QEMU before 6.2). */
#define USES 100
#define FORBIDS 200
#define N_PERMISSIONS 5
#define LIBVIRT 0 /* the byte of virtlockd, which locks it for the domain that has the disk */

#define ATTEMPTS 20 /* against others that try at the same moment, and give way as we do */

/* Up to a 0 that is not the first one. */
static const unsigned char reader_bytes[] = {100, 201, 203, 0};
static const unsigned char owner_bytes[] = {LIBVIRT, 100, 101, 103, 200, 201, 203, 0};

static const unsigned char *bytes_of(enum store_lock lock)
{
    return lock == STORE_LOCK_OWNER ? owner_bytes : reader_bytes;
}

static int set(int fd, short type, off_t start, off_t n)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = n};
    int ret;

    do
        ret = fcntl(fd, F_OFD_SETLK, &lock);
    while (ret < 0 && errno == EINTR);
    return ret < 0 ? -errno : 0;
}

/* Has another one a lock there that excludes one of this type? 1, 0 or -errno. */
static int is_excluded(int fd, short type, off_t start, off_t n)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = n};

    int ret;

    do
        ret = fcntl(fd, F_OFD_GETLK, &lock);
    while (ret < 0 && errno == EINTR);
    return ret < 0 ? -errno : lock.l_type != F_UNLCK;
}

/* The same for all that would exclude @lock: 1, 0 or -errno. */
static int is_contested(int fd, enum store_lock lock)
{
    static const struct {
        short type;
        off_t start, n;
        bool readers; /* excludes these, too */
    } contests[] = {
        {F_WRLCK, USES + 1, 1, true}, /* somebody writes */
        {F_WRLCK, USES + 3, 1, true}, /* or changes its length */
        {F_WRLCK, FORBIDS, 1, true},  /* what is there is not to be read */
        {F_RDLCK, LIBVIRT, 1, true},  /* one domain has it for itself */
        {F_WRLCK, LIBVIRT, 1, false}, /* several domains share it */
        {F_WRLCK, USES, N_PERMISSIONS, false}, {F_WRLCK, FORBIDS, N_PERMISSIONS, false},
    };

    for (size_t i = 0; i < sizeof(contests) / sizeof(contests[0]); i++) {
        int ret = lock == STORE_LOCK_OWNER || contests[i].readers
                      ? is_excluded(fd, contests[i].type, contests[i].start, contests[i].n)
                      : 0;

        if (ret != 0)
            return ret;
    }
    return 0;
}

static int set_all(int fd, enum store_lock lock)
{
    const unsigned char *byte = bytes_of(lock);
    int ret;

    do
        ret = set(fd, F_RDLCK, *byte, 1);
    while (ret == 0 && *++byte != 0);
    return ret;
}

/* Not for all alike, or those who came at once would come at once again. */
static void wait_a_little(unsigned attempt)
{
    const unsigned milliseconds = 1 + (unsigned)getpid() % 7 + attempt;
    const struct timespec moment = {0, milliseconds * 1000L * 1000L};

    nanosleep(&moment, NULL);
}

/*
 * 1: contested; 0: it is ours; or -errno. Looks before it takes: a lock that is held for a moment
 * only would make a running QEMU fail in what it does.
 */
static int attempt(int fd, enum store_lock lock, bool *raced)
{
    int ret = is_contested(fd, lock);

    if (ret != 0)
        return ret;
    ret = set_all(fd, lock);
    if (ret == 0)
        ret = is_contested(fd, lock);
    *raced = ret == 1 || ret == -EAGAIN || ret == -EACCES;
    if (ret != 0)
        store_lock_drop(fd);
    return *raced ? 1 : ret;
}

static int busy(int fd, struct err *err)
{
    struct store_holder holder;
    char text[STORE_HOLDER_TEXT_MAX];

    if (!store_holder_find(fd, &holder))
        return err_set(err, EBUSY,
                       "it is in use by " STORE_HOLDER_UNSEEN "; end that, and begin again");
    store_holder_describe(&holder, text);
    return err_set(err, EBUSY, "it is in use by %s; end that, and begin again", text);
}

int store_lock_check_writers(int fd, enum store_lock lock, struct err *err)
{
    struct store_holder holder;
    char text[STORE_HOLDER_TEXT_MAX];

    if (store_holder_find_writer(fd, lock == STORE_LOCK_OWNER, &holder))
        store_holder_describe(&holder, text);
    else if (store_openers_writers(fd) == STORE_OPENERS_SOME)
        strcpy(text, STORE_HOLDER_UNSEEN);
    else
        return 0;
    return err_set(err, EBUSY, "%s has it open, without a lock; end that, and begin again", text);
}

int store_lock_take(int fd, enum store_lock lock, struct err *err)
{
    bool raced = false;
    int ret = attempt(fd, lock, &raced);

    for (unsigned i = 0; ret == 1 && raced && i < ATTEMPTS; i++) {
        wait_a_little(i);
        raced = false;
        ret = attempt(fd, lock, &raced);
    }
    if (ret == 1)
        return busy(fd, err);
    if (ret == -ENOLCK || ret == -EINVAL || ret == -EOPNOTSUPP || ret == -ENOSYS)
        return err_set(err, ENOLCK, "its file system has no locks: %s", strerror(-ret));
    return ret < 0 ? err_set(err, -ret, "cannot lock it: %s", strerror(-ret)) : 0;
}

void store_lock_let_read(int fd)
{
    set(fd, F_UNLCK, LIBVIRT, 1);
    set(fd, F_UNLCK, USES + 1, N_PERMISSIONS - 1);
    set(fd, F_UNLCK, FORBIDS, 1);
}

void store_lock_drop(int fd)
{
    set(fd, F_UNLCK, LIBVIRT, 1);
    set(fd, F_UNLCK, USES, N_PERMISSIONS);
    set(fd, F_UNLCK, FORBIDS, N_PERMISSIONS);
}
