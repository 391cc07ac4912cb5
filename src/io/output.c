// SPDX-License-Identifier: MIT
/* Owns the writing of results. Must never leave a partial file under the final name. */
#include "output.h"

#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The one temporary file of this process, for the signal handler. */
static char *volatile temporary_of_process;

void io_output_remove_temporary(void)
{
    if (temporary_of_process != NULL)
        unlink(temporary_of_process);
}

int io_output_failed(const struct io_output *output, int code, struct err *err)
{
    return err_set(err, code, "cannot write %s: %s",
                   output->path != NULL ? output->path : "to standard output", strerror(code));
}

static int fail(const struct io_output *output, struct err *err)
{
    return io_output_failed(output, errno, err);
}

static void release(struct io_output *output)
{
    temporary_of_process = NULL;
    free(output->temporary);
    free(output->path);
    memset(output, 0, sizeof(*output));
}

/* A file of its own beside the final one: a rename does not cross file systems. */
static int open_temporary(struct io_output *output, struct err *err)
{
    mode_t mask = umask(0);
    int fd;

    umask(mask);
    if (asprintf(&output->temporary, "%s.XXXXXX", output->path) < 0) {
        output->temporary = NULL;
        return err_no_memory(err);
    }
    fd = mkostemp(output->temporary, O_CLOEXEC);
    if (fd < 0)
        return fail(output, err);
    temporary_of_process = output->temporary;
    output->stream = fchmod(fd, 0666 & ~mask) == 0 ? fdopen(fd, "w") : NULL;
    if (output->stream == NULL) {
        fail(output, err);
        close(fd);
        unlink(output->temporary);
        return -err->code;
    }
    return 0;
}

int io_output_open(struct io_output *output, const char *path, struct err *err)
{
    struct stat st;
    int ret = 0;

    memset(output, 0, sizeof(*output));
    if (path == NULL) {
        output->stream = stdout;
        return 0;
    }
    output->path = strdup(path);
    if (output->path == NULL)
        return err_no_memory(err);
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        output->stream = fopen(path, "we");
        if (output->stream == NULL)
            ret = fail(output, err);
    } else {
        ret = open_temporary(output, err);
    }
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
    if (ret == 0 && output->temporary != NULL && fsync(fileno(output->stream)) != 0)
        ret = fail(output, err);
    if (fclose(output->stream) != 0 && ret == 0)
        ret = fail(output, err);
    return ret;
}

int io_output_commit(struct io_output *output, struct err *err)
{
    int ret = finish_stream(output, err);

    if (output->temporary != NULL) {
        if (ret == 0 && rename(output->temporary, output->path) != 0)
            ret = fail(output, err);
        if (ret < 0)
            unlink(output->temporary);
    }
    release(output);
    return ret;
}

void io_output_abort(struct io_output *output)
{
    if (output->stream != NULL && output->stream != stdout)
        fclose(output->stream);
    if (output->temporary != NULL)
        unlink(output->temporary);
    release(output);
}
