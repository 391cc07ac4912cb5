// SPDX-License-Identifier: MIT
/* Owns the one hidden name of the process. Must never leave it behind. */
#include "aside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define END_MOMENTS 500 /* of 10 ms: a server that does not answer is not waited for */

/* For the signal handler. */
static struct {
    volatile sig_atomic_t exists;
    int folder;
    const char *prefix;
    char name[IO_ASIDE_NAME_MAX];
} hidden;

/* ---- against signals ---- */

/*
 * Names change by several calls. A handler that came between two of them, in another thread, would
 * remove a name that comes into being only then: so it waits for the end of such a change, and none
 * begins any more once it has come.
 */
enum { IDLE, CHANGING, ENDING };

static atomic_int gate = IDLE;

static void begin_change(sigset_t *mask)
{
    sigset_t all;
    int idle = IDLE;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, mask); /* or the handler could wait for its own thread */
    while (!atomic_compare_exchange_strong(&gate, &idle, CHANGING)) {
        idle = IDLE;
        poll(NULL, 0, 10); /* the process is about to end */
    }
}

static void end_change(const sigset_t *mask)
{
    const int code = errno;

    atomic_store(&gate, IDLE);
    pthread_sigmask(SIG_SETMASK, mask, NULL);
    errno = code;
}

void io_aside_remove(void)
{
    if (hidden.exists)
        unlinkat(hidden.folder, hidden.name, 0);
    hidden.exists = 0;
}

void io_aside_end(void)
{
    int found = IDLE;

    for (unsigned i = 0; !atomic_compare_exchange_strong(&gate, &found, ENDING); i++) {
        if (found == ENDING)
            break;
        if (i == END_MOMENTS)
            return;
        found = IDLE;
        poll(NULL, 0, 10);
    }
    io_aside_remove();
}

/* ---- the hidden name ---- */

/* Over a network a call may be done and its answer lost: what counts is where the name leads. */
static bool leads_to(int folder, const char *name, int fd)
{
    struct stat of_name, of_file;
    const int code = errno;
    const bool same = fstatat(folder, name, &of_name, AT_SYMLINK_NOFOLLOW) == 0 &&
                      fstat(fd, &of_file) == 0 && of_name.st_dev == of_file.st_dev &&
                      of_name.st_ino == of_file.st_ino;

    errno = code;
    return same;
}

/* One more name for the file that is open as @fd, and for no other: not by the name that it has. */
static int link_file(int fd, int folder, const char *name)
{
    char self[64];

    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, folder, name, AT_SYMLINK_FOLLOW) == 0 ||
                   leads_to(folder, name, fd)
               ? 0
               : -1;
}

/* Makes a new file of the hidden name, or gives that to the one of @fd. */
static int make(int access, mode_t mode, int fd)
{
    return fd < 0 ? openat(hidden.folder, hidden.name,
                           access | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
                  : link_file(fd, hidden.folder, hidden.name);
}

/* One name after another until there is no such file yet. */
static int make_hidden(int folder, int access, mode_t mode, int fd)
{
    int made = -1;

    hidden.folder = folder;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(hidden.name, sizeof(hidden.name), "%s%ld.%u", hidden.prefix, (long)getpid(), i);
        hidden.exists = 1; /* from before it is made, lest a signal comes between */
        made = make(access, mode, fd);
        if (made >= 0)
            return made;
        hidden.exists = 0;
        if (errno != EEXIST)
            break;
    }
    return made;
}

/* A file that has no name yet and can be given one; -1 where that cannot be done. */
static int open_nameless(int folder, int access_mode, mode_t mode)
{
    int fd = openat(folder, ".", O_TMPFILE | access_mode | O_CLOEXEC, mode);
    char self[64];

    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (fd < 0 || access(self, F_OK) == 0)
        return fd;
    close(fd);
    return -1;
}

int io_aside_open(int folder, const char *prefix, int access, mode_t mode)
{
    int fd = open_nameless(folder, access, mode);
    sigset_t mask;

    hidden.prefix = prefix;
    if (fd >= 0)
        return fd;
    begin_change(&mask);
    fd = make_hidden(folder, access, mode, -1);
    end_change(&mask);
    return fd;
}

const char *io_aside_show(int folder, int fd)
{
    sigset_t mask;
    int ret = 0;

    begin_change(&mask);
    if (!hidden.exists)
        ret = make_hidden(folder, 0, 0, fd);
    end_change(&mask);
    return ret >= 0 ? hidden.name : NULL;
}

/* The hidden name as it is to be renamed: others could see it, and give it to another file. */
static int need_hidden(int folder, int fd)
{
    if (!hidden.exists)
        return make_hidden(folder, 0, 0, fd) < 0 ? -1 : 0;
    if (leads_to(folder, hidden.name, fd))
        return 0;
    hidden.exists = 0; /* it is not ours to remove */
    errno = ESTALE;
    return -1;
}

/* ---- a name that nothing has ---- */

/* What has been renamed is seen only afterwards. */
static int check_renamed(int folder, const char *name, int fd)
{
    hidden.exists = 0;
    if (leads_to(folder, name, fd))
        return 0;
    errno = ESTALE;
    return -1;
}

/* A name that replaces nothing is a link; where there are no links, a rename that looks first. */
static int commit_new(int folder, const char *name, int fd)
{
    if (!hidden.exists)
        return link_file(fd, folder, name);
    if (need_hidden(folder, fd) < 0)
        return -1;
    if (link_file(fd, folder, name) == 0) {
        io_aside_remove();
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP)
        return -1;
    if (renameat2(folder, hidden.name, folder, name, RENAME_NOREPLACE) < 0)
        return -1;
    return check_renamed(folder, name, fd);
}

/* ---- one that another file has ---- */

/* A link replaces nothing: that takes a rename, of a hidden name. */
static int commit_over(int folder, const char *name, int fd)
{
    if (need_hidden(folder, fd) < 0)
        return -1;
    if (renameat(folder, hidden.name, folder, name) < 0 && !leads_to(folder, name, fd))
        return -1;
    return check_renamed(folder, name, fd);
}

static bool cannot_exchange(int code)
{
    return code == EINVAL || code == ENOSYS || code == EOPNOTSUPP;
}

/*
 * @name and @other change places: they lead to @fd and @old then, or all is as it was. What leads
 * where is certain only after that: so nothing is replaced, and what is wrong is turned back.
 */
static int exchange(int folder, const char *other, const char *name, int fd, int old)
{
    if (renameat2(folder, other, folder, name, RENAME_EXCHANGE) < 0 && !leads_to(folder, name, fd))
        return -1;
    if (leads_to(folder, name, fd) && leads_to(folder, other, old))
        return 0;
    renameat2(folder, other, folder, name, RENAME_EXCHANGE);
    errno = ESTALE;
    return -1;
}

/* The hidden name that is ours no more is left to whom it leads to now. */
static void give_up_hidden(int folder, int fd)
{
    if (hidden.exists && !leads_to(folder, hidden.name, fd))
        hidden.exists = 0;
}

/* In the place of @old and of nothing else. In between @old has the hidden name. */
static int commit_in_place(int folder, const char *name, int fd, int old)
{
    if (need_hidden(folder, fd) < 0)
        return -1;
    if (exchange(folder, hidden.name, name, fd, old) == 0) {
        io_aside_remove();
        return 0;
    }
    if (!cannot_exchange(errno)) {
        give_up_hidden(folder, fd);
        errno = errno == ENOENT ? ESTALE : errno; /* there is nothing to be replaced */
        return -1;
    }
    if (leads_to(folder, name, old))
        return commit_over(folder, name, fd);
    errno = ESTALE;
    return -1;
}

/* ---- and that keeps another name ---- */

/* Where a file can have one name only. */
static int commit_by_turns(int folder, const char *name, const char *kept, int fd, int old)
{
    int code;

    if (need_hidden(folder, fd) < 0)
        return -1;
    if (renameat2(folder, hidden.name, folder, kept, RENAME_NOREPLACE) < 0 &&
        !leads_to(folder, kept, fd))
        return -1;
    if (check_renamed(folder, kept, fd) == 0 && exchange(folder, kept, name, fd, old) == 0)
        return 0;
    code = errno;
    if (leads_to(folder, kept, fd)) /* the new one, without a doubt */
        unlinkat(folder, kept, 0);
    errno = code;
    return -1;
}

static int commit_keeping(int folder, const char *name, const char *kept, int fd, int old)
{
    const bool had_it = leads_to(folder, kept, old);
    int code;

    if (!had_it && link_file(old, folder, kept) < 0) {
        if (errno == ENOENT) /* it has no name any more */
            errno = ESTALE;
        return errno == EPERM || errno == EOPNOTSUPP ? commit_by_turns(folder, name, kept, fd, old)
                                                     : -1;
    }
    if (commit_in_place(folder, name, fd, old) == 0)
        return 0;
    code = errno;
    if (!had_it && leads_to(folder, name, old)) /* or it would be the only name */
        unlinkat(folder, kept, 0);
    errno = code;
    return -1;
}

/* ---- the whole ---- */

static int end_commit(int ret, const sigset_t *mask)
{
    const int code = errno;

    if (ret < 0)
        io_aside_remove();
    errno = code;
    end_change(mask);
    return ret;
}

int io_aside_commit(int folder, const char *name, int fd, bool replace)
{
    sigset_t mask;
    int ret;

    begin_change(&mask);
    ret = commit_new(folder, name, fd);
    if (ret < 0 && errno == EEXIST && replace)
        ret = commit_over(folder, name, fd);
    return end_commit(ret, &mask);
}

int io_aside_replace(int folder, const char *name, const char *kept, int fd, int old)
{
    sigset_t mask;

    begin_change(&mask);
    return end_commit(kept != NULL ? commit_keeping(folder, name, kept, fd, old)
                                   : commit_in_place(folder, name, fd, old),
                      &mask);
}
