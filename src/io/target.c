// SPDX-License-Identifier: MIT
/* Owns the judgement of what may be written. Must never write a byte itself. */
#include "target.h"

#include "cleanup.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel has it */

int io_target_refuse(const char *path, struct err *err, int code, const char *why)
{
    return err_set(err, code, "cannot write %s: %s", path != NULL ? path : "to standard output",
                   why);
}

static int fail(const char *path, struct err *err)
{
    return io_target_refuse(path, err, errno, strerror(errno));
}

/* ---- is it a disk image? ---- */

/* What no text begins with, and no result of ours: a boot sector's mark is no UTF-8. */
static const struct {
    size_t off, len;
    const char *bytes;
    const char *format;
} marks[] = {
    {0, 4, "QFI\xfb", "qcow2"},
    {0, 4, "KDMV", "VMDK"},
    {0, 4, "COWD", "VMDK"},
    {0, 21, "# Disk DescriptorFile", "VMDK"},
    {64, 4, "\x7f\x10\xda\xbe", "VDI"},
    {0, 8, "vhdxfile", "VHDX"},
    {0, 4, "QED\0", "QED"},
    {0, 8, "conectix", "VHD"},
    {0, 16, "WithoutFreeSpace", "Parallels"},
    {0, 16, "WithouFreSpacExt", "Parallels"},
    {0, 6, "LUKS\xba\xbe", "LUKS"},
    {510, 2, "\x55\xaa", "with a boot sector"},
};

#define HEAD_BYTES 512

/* @fd NULL: it could not be opened, as errno says. Takes @fd. */
static int check_head(const char *path, int fd, struct err *err)
{
    unsigned char head[HEAD_BYTES] = {0};
    ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);
    int code = errno;
    char why[128];

    if (fd >= 0)
        close(fd);
    if (n < 0) {
        snprintf(why, sizeof(why),
                 "there is a file that cannot be read (%s), so it may be a disk image; remove it "
                 "first, or choose another name",
                 strerror(code));
        return io_target_refuse(path, err, code, why);
    }
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (marks[i].off + marks[i].len > (size_t)n ||
            memcmp(head + marks[i].off, marks[i].bytes, marks[i].len) != 0)
            continue;
        snprintf(why, sizeof(why),
                 "there is a disk image (%s), which is not replaced; choose "
                 "another name",
                 marks[i].format);
        return io_target_refuse(path, err, EEXIST, why);
    }
    return 0;
}

/* What may not be written to, by its kind alone. */
static int check_kind(const char *path, mode_t mode, struct err *err)
{
    if (S_ISBLK(mode))
        return io_target_refuse(path, err, EINVAL,
                                "it is a block device, which a result would destroy; name a file");
    if (S_ISDIR(mode))
        return io_target_refuse(path, err, EISDIR, strerror(EISDIR));
    if (S_ISSOCK(mode))
        return io_target_refuse(path, err, EINVAL, "it is a socket; name a file");
    return 0;
}

/* ---- what is written in place ---- */

/* @fd is one of this process; its kind decides. Of a file that has just been made nothing is lost.
 */
static int check_descriptor(const char *path, int fd, struct io_target *target, struct err *err)
{
    char name[64];
    int ret;

    if (fstat(fd, &target->st) < 0)
        return path != NULL ? fail(path, err) : 0; /* a closed output is told when it is used */
    ret = check_kind(path, S_ISSOCK(target->st.st_mode) ? S_IFIFO : target->st.st_mode, err);
    target->exists = S_ISREG(target->st.st_mode);
    if (ret < 0 || !target->exists || target->st.st_size == 0)
        return ret;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd < 0 ? 0 : check_head(path, fd, err); /* the caller has chosen the file, unreadable */
}

/* Waits for no reader, but then for one that is slow, like any writer. */
static int open_in_place(const char *path, struct io_target *target, int flags, struct err *err)
{
    CLEANUP_CLOSE int fd =
        openat(target->folder, target->name, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
    struct stat st;
    int status;

    if (fd < 0 && errno == ENXIO && S_ISFIFO(target->st.st_mode))
        return io_target_refuse(path, err, ENXIO,
                                "nobody reads from this FIFO; start its reader first");
    if (fd < 0)
        return fail(path, err);
    if (fstat(fd, &st) < 0 || (!S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode)))
        return io_target_refuse(path, err, EAGAIN, "it is being exchanged for something else");
    status = fcntl(fd, F_GETFL);
    if (status < 0 || fcntl(fd, F_SETFL, status & ~O_NONBLOCK) < 0)
        return fail(path, err);
    target->fd = fd;
    fd = -1;
    return 0;
}

/* ---- following links ---- */

static bool is_number(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 9;
}

static bool is_own_descriptor(const struct io_target *target)
{
    struct stat folder, own;

    return is_number(target->name) && fstat(target->folder, &folder) == 0 &&
           stat("/proc/self/fd", &own) == 0 && folder.st_dev == own.st_dev &&
           folder.st_ino == own.st_ino;
}

static bool is_in_proc(int folder)
{
    struct statfs fs;

    return fstatfs(folder, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/*
 * A link of /proc leads to what a process has open, not to a name. What this one has open is
 * written where it stands, as its caller wishes (/dev/stdout).
 */
static int take_open_file(const char *path, struct io_target *target, struct err *err)
{
    int ret;

    if (is_own_descriptor(target)) {
        int fd = atoi(target->name);

        ret = check_descriptor(path, fd, target, err);
        if (ret == 0)
            target->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return ret == 0 && target->fd < 0 ? fail(path, err) : ret;
    }
    if (fstatat(target->folder, target->name, &target->st, 0) < 0)
        return fail(path, err);
    if (S_ISREG(target->st.st_mode))
        return io_target_refuse(path, err, EINVAL,
                                "it is a file that another program has open; name the file itself");
    ret = check_kind(path, target->st.st_mode, err);
    return ret < 0 ? ret : open_in_place(path, target, 0, err);
}

/*
 * In a folder where everybody may make links, only those of its owner and of the user are followed,
 * as the kernel does it (fs.protected_symlinks): else anybody could choose what root replaces.
 */
static int check_link(const char *path, const struct io_target *target, struct err *err)
{
    struct stat folder, link;

    if (fstat(target->folder, &folder) < 0 ||
        fstatat(target->folder, target->name, &link, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(path, err);
    if ((folder.st_mode & (S_ISVTX | S_IWOTH)) == (S_ISVTX | S_IWOTH) && link.st_uid != geteuid() &&
        link.st_uid != folder.st_uid)
        return io_target_refuse(path, err, EACCES,
                                "it is a link that another user made in a folder of everybody");
    return 0;
}

/* The folder of @step, as seen from the one before, becomes that of @target; the rest its name. */
static int go_to(const char *path, const char *step, struct io_target *target, struct err *err)
{
    const char *slash = strrchr(step, '/');
    const char *name = slash != NULL ? slash + 1 : step;
    char *folder = slash == NULL ? strdup(".") : strndup(step, (size_t)(slash - step) + 1);
    char *copy = strdup(name);
    int fd;

    free(target->name);
    target->name = copy;
    if (folder == NULL || copy == NULL) {
        free(folder);
        return err_no_memory(err);
    }
    fd = openat(target->folder >= 0 ? target->folder : AT_FDCWD, folder,
                O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0)
        return fail(path, err);
    if (target->folder >= 0)
        close(target->folder);
    target->folder = fd;
    if (*name == '\0') /* "folder/" */
        return io_target_refuse(path, err, EISDIR, strerror(EISDIR));
    return 0;
}

/* Sets folder and name, or fd. */
static int follow(const char *path, struct io_target *target, struct err *err)
{
    char step[PATH_MAX];
    int ret = go_to(path, path, target, err);

    for (unsigned links = 0; ret == 0; links++) {
        ssize_t n = readlinkat(target->folder, target->name, step, sizeof(step) - 1);

        if (n < 0)
            return errno == EINVAL || errno == ENOENT ? 0 : fail(path, err);
        if (is_in_proc(target->folder))
            return take_open_file(path, target, err);
        if (links == LINKS_MAX)
            return io_target_refuse(path, err, ELOOP, strerror(ELOOP));
        step[n] = '\0';
        ret = check_link(path, target, err);
        if (ret == 0)
            ret = go_to(path, step, target, err);
    }
    return ret;
}

/* ---- */

/* Of a regular file at its place. */
static int check_file(const char *path, struct io_target *target, struct err *err)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;

    if (target->st.st_size == 0)
        return 0;
    return check_head(path, openat(target->folder, target->name, flags), err);
}

int io_target_look_again(const char *path, struct io_target *target, struct err *err)
{
    int ret;

    if (fstatat(target->folder, target->name, &target->st, AT_SYMLINK_NOFOLLOW) < 0) {
        target->exists = false;
        return errno == ENOENT ? 0 : fail(path, err);
    }
    target->exists = S_ISREG(target->st.st_mode);
    ret = check_kind(path, target->st.st_mode, err);
    return ret == 0 && target->exists ? check_file(path, target, err) : ret;
}

static int find(const char *path, struct io_target *target, struct err *err)
{
    int ret;

    if (path == NULL)
        return check_descriptor(NULL, STDOUT_FILENO, target, err);
    ret = follow(path, target, err);
    if (ret < 0 || target->fd >= 0)
        return ret;
    ret = io_target_look_again(path, target, err);
    if (ret == 0 && target->exists)
        target->held = openat(target->folder, target->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    else if (ret == 0 && (S_ISCHR(target->st.st_mode) || S_ISFIFO(target->st.st_mode)))
        ret = open_in_place(path, target, O_NOFOLLOW, err);
    return ret;
}

int io_target_find(const char *path, struct io_target *target, struct err *err)
{
    int ret;

    *target = (struct io_target){.fd = -1, .folder = -1, .held = -1};
    ret = find(path, target, err);
    if (ret < 0)
        io_target_release(target);
    return ret;
}

void io_target_release(struct io_target *target)
{
    if (target->fd >= 0)
        close(target->fd);
    if (target->folder >= 0)
        close(target->folder);
    if (target->held >= 0)
        close(target->held);
    free(target->name);
    *target = (struct io_target){.fd = -1, .folder = -1, .held = -1};
}
