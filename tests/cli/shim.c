// SPDX-License-Identifier: MIT
/*
 * Stands between a program and its disk (LD_PRELOAD): reads fail, come short or are interrupted, or
 * the file shrinks under them. What it does is said by the environment:
 *
 *   SHIM_FAIL=OFFSET        reading this byte is EIO; what lies before it is read, as a disk does
 *   SHIM_SHORT=1            a read gives some of the bytes asked for, from 1 to 700
 *   SHIM_INTERRUPT=1        two of three reads are interrupted by a signal
 *   SHIM_FLIP=OFFSET        this byte is another one when it is read past the page cache
 *   SHIM_SHRINK=OFFSET:SIZE before this byte is read for the first time the file gets that size
 *   SHIM_FIEMAP=FILE        every file has the extents that FILE lists as far as it is long, a line
 *                           each: offset in the file, length, place on the device, flags; in rising
 *                           order. Empty: it is on a file system that does not tell
 *   SHIM_NO_TMPFILE=1       there are no files without a name
 *
 * io_uring is refused, so that all reads come along here.
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

SHOWN ssize_t pread(int fd, void *buf, size_t len, off_t off);
SHOWN ssize_t pread64(int fd, void *buf, size_t len, off64_t off);
SHOWN ssize_t __pread_chk(int fd, void *buf, size_t len, off_t off, size_t room);
SHOWN ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t off, size_t room);
SHOWN ssize_t preadv2(int fd, const struct iovec *list, int n, off_t off, int flags);
SHOWN ssize_t preadv64v2(int fd, const struct iovec *list, int n, off64_t off, int flags);
SHOWN int ioctl(int fd, unsigned long request, ...);
SHOWN int openat(int folder, const char *name, int flags, ...);
SHOWN int openat64(int folder, const char *name, int flags, ...);
SHOWN int __openat_2(int folder, const char *name, int flags);
SHOWN int __openat64_2(int folder, const char *name, int flags);
SHOWN int io_uring_queue_init(unsigned entries, void *ring, unsigned flags);
SHOWN int io_uring_queue_init_params(unsigned entries, void *ring, void *params);

static unsigned n_calls;

static bool inside(long long at, long long off, size_t len)
{
    return at >= off && at - off < (long long)len;
}

static void shrink(int fd, long long off, size_t len)
{
    static bool done;
    const char *text = getenv("SHIM_SHRINK");
    long long at, size;
    char path[64];

    if (done || text == NULL || sscanf(text, "%lli:%lli", &at, &size) != 2 || !inside(at, off, len))
        return;
    done = true;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (truncate(path, size) < 0) {
        perror("shim: truncate");
        abort();
    }
}

/* How many of @len bytes may be read; -1 with errno if none. */
static ssize_t allowed(int fd, size_t len, long long off)
{
    const char *fail = getenv("SHIM_FAIL");

    n_calls++;
    shrink(fd, off, len);
    if (getenv("SHIM_INTERRUPT") != NULL && n_calls % 3 != 0) {
        errno = EINTR;
        return -1;
    }
    if (fail != NULL && inside(strtoll(fail, NULL, 0), off, len)) {
        len = (size_t)(strtoll(fail, NULL, 0) - off);
        errno = EIO;
        return len > 0 ? (ssize_t)len : -1;
    }
    if (getenv("SHIM_SHORT") != NULL && len > 1 + n_calls * 37 % 700)
        len = 1 + n_calls * 37 % 700;
    return (ssize_t)len;
}

/* As a disk that does not keep what it was given. */
static void flip(int fd, char *bytes, ssize_t n, long long off)
{
    const char *text = getenv("SHIM_FLIP");
    long long at = text != NULL ? strtoll(text, NULL, 0) : 0;

    if (text != NULL && n > 0 && inside(at, off, (size_t)n) && (fcntl(fd, F_GETFL) & O_DIRECT))
        bytes[at - off] ^= 1;
}

SHOWN ssize_t pread64(int fd, void *buf, size_t len, off64_t off)
{
    static ssize_t (*next)(int, void *, size_t, off64_t);
    ssize_t n = allowed(fd, len, off);

    if (next == NULL)
        next = (ssize_t(*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
    if (n > 0)
        n = next(fd, buf, (size_t)n, off);
    flip(fd, buf, n, off);
    return n;
}

SHOWN ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
    return pread64(fd, buf, len, off);
}

SHOWN ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t off, size_t room)
{
    if (room < len)
        abort();
    return pread64(fd, buf, len, off);
}

SHOWN ssize_t __pread_chk(int fd, void *buf, size_t len, off_t off, size_t room)
{
    return __pread64_chk(fd, buf, len, off, room);
}

/* Only what is in memory is asked for this way: EIO does not happen, there is nothing instead. */
SHOWN ssize_t preadv64v2(int fd, const struct iovec *list, int n, off64_t off, int flags)
{
    static ssize_t (*next)(int, const struct iovec *, int, off64_t, int);
    struct iovec first = list[0];
    ssize_t len = allowed(fd, first.iov_len, off);

    if (next == NULL)
        next = (ssize_t(*)(int, const struct iovec *, int, off64_t, int))dlsym(RTLD_NEXT,
                                                                               "preadv64v2");
    if (len < 0) {
        errno = errno == EIO ? EAGAIN : errno;
        return -1;
    }
    if ((size_t)len == first.iov_len)
        return next(fd, list, n, off, flags);
    first.iov_len = (size_t)len;
    return next(fd, &first, 1, off, flags);
}

SHOWN ssize_t preadv2(int fd, const struct iovec *list, int n, off_t off, int flags)
{
    return preadv64v2(fd, list, n, off, flags);
}

/* Goes on in the list where the last answer ended, as long as the questions do: those of a thread are
 * about one file after the other. */
static int answer_fiemap(int fd, const char *list, struct fiemap *request)
{
    static _Thread_local FILE *file;
    long long off, bytes, place, flags, end;
    struct stat st;

    if (*list == '\0') {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (file == NULL)
        file = fopen(list, "re");
    if (file == NULL) {
        perror("shim: extents");
        abort();
    }
    if (request->fm_start == 0)
        rewind(file);
    end = fstat(fd, &st) == 0 ? (st.st_size + 4095) / 4096 * 4096 : 0;
    request->fm_mapped_extents = 0;
    while (request->fm_mapped_extents < request->fm_extent_count &&
           fscanf(file, "%lli %lli %lli %lli", &off, &bytes, &place, &flags) == 4 && off < end)
        request->fm_extents[request->fm_mapped_extents++] = (struct fiemap_extent){
            .fe_logical = (unsigned long long)off,
            .fe_length = (unsigned long long)(bytes < end - off ? bytes : end - off),
            .fe_physical = (unsigned long long)place,
            .fe_flags = (unsigned)flags};
    return 0;
}

SHOWN int ioctl(int fd, unsigned long request, ...)
{
    static int (*next)(int, unsigned long, void *);
    const char *list = getenv("SHIM_FIEMAP");
    va_list rest;
    void *argument;

    va_start(rest, request);
    argument = va_arg(rest, void *);
    va_end(rest);
    if (list != NULL && request == FS_IOC_FIEMAP)
        return answer_fiemap(fd, list, argument);
    if (next == NULL)
        next = (int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl");
    return next(fd, request, argument);
}

static int open_unless_nameless(int folder, const char *name, int flags, mode_t mode)
{
    static int (*next)(int, const char *, int, ...);

    if (getenv("SHIM_NO_TMPFILE") != NULL && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (next == NULL)
        next = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat64");
    return next(folder, name, flags, mode);
}

SHOWN int openat64(int folder, const char *name, int flags, ...)
{
    va_list rest;
    mode_t mode;

    va_start(rest, flags);
    mode = va_arg(rest, mode_t); /* of no meaning unless a file is made */
    va_end(rest);
    return open_unless_nameless(folder, name, flags, mode);
}

SHOWN int openat(int folder, const char *name, int flags, ...)
{
    va_list rest;
    mode_t mode;

    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
    return open_unless_nameless(folder, name, flags, mode);
}

SHOWN int __openat64_2(int folder, const char *name, int flags)
{
    return open_unless_nameless(folder, name, flags, 0);
}

SHOWN int __openat_2(int folder, const char *name, int flags)
{
    return open_unless_nameless(folder, name, flags, 0);
}

SHOWN int io_uring_queue_init(unsigned entries, void *ring, unsigned flags)
{
    (void)entries;
    (void)ring;
    (void)flags;
    return -ENOSYS;
}

SHOWN int io_uring_queue_init_params(unsigned entries, void *ring, void *params)
{
    return io_uring_queue_init(entries, ring, params != NULL);
}
