// SPDX-License-Identifier: MIT
/* Owns the list of files that are to be replaced. Must never open one, or wait. */
#include "spare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#endif

static struct {
    bool exists;
    dev_t device;
    ino_t inode;
    atomic_bool spared;
} replaced[IO_SPARE_N];

void io_spare_watch(enum io_spare what, const struct stat *st)
{
    /* No name inside an image is looked up for a file that has nothing to lose. */
    replaced[what].exists = st != NULL && st->st_size > 0;
    replaced[what].device = st != NULL ? st->st_dev : 0;
    replaced[what].inode = st != NULL ? st->st_ino : 0;
    atomic_store(&replaced[what].spared, false);
}

bool io_spare_has(enum io_spare what)
{
    return atomic_load(&replaced[what].spared);
}

void io_spare(const struct stat *st)
{
    for (size_t i = 0; i < IO_SPARE_N; i++)
        if (replaced[i].exists && st->st_dev == replaced[i].device &&
            st->st_ino == replaced[i].inode)
            atomic_store(&replaced[i].spared, true);
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

void io_spare_path(const char *path)
{
    bool wanted = false;
    struct stat st;

    for (size_t i = 0; i < IO_SPARE_N; i++)
        wanted |= replaced[i].exists;
    if (wanted && look(path, &st))
        io_spare(&st);
}
