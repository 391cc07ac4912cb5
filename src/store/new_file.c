// SPDX-License-Identifier: MIT
/* Owns the new file until it has its name. Must never touch another one. */
#include "new_file.h"

#include "aside.h"
#include "attributes.h"
#include "cleanup.h"
#include "err.h"
#include "io.h"
#include "kept.h"
#include "leftover.h"
#include "lock.h"
#include "original.h"
#include "size.h"
#include "spare.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define HIDE_MOMENTS 100 /* of 50 ms */

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
    io_close(file->present);
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

/* A program that has the old file open would go on writing to what is gone: nobody begins that from
 * here on, either. */
static int take_present(struct store_new_file *file, struct err *err)
{
    struct err ignored = {0};
    int fd, ret = io_file_open_found(file->folder, file->name, &file->present, err);

    if (ret < 0)
        return ret;
    fd = io_descriptor(file->present);
    if (store_lock_take(fd, STORE_LOCK_OWNER, &ignored) != -EBUSY &&
        store_lock_check_writers(fd, STORE_LOCK_OWNER, &ignored) != -EBUSY)
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
    if (io_spare_has(IO_SPARE_IMAGE))
        return err_set(err, EEXIST,
                       "cannot make %s: it is one of the files that the image is built on; choose "
                       "another name",
                       file->path);
    return take_present(file, err);
}

/* Another descriptor of the same file, or -1. */
static int open_again(const struct store_new_file *file, int flags)
{
    char self[64];

    snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
    return open(self, flags | O_CLOEXEC);
}

/* Empty, without a name, and locked. */
static int make(struct store_new_file *file, int like, struct err *err)
{
    struct err ignored = {0};

    file->fd = io_aside_open(file->folder, IO_ASIDE_IMAGE, O_RDWR, 0600);
    if (file->fd < 0)
        return fail(file, "make", err);
    /* Nobody else knows it; and where there are no locks, that was said of the source. */
    store_lock_take(file->fd, STORE_LOCK_OWNER, &ignored);
    store_attributes_copy_flags(like, file->fd, file->lost);
    file->direct = open_again(file, O_WRONLY | O_DIRECT);
    return 0;
}

static int make_second(struct store_new_file *file, const struct store_new_file_options *options,
                       struct err *err)
{
    struct stat like;
    int ret = fstat(options->like, &like) < 0 ? fail(file, "make", err) : find_folder(file, err);

    if (ret == 0)
        ret = check_present(file, options, &like, err);
    if (ret == 0) {
        store_leftover_remove(file->folder);
        ret = make(file, options->like, err);
    }
    if (ret == 0 && S_ISREG(like.st_mode) && fchmod(file->fd, like.st_mode & 0777) < 0)
        ret = fail(file, "make", err);
    return ret;
}

int store_new_file_open(const char *path, const struct store_new_file_options *options,
                        struct store_new_file *file, struct err *err)
{
    int ret;

    *file = (struct store_new_file){.fd = -1, .direct = -1, .folder = -1, .path = strdup(path)};
    ret = file->path == NULL ? err_no_memory(err) : make_second(file, options, err);
    if (ret < 0)
        release(file);
    return ret;
}

static int make_over(struct store_new_file *file, struct err *err)
{
    const struct store_original *original = file->original;
    int ret;

    if (file->path == NULL || file->name == NULL)
        return err_no_memory(err);
    file->folder = fcntl(original->folder, F_DUPFD_CLOEXEC, 0);
    if (file->folder < 0)
        return fail(file, "make", err);
    ret = make(file, io_descriptor(original->io), err);
    return ret < 0 ? ret : store_attributes_copy(io_descriptor(original->io), file->fd, err);
}

int store_new_file_open_over(const struct store_original *original, struct store_new_file *file,
                             struct err *err)
{
    int ret;

    *file = (struct store_new_file){.fd = -1,
                                    .direct = -1,
                                    .folder = -1,
                                    .path = strdup(original->path),
                                    .name = strdup(original->name),
                                    .original = original};
    ret = make_over(file, err);
    if (ret < 0)
        release(file);
    return ret;
}

int store_new_file_check_room(const struct store_new_file *file, uint64_t bytes, struct err *err)
{
    char wanted[SIZE_TEXT_MAX], present[SIZE_TEXT_MAX];
    struct statfs system;
    bool reserve; /* is there for root: what btrfs does not offer to others has no room for files */
    uint64_t room;

    if (fstatfs(file->fd, &system) < 0 || system.f_blocks == 0) /* some tell nothing */
        return 0;
    reserve = geteuid() == 0 && system.f_type != BTRFS_SUPER_MAGIC;
    room = (uint64_t)(reserve ? system.f_bfree : system.f_bavail) *
           (uint64_t)(system.f_frsize > 0 ? system.f_frsize : system.f_bsize);
    if (bytes <= room)
        return 0;
    size_format(wanted, bytes);
    size_format(present, room);
    return err_set(err, ENOSPC,
                   "there is not enough room for a second file while it is written: it takes %s, "
                   "and %s are free; --output writes it elsewhere",
                   wanted, present);
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
    return n < 0 ? 0 : (size_t)n & ~(size_t)(STORE_DIRECT_BYTES - 1);
}

/* What begins or ends inside a page, and what is short, the page cache collects better. */
int store_new_file_write_through(struct store_new_file *file, uint64_t off, const void *bytes,
                                 size_t len, struct err *err)
{
    uint64_t begin = (off + STORE_DIRECT_BYTES - 1) & ~(uint64_t)(STORE_DIRECT_BYTES - 1);
    uint64_t end = (off + len) & ~(uint64_t)(STORE_DIRECT_BYTES - 1);
    const char *from = bytes;
    size_t done;
    int ret;

    if (end <= begin || end - begin < DIRECT_BYTES_MIN ||
        (uintptr_t)(from + (begin - off)) % STORE_DIRECT_BYTES != 0)
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

int store_new_file_show(struct store_new_file *file, char **path, struct err *err)
{
    const char *slash = strrchr(file->path, '/'), *hidden = io_aside_show(file->folder, file->fd);
    int folder_len = slash == NULL ? 0 : (int)(slash - file->path) + 1;

    if (hidden == NULL)
        return fail(file, "make", err);
    if (asprintf(path, "%s%.*s%s", *file->path == '/' ? "" : "./", folder_len, file->path, hidden) <
        0)
        return err_no_memory(err);
    store_lock_let_read(file->fd);
    return 0;
}

/* Who was told to end may take a moment. */
int store_new_file_hide(struct store_new_file *file, struct err *err)
{
    const struct timespec moment = {0, 50L * 1000 * 1000};
    int ret = 0;

    for (unsigned i = 0; i < HIDE_MOMENTS; i++) {
        struct err refusal = {0};

        ret = store_lock_take(file->fd, STORE_LOCK_OWNER, &refusal);
        if (ret == 0 || ret == -ENOLCK)
            ret = store_lock_check_writers(file->fd, STORE_LOCK_OWNER, &refusal);
        if (ret == 0)
            return 0;
        if (ret != -EBUSY) {
            *err = refusal;
            return ret;
        }
        nanosleep(&moment, NULL);
    }
    return err_set(err, EBUSY,
                   "the check command has ended, but not all that it began: the new image is still "
                   "open elsewhere, and is thrown away");
}

/* Once more: they may have changed meanwhile, of either file. */
static int take_over_attributes(struct store_new_file *file, struct err *err)
{
    int ret = store_attributes_copy(io_descriptor(file->original->io), file->fd, err);

    if (ret == 0 && file->original->kept != NULL)
        store_kept_mark(file->fd, file->folder, file->original->kept);
    return ret < 0 ? ret : store_new_file_sync(file, err);
}

static int give_name(struct store_new_file *file, struct err *err)
{
    const struct store_original *original = file->original;
    int ret = original != NULL ? take_over_attributes(file, err) : 0;

    if (ret == 0 && original != NULL)
        ret = store_original_check(original, err);
    if (ret < 0)
        return ret;
    if (original != NULL)
        ret = io_aside_replace(file->folder, file->name, original->kept, file->fd,
                               io_descriptor(original->io));
    else if (file->present != NULL)
        ret = io_aside_replace(file->folder, file->name, NULL, file->fd,
                               io_descriptor(file->present));
    else
        ret = io_aside_commit(file->folder, file->name, file->fd, false);
    if (ret == 0)
        return 0;
    if (original == NULL && errno == ESTALE)
        return err_set(err, ESTALE,
                       "cannot make %s: somebody has put another file there meanwhile; begin again",
                       file->path);
    if (original == NULL)
        return fail(file, "make", err);
    return errno == ESTALE ? store_original_tell_gone(err)
                           : err_set(err, errno, "cannot be replaced: %s", strerror(errno));
}

/* The name is on the device as well, where the file system can do that. */
static int sync_folder(const struct store_new_file *file, struct err *err)
{
    char here[64];
    CLEANUP_CLOSE int folder = -1;
    int ret;

    snprintf(here, sizeof(here), "/proc/self/fd/%d", file->folder);
    folder = open(here, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0)
        ret = fsync(folder);
    else /* one that this user may not list */
        ret = errno == EACCES ? syncfs(file->fd) : -1;
    if (ret == 0) /* after a failure XFS says yes of a folder, but not of a file */
        ret = fsync(file->fd);
    if (ret == 0 || errno == EINVAL || errno == ENOTSUP)
        return 0;
    return err_set(err, errno,
                   "the new image has its name, but its folder could not be written to the device "
                   "(%s): after a loss of power %s",
                   strerror(errno),
                   file->original != NULL ? "the old one may be there again" : "it may be gone");
}

int store_new_file_commit(struct store_new_file *file, bool *named, struct err *err)
{
    int ret = give_name(file, err);

    *named = ret == 0;
    if (ret == 0)
        ret = sync_folder(file, err);
    release(file);
    return ret;
}

void store_new_file_abort(struct store_new_file *file)
{
    release(file);
}
