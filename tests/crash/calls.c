// SPDX-License-Identifier: MIT
/*
 * Stands between qcow2frag and the kernel (LD_PRELOAD) where it changes a file or a folder: counts
 * these calls, writes them down, makes one of them fail, or ends the program there. Said by the
 * environment:
 *
 *   CALLS_LOG=FILE       a line for each: its number, name, what it gave, and what it was about
 *   CALLS_DATA=FILE      what was written, one after the other, in the order of the log
 *   CALLS_AT=N           what follows is for call N, beginning with 1
 *   CALLS_DO=CODE        it fails with this errno, and does nothing
 *           =done CODE   it is done, and fails all the same, as over a network
 *           =half CODE   half of the bytes are written, and the next call fails so
 *           =kill        SIGKILL before it
 *           =stop        SIGSTOP before it
 *           =half-kill   the same, with half of the bytes written
 *   CALLS_NO_TMPFILE=1   there are no files without a name
 *   CALLS_NO_LINK=1      a file has one name only
 *   CALLS_NO_EXCHANGE=1  two names cannot change places
 *
 * Other programs that get it by inheritance are left alone.
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

SHOWN ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t off);
SHOWN ssize_t pwrite(int fd, const void *bytes, size_t len, off_t off);
SHOWN int fsync(int fd);
SHOWN int ftruncate64(int fd, off64_t len);
SHOWN int ftruncate(int fd, off_t len);
SHOWN int fallocate64(int fd, int mode, off64_t off, off64_t len);
SHOWN int fallocate(int fd, int mode, off_t off, off_t len);
SHOWN int sync_file_range(int fd, off64_t off, off64_t len, unsigned flags);
SHOWN int fchown(int fd, uid_t uid, gid_t gid);
SHOWN int fchmod(int fd, mode_t mode);
SHOWN int fsetxattr(int fd, const char *name, const void *value, size_t len, int flags);
SHOWN int fremovexattr(int fd, const char *name);
SHOWN int linkat(int from, const char *name, int to, const char *other, int flags);
SHOWN int unlinkat(int folder, const char *name, int flags);
SHOWN int renameat(int from, const char *name, int to, const char *other);
SHOWN int renameat2(int from, const char *name, int to, const char *other, unsigned flags);
SHOWN int openat64(int folder, const char *name, int flags, ...);
SHOWN int __openat64_2(int folder, const char *name, int flags);
SHOWN int ioctl(int fd, unsigned long request, ...);

/* The writers are threads: the log is to have the order in which it was done. */
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static unsigned n_calls;
static int log_fd = -1, data_fd = -1, half_code;

#define NEXT(name, ...) ((__VA_ARGS__)dlsym(RTLD_NEXT, name))

static bool is_ours(void)
{
    return strcmp(program_invocation_short_name, "qcow2frag") == 0;
}

static int open_log(const char *setting)
{
    const char *name = getenv(setting);

    return name == NULL ? -1
                        : NEXT("open64", int (*)(const char *, int, ...))(
                              name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static unsigned long long inode_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* What was asked for at this call: 0 it is left alone; else the failure, and whether it is done
 * first. */
struct order {
    int code;
    bool done, half;
};

static struct order enter(void)
{
    const char *at = getenv("CALLS_AT"), *what = getenv("CALLS_DO");
    struct order asked = {0};

    pthread_mutex_lock(&order);
    n_calls++;
    if (half_code != 0) {
        asked.code = half_code;
        half_code = 0;
        return asked;
    }
    if (at == NULL || what == NULL || strtoul(at, NULL, 10) != n_calls)
        return asked;
    if (strcmp(what, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(what, "stop") == 0) {
        raise(SIGSTOP);
        return asked;
    }
    asked.half = strncmp(what, "half", 4) == 0;
    asked.done = strncmp(what, "done ", 5) == 0;
    asked.code =
        strcmp(what, "half-kill") == 0 ? -1 : atoi(what + (asked.half || asked.done ? 5 : 0));
    return asked;
}

/* The end of it: what the caller gets is set, the log has its line. */
__attribute__((format(printf, 3, 4))) static long leave(const char *name, long ret,
                                                        const char *format, ...)
{
    int code = errno, len;
    char line[1024];
    va_list rest;

    if (log_fd < 0 && getenv("CALLS_LOG") != NULL)
        log_fd = open_log("CALLS_LOG");
    len = snprintf(line, sizeof(line), "%u\t%s\t%ld\t", n_calls, name, ret < 0 ? -code : ret);
    va_start(rest, format);
    len += vsnprintf(line + len, sizeof(line) - (size_t)len - 1, format, rest);
    va_end(rest);
    line[len++] = '\n';
    if (log_fd >= 0 && write(log_fd, line, (size_t)len) != len)
        abort();
    pthread_mutex_unlock(&order);
    errno = code;
    return ret;
}

/* CALL unless something else was asked for. */
#define PASS(ret, CALL)                                                                            \
    do {                                                                                           \
        struct order asked = enter();                                                              \
        ret = asked.code == 0 || asked.done ? (CALL) : -1;                                         \
        if (asked.code != 0 && ret >= 0)                                                           \
            ret = -1;                                                                              \
        if (asked.code != 0)                                                                       \
            errno = asked.code;                                                                    \
    } while (0)

SHOWN ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t off)
{
    ssize_t (*next)(int, const void *, size_t, off64_t) =
        NEXT("pwrite64", ssize_t(*)(int, const void *, size_t, off64_t));
    struct order asked;
    ssize_t n = -1;

    if (!is_ours())
        return next(fd, bytes, len, off);
    asked = enter();
    if (asked.code == 0 || asked.half || asked.done)
        n = next(fd, bytes, asked.half && len > 1 ? len / 2 : len, off);
    if (asked.code == -1)
        raise(SIGKILL);
    if (asked.half)
        half_code = asked.code;
    else if (asked.code != 0) {
        errno = asked.code;
        n = -1;
    }
    if (data_fd < 0 && getenv("CALLS_DATA") != NULL)
        data_fd = open_log("CALLS_DATA");
    if (data_fd >= 0 && n > 0 && write(data_fd, bytes, (size_t)n) != n)
        abort();
    return leave("pwrite", n, "%llu\t%lld", inode_of(fd), (long long)off);
}

SHOWN ssize_t pwrite(int fd, const void *bytes, size_t len, off_t off)
{
    return pwrite64(fd, bytes, len, off);
}

SHOWN int fsync(int fd)
{
    int (*next)(int) = NEXT("fsync", int (*)(int)), ret;

    if (!is_ours())
        return next(fd);
    PASS(ret, next(fd));
    return (int)leave("fsync", ret, "%llu", inode_of(fd));
}

SHOWN int ftruncate64(int fd, off64_t len)
{
    int (*next)(int, off64_t) = NEXT("ftruncate64", int (*)(int, off64_t)), ret;

    if (!is_ours())
        return next(fd, len);
    PASS(ret, next(fd, len));
    return (int)leave("ftruncate", ret, "%llu\t%lld", inode_of(fd), (long long)len);
}

SHOWN int ftruncate(int fd, off_t len)
{
    return ftruncate64(fd, len);
}

SHOWN int fallocate64(int fd, int mode, off64_t off, off64_t len)
{
    int (*next)(int, int, off64_t, off64_t) =
        NEXT("fallocate64", int (*)(int, int, off64_t, off64_t)),
                                   ret;

    if (!is_ours())
        return next(fd, mode, off, len);
    PASS(ret, next(fd, mode, off, len));
    return (int)leave("fallocate", ret, "%llu\t%d\t%lld\t%lld", inode_of(fd), mode, (long long)off,
                      (long long)len);
}

SHOWN int fallocate(int fd, int mode, off_t off, off_t len)
{
    return fallocate64(fd, mode, off, len);
}

SHOWN int sync_file_range(int fd, off64_t off, off64_t len, unsigned flags)
{
    int (*next)(int, off64_t, off64_t, unsigned) =
        NEXT("sync_file_range", int (*)(int, off64_t, off64_t, unsigned)),
                                       ret;

    if (!is_ours())
        return next(fd, off, len, flags);
    PASS(ret, next(fd, off, len, flags));
    return (int)leave("sync_file_range", ret, "%llu", inode_of(fd));
}

SHOWN int fchown(int fd, uid_t uid, gid_t gid)
{
    int (*next)(int, uid_t, gid_t) = NEXT("fchown", int (*)(int, uid_t, gid_t)), ret;

    if (!is_ours())
        return next(fd, uid, gid);
    PASS(ret, next(fd, uid, gid));
    return (int)leave("fchown", ret, "%llu", inode_of(fd));
}

SHOWN int fchmod(int fd, mode_t mode)
{
    int (*next)(int, mode_t) = NEXT("fchmod", int (*)(int, mode_t)), ret;

    if (!is_ours())
        return next(fd, mode);
    PASS(ret, next(fd, mode));
    return (int)leave("fchmod", ret, "%llu", inode_of(fd));
}

SHOWN int fsetxattr(int fd, const char *name, const void *value, size_t len, int flags)
{
    int (*next)(int, const char *, const void *, size_t, int) =
        NEXT("fsetxattr", int (*)(int, const char *, const void *, size_t, int)),
                                                         ret;

    if (!is_ours())
        return next(fd, name, value, len, flags);
    PASS(ret, next(fd, name, value, len, flags));
    return (int)leave("fsetxattr", ret, "%llu", inode_of(fd));
}

SHOWN int fremovexattr(int fd, const char *name)
{
    int (*next)(int, const char *) = NEXT("fremovexattr", int (*)(int, const char *)), ret;

    if (!is_ours())
        return next(fd, name);
    PASS(ret, next(fd, name));
    return (int)leave("fremovexattr", ret, "%llu", inode_of(fd));
}

/* A file that is named by its descriptor is told by its inode. */
static unsigned long long inode_of_name(int folder, const char *name)
{
    struct stat st;

    return fstatat(folder, name, &st, 0) == 0 ? st.st_ino : 0;
}

SHOWN int linkat(int from, const char *name, int to, const char *other, int flags)
{
    int (*next)(int, const char *, int, const char *, int) =
        NEXT("linkat", int (*)(int, const char *, int, const char *, int)),
                                                      ret;
    unsigned long long inode;

    if (!is_ours())
        return next(from, name, to, other, flags);
    inode = inode_of_name(from, name);
    if (getenv("CALLS_NO_LINK") != NULL && inode_of_name(to, other) == 0) {
        errno = EPERM;
        return -1;
    }
    PASS(ret, next(from, name, to, other, flags));
    return (int)leave("linkat", ret, "%llu\t%s", inode, other);
}

SHOWN int unlinkat(int folder, const char *name, int flags)
{
    int (*next)(int, const char *, int) = NEXT("unlinkat", int (*)(int, const char *, int)), ret;

    if (!is_ours())
        return next(folder, name, flags);
    PASS(ret, next(folder, name, flags));
    return (int)leave("unlinkat", ret, "%s", name);
}

SHOWN int renameat(int from, const char *name, int to, const char *other)
{
    int (*next)(int, const char *, int, const char *) =
        NEXT("renameat", int (*)(int, const char *, int, const char *)),
                                                   ret;

    if (!is_ours())
        return next(from, name, to, other);
    PASS(ret, next(from, name, to, other));
    return (int)leave("renameat", ret, "%s\t%s", name, other);
}

SHOWN int renameat2(int from, const char *name, int to, const char *other, unsigned flags)
{
    int (*next)(int, const char *, int, const char *, unsigned) =
        NEXT("renameat2", int (*)(int, const char *, int, const char *, unsigned)),
                                                      ret;

    if (!is_ours())
        return next(from, name, to, other, flags);
    if ((flags & RENAME_EXCHANGE) && getenv("CALLS_NO_EXCHANGE") != NULL) {
        errno = EINVAL;
        return -1;
    }
    PASS(ret, next(from, name, to, other, flags));
    return (int)leave(flags & RENAME_EXCHANGE ? "exchange" : "renameat", ret, "%s\t%s", name,
                      other);
}

static int open_it(int folder, const char *name, int flags, mode_t mode)
{
    int (*next)(int, const char *, int, ...) =
        NEXT("openat64", int (*)(int, const char *, int, ...)),
                                        ret;
    const bool nameless = (flags & O_TMPFILE) == O_TMPFILE;

    if (!is_ours() || (!nameless && !(flags & O_CREAT)))
        return next(folder, name, flags, mode);
    if (nameless && getenv("CALLS_NO_TMPFILE") != NULL) {
        errno = EOPNOTSUPP;
        return -1;
    }
    PASS(ret, next(folder, name, flags, mode));
    return (int)leave(nameless ? "nameless" : "create", ret, "%llu\t%s",
                      ret < 0 ? 0 : inode_of(ret), name);
}

SHOWN int openat64(int folder, const char *name, int flags, ...)
{
    va_list rest;
    mode_t mode;

    va_start(rest, flags);
    mode = va_arg(rest, mode_t); /* of no meaning unless a file is made */
    va_end(rest);
    return open_it(folder, name, flags, mode);
}

SHOWN int __openat64_2(int folder, const char *name, int flags)
{
    return open_it(folder, name, flags, 0);
}

SHOWN int ioctl(int fd, unsigned long request, ...)
{
    int (*next)(int, unsigned long, void *) = NEXT("ioctl", int (*)(int, unsigned long, void *)),
                                         ret;
    va_list rest;
    void *argument;

    va_start(rest, request);
    argument = va_arg(rest, void *);
    va_end(rest);
    if (!is_ours() || (request != FS_IOC_SETFLAGS && request != FS_IOC_FSSETXATTR))
        return next(fd, request, argument);
    PASS(ret, next(fd, request, argument));
    return (int)leave("ioctl", ret, "%llu", inode_of(fd));
}
