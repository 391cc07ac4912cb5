/* SPDX-License-Identifier: MIT */
/* The mounted file systems, as /proc tells them. Opens nothing that could be on any of them. */
#ifndef HOST_MOUNT_H
#define HOST_MOUNT_H

#include <stdbool.h>

struct host_mount {
    char *filesystem; /* its type: "ext4", "fuse.sshfs" */
    char *source;     /* what was mounted: "/dev/sda2", "server:/export", "tmpfs" */
    unsigned major, minor;
    bool locks_are_local; /* of a file system that others have as well: they see none of them */
};

/*
 * @proc is "/proc", or what a test made up. 1: found; 0: not known there; -ENOMEM. Release with
 * _release in any case.
 */
int host_mount_of_descriptor(const char *proc, int fd, struct host_mount *mount);

/* The one that the absolute @path lies on, by its text alone. */
int host_mount_of_path(const char *proc, const char *path, struct host_mount *mount);

void host_mount_release(struct host_mount *mount);

#endif
