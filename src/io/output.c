// SPDX-License-Identifier: MIT
/* Owns the writing of results. Must never leave a partial file under the final name. */
#include "output.h"

#include "aside.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#endif

/* ---- what must not be replaced ---- */

/* The regular file that the result of this process replaces, if there is one. */
static struct {
    bool exists;
    dev_t device;
    ino_t inode;
    atomic_bool spared;
} replaced;

static void begin_sparing(const struct io_target *target)
{
    /* No name inside an image is looked up for a file that has nothing to lose. */
    replaced.exists = target->exists && target->st.st_size > 0;
    replaced.device = target->st.st_dev;
    replaced.inode = target->st.st_ino;
    atomic_store(&replaced.spared, false);
}

void io_output_spare(const struct stat *st)
{
    if (replaced.exists && st->st_dev == replaced.device && st->st_ino == replaced.inode)
        atomic_store(&replaced.spared, true);
}

/*
 * Looks at what @path is, unless that could mean to wait, for a server or an automounter: first in
 * what the kernel has in memory, where the file to be replaced is, since it is held; then without
 * leaving this file system.
 */
static bool look(const char *path, struct stat *st)
{
#ifdef RESOLVE_CACHED
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED};
    long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    bool found;

    if (fd < 0 && errno == EAGAIN) {
        how.resolve = RESOLVE_NO_XDEV;
        fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    }
    if (fd >= 0) {
        found = fstat((int)fd, st) == 0;
        close((int)fd);
        return found;
    }
    if (errno != ENOSYS && errno != EINVAL && errno != EPERM) /* an old kernel, or a sandbox */
        return false;
#endif
    return fstatat(AT_FDCWD, path, st, AT_NO_AUTOMOUNT) == 0;
}

void io_output_spare_path(const char *path)
{
    struct stat st;

    if (replaced.exists && look(path, &st))
        io_output_spare(&st);
}

int io_output_check(const struct io_output *output, struct err *err)
{
    if (!atomic_load(&replaced.spared))
        return 0;
    return io_target_refuse(output->path, err, EEXIST,
                            "it is an image that is measured, or a file that one is built on; "
                            "choose another name");
}

int io_output_failed(const struct io_output *output, int code, struct err *err)
{
    return io_target_refuse(output->path, err, code, strerror(code));
}

static int fail(const struct io_output *output, struct err *err)
{
    return io_output_failed(output, errno, err);
}

static void release(struct io_output *output)
{
    io_aside_remove();
    replaced.exists = false;
    io_target_release(&output->target);
    free(output->path);
    memset(output, 0, sizeof(*output));
}

/* In the folder of the final one: a link or a rename does not cross file systems. */
static int open_aside(struct io_output *output, struct err *err)
{
    mode_t mask = umask(0);
    int fd;

    umask(mask);
    fd = io_aside_open(output->target.folder, IO_ASIDE_RESULT, O_WRONLY, 0600);
    if (fd < 0)
        return fail(output, err);
    output->aside = true;
    output->stream = fchmod(fd, 0666 & ~mask) == 0 ? fdopen(fd, "w") : NULL;
    if (output->stream == NULL) {
        fail(output, err);
        close(fd);
        return -err->code;
    }
    return 0;
}

static int open_in_place(struct io_output *output, struct err *err)
{
    output->stream = fdopen(output->target.fd, "w");
    if (output->stream == NULL)
        return fail(output, err);
    output->target.fd = -1; /* the stream's */
    return 0;
}

int io_output_open(struct io_output *output, const char *path, struct err *err)
{
    int ret;

    memset(output, 0, sizeof(*output));
    if (path != NULL && *path == '\0')
        return err_set(err, ENOENT, "cannot write to a file without a name");
    ret = io_target_find(path, &output->target, err);
    if (ret < 0)
        return ret;
    begin_sparing(&output->target);
    if (path == NULL) {
        output->stream = stdout;
        return 0;
    }
    output->path = strdup(path);
    if (output->path == NULL)
        ret = err_no_memory(err);
    else
        ret = output->target.fd >= 0 ? open_in_place(output, err) : open_aside(output, err);
    if (ret < 0)
        release(output);
    return ret;
}

/* Standard output is closed, too: only then are all errors known (a full disk, NFS). */
static int finish_stream(struct io_output *output, struct err *err)
{
    int ret = 0;

    if (fflush(output->stream) != 0 || ferror(output->stream))
        ret = fail(output, err);
    if (ret == 0 && output->aside && fsync(fileno(output->stream)) != 0)
        ret = fail(output, err);
    if (fclose(output->stream) != 0 && ret == 0)
        ret = fail(output, err);
    return ret;
}

/* @fd: what was written. */
static int put_in_place(struct io_output *output, int fd, struct err *err)
{
    struct io_target *target = &output->target;
    int ret = io_target_look_again(output->path, target, err);

    if (ret == 0 && io_aside_commit(target->folder, target->name, fd, true) < 0)
        ret = fail(output, err);
    return ret;
}

int io_output_commit(struct io_output *output, struct err *err)
{
    int fd = -1, ret = io_output_check(output, err);

    if (ret < 0) {
        io_output_abort(output);
        return ret;
    }
    if (output->aside) {
        fd = fcntl(fileno(output->stream), F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            ret = fail(output, err);
    }
    if (finish_stream(output, err) < 0)
        ret = -err->code;
    if (ret == 0 && output->aside)
        ret = put_in_place(output, fd, err);
    if (fd >= 0)
        close(fd);
    release(output);
    return ret;
}

void io_output_abort(struct io_output *output)
{
    if (output->stream == stdout)
        __fpurge(stdout);
    else
        fclose(output->stream);
    release(output);
}
