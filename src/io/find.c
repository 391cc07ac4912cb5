// SPDX-License-Identifier: MIT
/* Owns the walk over a folder. Opens regular files only, and never through a link. */
#include "find.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int examine(const char *path, const struct io_find *find)
{
    unsigned char head[IO_FIND_HEAD_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    ssize_t n = -1;

    if (fd >= 0) {
        n = pread(fd, head, sizeof(head), 0);
        close(fd);
    }
    if (n < 0) {
        find->failed(find->context, path, errno);
        return 0;
    }
    return find->wanted(head, (size_t)n) ? find->found(find->context, path) : 0;
}

int io_find(const char *folder, const struct io_find *find)
{
    char *roots[] = {strdup(folder), NULL}; /* fts_open takes no const */
    FTS *fts = roots[0] == NULL
                   ? NULL
                   : fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    FTSENT *entry;
    int ret = 0;

    if (fts == NULL) {
        find->failed(find->context, folder, errno);
        free(roots[0]);
        return 0;
    }
    while (ret == 0 && (errno = 0, entry = fts_read(fts)) != NULL) {
        if (entry->fts_info == FTS_F && S_ISREG(entry->fts_statp->st_mode))
            ret = examine(entry->fts_accpath, find);
        else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
                 entry->fts_info == FTS_NS)
            find->failed(find->context, entry->fts_path, entry->fts_errno);
    }
    if (ret == 0 && errno != 0)
        find->failed(find->context, folder, errno);
    fts_close(fts);
    free(roots[0]);
    return ret;
}
