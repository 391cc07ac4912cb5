// SPDX-License-Identifier: MIT
/* Owns the new file until it has its name. Must never touch another one. */
#include "new_file.h"

#include "aside.h"
#include "err.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DIRECT_ALIGN 4096            /* of the file, the memory and the length */
#define DIRECT_BYTES_MIN (128 << 10) /* a shorter one waits longer for the disk than it writes */

static int fail(const struct store_new_file *file, const char *what, struct err *err)
{
    return err_set(err, errno, "cannot %s %s: %s", what, file->path, strerror(errno));
}

static void release(struct store_new_file *file)
{
    io_aside_remove();
    if (file->fd >= 0)
        close(file->fd);
    if (file->direct >= 0)
        close(file->direct);
    if (file->folder >= 0)
        close(file->folder);
    free(file->path);
    free(file->name);
    *file = (struct store_new_file){.fd = -1, .direct = -1, .folder = -1};
}

/* Folder and name of the path; both are new. */
static int find_folder(struct store_new_file *file, struct err *err)
{
    const char *slash = strrchr(file->path, '/');
    char *folder =
        slash == NULL ? strdup(".") : strndup(file->path, (size_t)(slash - file->path) + 1);

    file->name = strdup(slash != NULL ? slash + 1 : file->path);
    if (folder == NULL || file->name == NULL) {
        free(folder);
        return err_no_memory(err);
    }
    file->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (file->folder < 0)
        return fail(file, "make", err);
    if (*file->name == '\0')
        return err_set(err, EISDIR, "cannot make %s: it is a folder; name a file in it",
                       file->path);
    return 0;
}

/* A program that has the old file open would go on writing to what is gone. */
static int check_users(const struct store_new_file *file, struct err *err)
{
    struct io_users users;
    struct io *io;
    int ret = io_file_open(file->path, &io, err);

    if (ret < 0)
        return ret;
    users = io_users(io);
    io_close(io);
    if (!users.known || !users.held)
        return 0;
    return err_set(err, EBUSY,
                   "cannot make %s: the file of that name is in use; choose another name",
                   file->path);
}

/* What has the name now, if anything. */
static int check_present(struct store_new_file *file, const struct store_new_file_options *options,
                         const struct stat *like, struct err *err)
{
    struct stat st;

    if (fstatat(file->folder, file->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : fail(file, "make", err);
    if (st.st_dev == like->st_dev && st.st_ino == like->st_ino)
        return err_set(err, EEXIST, "cannot make %s: it is the image itself; choose another name",
                       file->path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, EEXIST,
                       "cannot make %s: there is something else than a file; choose "
                       "another name",
                       file->path);
    if (!options->overwrite)
        return err_set(err, EEXIST,
                       "cannot make %s: it exists; choose another name, or --overwrite "
                       "it",
                       file->path);
    file->replace = true;
    return check_users(file, err);
}

/* On btrfs: what is written again stays in its place. Only an empty file can be told so. */
static void take_over_nocow(int fd, int like)
{
    int flags, of_like;

    if (ioctl(like, FS_IOC_GETFLAGS, &of_like) == 0 && (of_like & FS_NOCOW_FL) &&
        ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_NOCOW_FL;
        ioctl(fd, FS_IOC_SETFLAGS, &flags);
    }
}

/* Another descriptor of the same file, or -1. */
static int open_again(const struct store_new_file *file, int flags)
{
    char self[64];

    snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
    return open(self, flags | O_CLOEXEC);
}

static int make(struct store_new_file *file, const struct store_new_file_options *options,
                struct err *err)
{
    struct stat like;
    int ret = fstat(options->like, &like) < 0 ? fail(file, "make", err) : find_folder(file, err);

    if (ret == 0)
        ret = check_present(file, options, &like, err);
    if (ret < 0)
        return ret;
    file->fd = io_aside_open(file->folder, O_RDWR, 0600);
    if (file->fd < 0)
        return fail(file, "make", err);
    if (S_ISREG(like.st_mode) && fchmod(file->fd, like.st_mode & 0777) < 0)
        return fail(file, "make", err);
    take_over_nocow(file->fd, options->like);
    file->direct = open_again(file, O_WRONLY | O_DIRECT);
    return 0;
}

int store_new_file_open(const char *path, const struct store_new_file_options *options,
                        struct store_new_file *file, struct err *err)
{
    int ret;

    *file = (struct store_new_file){.fd = -1, .direct = -1, .folder = -1, .path = strdup(path)};
    ret = file->path == NULL ? err_no_memory(err) : make(file, options, err);
    if (ret < 0)
        release(file);
    return ret;
}

int store_new_file_set_length(struct store_new_file *file, uint64_t bytes, struct err *err)
{
    return ftruncate(file->fd, (off_t)bytes) < 0 ? fail(file, "write", err) : 0;
}

int store_new_file_reserve(struct store_new_file *file, uint64_t off, uint64_t len, struct err *err)
{
    int ret;

    if (len == 0)
        return 0;
    do
        ret = fallocate(file->fd, FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len);
    while (ret < 0 && errno == EINTR);
    return ret < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO)
               ? fail(file, "write", err)
               : 0;
}

static int write_by(const struct store_new_file *file, int fd, uint64_t off, const void *bytes,
                    size_t len, struct err *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, (off_t)(off + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? ENOSPC : errno;
            return fail(file, "write", err);
        }
        done += (size_t)n;
    }
    return 0;
}

int store_new_file_write(struct store_new_file *file, uint64_t off, const void *bytes, size_t len,
                         struct err *err)
{
    return write_by(file, file->fd, off, bytes, len, err);
}

/* How much of it was written so. 0: it cannot be done this way, or only the usual way tells why. */
static size_t write_direct(struct store_new_file *file, uint64_t off, const void *bytes, size_t len)
{
    ssize_t n;

    if (file->direct < 0 || atomic_load(&file->no_direct))
        return 0;
    do
        n = pwrite(file->direct, bytes, len, (off_t)off);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EINVAL)
        atomic_store(&file->no_direct, true);
    return n < 0 ? 0 : (size_t)n & ~(size_t)(DIRECT_ALIGN - 1);
}

/* What begins or ends inside a page, and what is short, the page cache collects better. */
int store_new_file_write_through(struct store_new_file *file, uint64_t off, const void *bytes,
                                 size_t len, struct err *err)
{
    uint64_t begin = (off + DIRECT_ALIGN - 1) & ~(uint64_t)(DIRECT_ALIGN - 1);
    uint64_t end = (off + len) & ~(uint64_t)(DIRECT_ALIGN - 1);
    const char *from = bytes;
    size_t done;
    int ret;

    if (end <= begin || end - begin < DIRECT_BYTES_MIN ||
        (uintptr_t)(from + (begin - off)) % DIRECT_ALIGN != 0)
        return write_by(file, file->fd, off, from, len, err);
    ret = write_by(file, file->fd, off, from, (size_t)(begin - off), err);
    done = (size_t)(begin - off);
    while (ret == 0 && off + done < end) {
        size_t n = write_direct(file, off + done, from + done, (size_t)(end - (off + done)));

        if (n == 0)
            break;
        done += n;
    }
    return ret < 0 ? ret : write_by(file, file->fd, off + done, from + done, len - done, err);
}

int store_new_file_read(const struct store_new_file *file, uint64_t off, void *bytes, size_t len,
                        struct err *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(file->fd, (char *)bytes + done, len - done, (off_t)(off + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            return err_set(err, EIO, "cannot read %s back: it has become shorter", file->path);
        if (n < 0)
            return fail(file, "read back", err);
        done += (size_t)n;
    }
    return 0;
}

void store_new_file_begin_sync(struct store_new_file *file, uint64_t off, uint64_t len)
{
    sync_file_range(file->fd, (off_t)off, (off_t)len, SYNC_FILE_RANGE_WRITE);
}

int store_new_file_sync(struct store_new_file *file, struct err *err)
{
    return fsync(file->fd) < 0 ? fail(file, "write", err) : 0;
}

int store_new_file_read_back(const struct store_new_file *file, int *fd, bool *direct,
                             struct err *err)
{
    *fd = open_again(file, O_RDONLY | O_DIRECT);
    *direct = *fd >= 0;
    if (*fd >= 0)
        return 0;
    *fd = open_again(file, O_RDONLY);
    if (*fd < 0)
        return fail(file, "read back", err);
    posix_fadvise(*fd, 0, 0, POSIX_FADV_DONTNEED);
    return 0;
}

int store_new_file_commit(struct store_new_file *file, struct err *err)
{
    char here[64];
    int folder, ret = 0;

    if (io_aside_commit(file->folder, file->name, file->fd, file->replace) < 0)
        ret = fail(file, "make", err);
    snprintf(here, sizeof(here), "/proc/self/fd/%d", file->folder);
    folder = ret == 0 ? open(here, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder >= 0) { /* its name is on the device as well; not every file system can */
        if (fsync(folder) < 0 && errno == EIO)
            ret = fail(file, "make", err);
        close(folder);
    }
    release(file);
    return ret;
}

void store_new_file_abort(struct store_new_file *file)
{
    release(file);
}
