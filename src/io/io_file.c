// SPDX-License-Identifier: MIT
/*
 * Owns one file descriptor, opened read only. Must never write, create, lock, wait, or open
 * anything but the path that it was given; nor read what stores nothing.
 */
#include "checked.h"
#include "cleanup.h"
#include "err.h"
#include "io.h"
#include "open.h"
#include "ring.h"
#include "sector.h"
#include "spare.h"
#include "size.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define READ_AT_ONCE 64
#define FILE_BYTES_MAX INT64_MAX /* no file has bytes behind that, and no read may reach there */

struct io_file {
    struct io io;
    int fd;
    struct io_identity identity; /* as long as it is open it stays that file */
    atomic_bool waits_always;    /* the file system cannot say what is in memory */
};

static struct io_file *file_of(struct io *io)
{
    return (struct io_file *)io; /* the first member */
}

/* lseek knows the size of regular files and of block devices alike. Reads use pread, so moving
 * the file position disturbs no other thread. */
static int file_size(struct io *io, uint64_t *bytes, struct err *err)
{
    off_t end = lseek(file_of(io)->fd, 0, SEEK_END);

    if (end < 0)
        return err_set(err, errno, "cannot find the size of the file: %s", strerror(errno));
    *bytes = (uint64_t)end;
    return 0;
}

/* Reads on from @got, as long as it takes. */
static int finish_read(struct io_file *file, struct io_request *request, struct err *err)
{
    char *buf = request->buf;

    while (request->got < request->len) {
        uint64_t off = request->off + request->got;
        size_t left = request->len - request->got;
        ssize_t n;

        if (off >= FILE_BYTES_MAX)
            break;
        if (left > FILE_BYTES_MAX - off)
            left = (size_t)(FILE_BYTES_MAX - off);
        n = pread(file->fd, buf + request->got, left, (off_t)off);
        if (n == 0)
            break;
        if (n > 0)
            request->got += (size_t)n;
        else if (errno != EINTR)
            return err_set(err, errno, "cannot read %zu %s at offset 0x%" PRIx64 ": %s",
                           request->len - request->got,
                           size_noun(request->len - request->got, "byte", "bytes"), off,
                           strerror(errno));
    }
    memset(buf + request->got, 0, request->len - request->got);
    return 0;
}

/*
 * Takes what is in memory already, without waiting. True if that was all. A file system that
 * cannot tell is asked once, and then waited for like any other.
 */
static bool read_cached(struct io_file *file, struct io_request *request)
{
    struct iovec vector = {request->buf, request->len};
    ssize_t n;

    request->got = 0;
    request->waited = false;
    if (file->waits_always || !checked_inside(request->off, request->len, FILE_BYTES_MAX))
        return false;
    n = preadv2(file->fd, &vector, 1, (off_t)request->off, RWF_NOWAIT);
    if (n > 0)
        request->got = (size_t)n;
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        file->waits_always = true;
    return request->got == request->len;
}

static int by_offset(const void *a, const void *b)
{
    const struct io_request *const *left = a, *const *right = b;

    return ((*left)->off > (*right)->off) - ((*left)->off < (*right)->off);
}

/*
 * What is not in memory is asked for all at once, in the order of the file, so that the device
 * has its queue full and a disk does not seek to and fro.
 */
static int file_read(struct io *io, struct io_request *requests, size_t n, struct err *err)
{
    struct io_file *file = file_of(io);
    struct io_request *waiting[READ_AT_ONCE];

    for (size_t first = 0; first < n; first += READ_AT_ONCE) {
        size_t end = n - first < READ_AT_ONCE ? n : first + READ_AT_ONCE, n_waiting = 0;

        for (size_t i = first; i < end; i++)
            if (!read_cached(file, &requests[i]))
                waiting[n_waiting++] = &requests[i];
        if (n_waiting > 1) {
            qsort(waiting, n_waiting, sizeof(waiting[0]), by_offset);
            io_ring_read(file->fd, waiting, n_waiting);
        }
        for (size_t i = 0; i < n_waiting; i++) {
            int ret = finish_read(file, waiting[i], err);

            waiting[i]->waited = !file->waits_always;
            if (ret < 0)
                return ret;
        }
    }
    return 0;
}

static void file_read_cached(struct io *io, struct io_request *requests, size_t n)
{
    for (size_t i = 0; i < n; i++)
        read_cached(file_of(io), &requests[i]);
}

static uint64_t file_next_data(struct io *io, uint64_t off)
{
    off_t found;

    if (off > INT64_MAX)
        return UINT64_MAX;
    found = lseek(file_of(io)->fd, (off_t)off, SEEK_DATA);
    if (found >= 0)
        return (uint64_t)found;
    return errno == ENXIO ? UINT64_MAX : off;
}

static uint64_t file_next_hole(struct io *io, uint64_t off)
{
    off_t found;

    if (off > INT64_MAX)
        return off;
    found = lseek(file_of(io)->fd, (off_t)off, SEEK_HOLE);
    if (found >= 0)
        return (uint64_t)found;
    return errno == ENXIO ? off : UINT64_MAX; /* behind the end, or no holes are known here */
}

static struct io_identity file_identity(struct io *io)
{
    return file_of(io)->identity;
}

/* Is a byte of [start, start + n) locked by anyone? 1 or 0, or -1 where that cannot be asked. */
static int is_locked(int fd, off_t start, off_t n)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = n};

    if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
        return -1;
    return lock.l_type != F_UNLCK;
}

/*
 * QEMU locks byte 100 + p of its files while it uses permission p, and byte 200 + p while it lets
 * nobody else have it (block/file-posix.c, raw_apply_lock_bytes). Permissions: 0 consistent read,
 * 1 write, 2 write unchanged, 3 resize, 4 change of the graph (in old versions).
 */
static struct io_users file_users(struct io *io)
{
    int fd = file_of(io)->fd;
    int used = is_locked(fd, 100, 5), unshared = is_locked(fd, 200, 5);

    if (used < 0 || unshared < 0)
        return (struct io_users){.known = false};
    return (struct io_users){
        .known = true,
        .held = used || unshared,
        .written = used && (is_locked(fd, 101, 1) == 1 || is_locked(fd, 103, 1) == 1),
        .in_flux = unshared && is_locked(fd, 200, 1) == 1,
    };
}

/* Clocks of file systems go on in steps of up to 10 ms. */
#define FRESH_NANOSECONDS INT64_C(20000000)

/* A device has no time of its contents. A network's file system is asked, not what is remembered.
 */
static struct io_stamp file_stamp(struct io *io)
{
    struct io_stamp stamp = {.known = false};
    struct timespec now;
    struct statx st;

    if (statx(file_of(io)->fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
              STATX_TYPE | STATX_MTIME | STATX_SIZE, &st) < 0 ||
        !(st.stx_mask & STATX_MTIME) || !S_ISREG(st.stx_mode))
        return stamp;
    stamp = (struct io_stamp){.known = true,
                              .seconds = (uint64_t)st.stx_mtime.tv_sec,
                              .nanoseconds = st.stx_mtime.tv_nsec,
                              .bytes = st.stx_size};
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec - st.stx_mtime.tv_sec < 2)
        stamp.fresh = (now.tv_sec - st.stx_mtime.tv_sec) * INT64_C(1000000000) + now.tv_nsec -
                          st.stx_mtime.tv_nsec <
                      FRESH_NANOSECONDS;
    return stamp;
}

static int file_descriptor(struct io *io)
{
    return file_of(io)->fd;
}

static struct opt_u64 file_allocated(struct io *io)
{
    struct stat st;

    if (fstat(file_of(io)->fd, &st) < 0 || !S_ISREG(st.st_mode))
        return (struct opt_u64){.known = false};
    return opt_u64_of((uint64_t)st.st_blocks * SECTOR_BYTES); /* as Linux counts them */
}

static void file_close(struct io *io)
{
    close(file_of(io)->fd);
    free(io);
}

static const struct io_ops file_ops = {
    .size = file_size,
    .read = file_read,
    .read_cached = file_read_cached,
    .next_data = file_next_data,
    .next_hole = file_next_hole,
    .identity = file_identity,
    .users = file_users,
    .stamp = file_stamp,
    .descriptor = file_descriptor,
    .allocated = file_allocated,
    .close = file_close,
};

/* Regular files and block devices hold images; the rest could block, or never end. */
static int check_type(mode_t mode, struct err *err)
{
    if (S_ISREG(mode) || S_ISBLK(mode))
        return 0;
    return err_set(err, S_ISDIR(mode) ? EISDIR : EINVAL,
                   "is %s, not a disk image; name a regular file or a block device",
                   S_ISDIR(mode)    ? "a directory"
                   : S_ISFIFO(mode) ? "a FIFO"
                   : S_ISSOCK(mode) ? "a socket"
                   : S_ISCHR(mode)  ? "a character device"
                                    : "a special file");
}

static int check_found_type(mode_t mode, struct err *err)
{
    if (S_ISREG(mode))
        return 0;
    return err_set(err, EINVAL, "was a file when it was found, and %s",
                   S_ISLNK(mode) ? "is a link now, which is not followed" : "is none now");
}

/* A device file may lie on devtmpfs; what it stands for has storage. */
static int check_storage(mode_t mode, const char *system, struct err *err)
{
    if (!S_ISREG(mode) || system == NULL)
        return 0;
    return err_set(err, EINVAL, "is on %s, a file system without storage: it is not read", system);
}

/* Several device files may stand for one device. */
static struct io_identity identity_of(const struct stat *st)
{
    if (S_ISBLK(st->st_mode))
        return (struct io_identity){.known = true, .is_device = true, .device = st->st_rdev};
    return (struct io_identity){.known = true, .device = st->st_dev, .inode = st->st_ino};
}

static int take_descriptor(int fd, const struct stat *st, struct io **io, struct err *err)
{
    struct io_file *file = malloc(sizeof(*file));

    if (file == NULL)
        return err_no_memory(err);
    *file = (struct io_file){.io = {&file_ops}, .fd = fd, .identity = identity_of(st)};
    *io = &file->io;
    return 0;
}

/* How every file is opened: should the name have become a FIFO meanwhile, this does not wait. */
#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY)

static int check(const struct stat *st, bool found, struct err *err)
{
    return found ? check_found_type(st->st_mode, err) : check_type(st->st_mode, err);
}

static int check_opened(int fd, bool found, struct stat *st, struct err *err)
{
    int ret;

    if (fstat(fd, st) < 0)
        return err_set(err, errno, "cannot examine: %s", strerror(errno));
    ret = check(st, found, err);
    if (ret < 0)
        return ret;
    io_spare(st);
    return check_storage(st->st_mode, io_storeless(fd), err);
}

static int open_checked(int folder, const char *name, bool found, struct io **io, struct err *err)
{
    CLEANUP_CLOSE int fd = -1;
    struct stat st;
    int ret;

    /* Look before opening: already the opening of a FIFO or of a tape has effects on others. */
    if (fstatat(folder, name, &st, found ? AT_SYMLINK_NOFOLLOW : 0) < 0)
        return err_set(err, errno, "cannot open: %s", strerror(errno));
    io_spare(&st);
    ret = check(&st, found, err);
    if (ret == 0 && !found)
        ret = check_storage(st.st_mode, io_storeless_path(name), err);
    if (ret < 0)
        return ret;
    fd = io_open_at(folder, name, OPEN_FLAGS | (found ? O_NOFOLLOW : 0));
    if (fd < 0 && found && errno == ELOOP)
        return check_found_type(S_IFLNK, err);
    if (fd < 0)
        return err_set(err, errno, "cannot open for reading: %s", strerror(errno));
    ret = check_opened(fd, found, &st, err);
    if (ret == 0)
        ret = take_descriptor(fd, &st, io, err);
    if (ret == 0)
        fd = -1; /* it is that of @io now */
    return ret;
}

int io_file_open(const char *path, struct io **io, struct err *err)
{
    return open_checked(AT_FDCWD, path, false, io, err);
}

int io_file_open_found(int folder, const char *name, struct io **io, struct err *err)
{
    return open_checked(folder, name, true, io, err);
}

int io_file_again(struct io *io, struct io **again, struct err *err)
{
    CLEANUP_CLOSE int fd = fcntl(file_of(io)->fd, F_DUPFD_CLOEXEC, 0);
    struct stat st;
    int ret;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(err, errno, "cannot open it again: %s", strerror(errno));
    ret = take_descriptor(fd, &st, again, err);
    if (ret == 0)
        fd = -1; /* it is that of @again now */
    return ret;
}
