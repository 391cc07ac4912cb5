// SPDX-License-Identifier: MIT
/* Owns the descriptor of a folder, and the way from it to a file below, step by step. */
#include "folder.h"

#include "err.h"
#include "io.h"
#include "open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int io_folder_open(const char *path, struct io_folder *folder, struct err *err)
{
    const char *system;

    *folder = (struct io_folder){.fd = -1};
    folder->fd = io_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    if (folder->fd < 0)
        return err_set(err, errno, "%s", strerror(errno));
    system = io_storeless(folder->fd);
    folder->path = system == NULL ? strdup(path) : NULL;
    if (folder->path != NULL)
        return 0;
    close(folder->fd);
    if (system == NULL)
        return err_no_memory(err);
    return err_set(err, EINVAL, "is on %s, a file system without storage: nothing is read there",
                   system);
}

void io_folder_close(struct io_folder *folder)
{
    close(folder->fd);
    free(folder->path);
}

/* ENOTDIR is what a link gives, and what else has come into the place of a folder. */
static int step_failed(struct err *err)
{
    if (errno != ENOTDIR && errno != ELOOP)
        return err_set(err, errno, "cannot open: %s", strerror(errno));
    return err_set(err, errno,
                   "is no longer below the directory that was searched: part of its "
                   "path has become a link or a file");
}

/* The folder that holds the last name of *@relative, which is moved there. */
static int open_down(const struct io_folder *folder, const char **relative, struct err *err)
{
    int fd = folder->fd;
    const char *slash;

    while ((slash = strchr(*relative, '/')) != NULL) {
        char *name = strndup(*relative, (size_t)(slash - *relative));
        int next = name != NULL ? io_open_at(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW) : -1;
        int ret = name == NULL ? err_no_memory(err) : next < 0 ? step_failed(err) : 0;

        free(name);
        if (fd != folder->fd)
            close(fd);
        if (ret < 0)
            return ret;
        fd = next;
        *relative = slash + 1;
    }
    return fd;
}

int io_folder_open_file(const struct io_folder *folder, const char *relative, struct io **io,
                        struct err *err)
{
    int fd = open_down(folder, &relative, err), ret;

    if (fd < 0)
        return fd;
    ret = io_file_open_found(fd, relative, io, err);
    if (fd != folder->fd)
        close(fd);
    return ret;
}
