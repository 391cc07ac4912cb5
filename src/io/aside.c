// SPDX-License-Identifier: MIT
/* Owns the one hidden name of the process. Must never leave it behind. */
#include "aside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* For the signal handler. */
static struct {
    volatile sig_atomic_t exists;
    int folder;
    const char *prefix;
    char name[IO_ASIDE_NAME_MAX];
} hidden;

void io_aside_remove(void)
{
    if (hidden.exists)
        unlinkat(hidden.folder, hidden.name, 0);
    hidden.exists = 0;
}

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

/* Makes a new file of the hidden name, or gives that to the one of @fd. */
static int make(int access, mode_t mode, int fd)
{
    char self[64];

    if (fd < 0)
        return openat(hidden.folder, hidden.name,
                      access | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, hidden.folder, hidden.name, AT_SYMLINK_FOLLOW) == 0 ||
                   leads_to(hidden.folder, hidden.name, fd)
               ? 0
               : -1;
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

    hidden.prefix = prefix;
    return fd >= 0 ? fd : make_hidden(folder, access, mode, -1);
}

const char *io_aside_show(int folder, int fd)
{
    return hidden.exists || make_hidden(folder, 0, 0, fd) >= 0 ? hidden.name : NULL;
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

/* A name that replaces nothing is a link; where there are no links, a rename that looks first. */
static int commit_new(int folder, const char *name, int fd)
{
    char self[64];

    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (!hidden.exists)
        return linkat(AT_FDCWD, self, folder, name, AT_SYMLINK_FOLLOW) == 0 ||
                       leads_to(folder, name, fd)
                   ? 0
                   : -1;
    if (need_hidden(folder, fd) < 0)
        return -1;
    if (linkat(folder, hidden.name, folder, name, 0) == 0 || leads_to(folder, name, fd)) {
        io_aside_remove();
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP)
        return -1;
    if (renameat2(folder, hidden.name, folder, name, RENAME_NOREPLACE) < 0)
        return -1;
    hidden.exists = 0;
    return 0;
}

/* A link replaces nothing: that takes a rename, of a hidden name. */
static int commit_over(int folder, const char *name, int fd)
{
    if (need_hidden(folder, fd) < 0)
        return -1;
    if (renameat(folder, hidden.name, folder, name) < 0 && !leads_to(folder, name, fd))
        return -1;
    hidden.exists = 0;
    return 0;
}

int io_aside_commit(int folder, const char *name, int fd, bool replace)
{
    int ret = commit_new(folder, name, fd), code;

    if (ret < 0 && errno == EEXIST && replace)
        ret = commit_over(folder, name, fd);
    code = errno;
    if (ret < 0)
        io_aside_remove();
    errno = code;
    return ret;
}

/* Does the file already have that other name? 1 if it does not, but another one has it. */
static int has_name(int folder, const char *name, const char *other)
{
    struct stat of_name, of_other;

    if (fstatat(folder, other, &of_other, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (fstatat(folder, name, &of_name, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return of_name.st_dev != of_other.st_dev || of_name.st_ino != of_other.st_ino;
}

/* Where a file can have one name only. */
static int exchange(int folder, const char *name, const char *kept, int fd)
{
    int code;

    if (need_hidden(folder, fd) < 0)
        return -1;
    if (renameat2(folder, hidden.name, folder, kept, RENAME_NOREPLACE) < 0 &&
        !leads_to(folder, kept, fd))
        return -1;
    hidden.exists = 0;
    if (renameat2(folder, kept, folder, name, RENAME_EXCHANGE) == 0 || leads_to(folder, name, fd))
        return 0;
    code = errno;
    if (leads_to(folder, kept, fd)) /* the new one, without a doubt */
        unlinkat(folder, kept, 0);
    errno = code;
    return -1;
}

static int keep(int folder, const char *name, const char *kept, int fd)
{
    bool linked = linkat(folder, name, folder, kept, 0) == 0;
    int code = errno;

    if (!linked && code != EEXIST)
        linked = has_name(folder, name, kept) == 0;
    errno = code;
    if (!linked && errno == EEXIST && has_name(folder, name, kept) != 0) {
        errno = EEXIST;
        return -1;
    }
    if (!linked && errno != EEXIST)
        return errno == EPERM || errno == EOPNOTSUPP ? exchange(folder, name, kept, fd) : -1;
    if (commit_over(folder, name, fd) == 0)
        return 0;
    code = errno;
    if (linked && has_name(folder, name, kept) == 0) /* or it would be the only name */
        unlinkat(folder, kept, 0);
    errno = code;
    return -1;
}

int io_aside_commit_keeping(int folder, const char *name, const char *kept, int fd)
{
    int ret = keep(folder, name, kept, fd), code = errno;

    if (ret < 0)
        io_aside_remove();
    errno = code;
    return ret;
}
