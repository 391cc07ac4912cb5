// SPDX-License-Identifier: MIT
/* Owns the writing of results. Must never leave a partial file under the final name. */
#include "output.h"

#include "aside.h"
#include "err.h"
#include "spare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int io_output_check(const struct io_output *output, struct err *err)
{
    if (!io_spare_has(IO_SPARE_RESULT))
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
    io_spare_watch(IO_SPARE_RESULT, NULL);
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
    io_spare_watch(IO_SPARE_RESULT, output->target.exists ? &output->target.st : NULL);
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
