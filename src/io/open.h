/* SPDX-License-Identifier: MIT */
/* How a path becomes a descriptor: what must be looked at before anything is read from it. */
#ifndef IO_OPEN_H
#define IO_OPEN_H

struct err;

/* openat, closed on exec; raises the limit of open files up to the hard one where it is reached. */
int io_open_at(int folder, const char *name, int flags);

/*
 * The name of the file system, if it is one of the kernel's own that store nothing: "proc", "sysfs"
 * ... Reading there shows, and may take away, what is no file. Else NULL. @fd may be of O_PATH.
 */
const char *io_storeless(int fd);

/* The same of a path, whose links are followed; nothing is opened for reading. */
const char *io_storeless_path(const char *path);

#endif
