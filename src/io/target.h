/* SPDX-License-Identifier: MIT */
/*
 * What the name of a result stands for. Links are followed to their end, so that what is there is
 * replaced and not the link. Never waits, and never opens to write what could hold data: a disk, an
 * image, a file that this program reads.
 */
#ifndef IO_TARGET_H
#define IO_TARGET_H

#include <stdbool.h>
#include <sys/stat.h>

struct err;

struct io_target {
    int fd;      /* open, written in place: a character device, a FIFO, a descriptor; else -1 */
    int folder;  /* where @name is: made there, or replaced; an O_PATH descriptor, or -1 */
    char *name;  /* not a link */
    bool exists; /* a regular file @name is there, or @fd is one */
    struct stat st; /* of what exists */
    int held;    /* an O_PATH descriptor of that, so that its number stays its own; or -1 */
};

/*
 * Refuses what must not be written. @path is borrowed, and NULL for standard output. On failure
 * there is nothing to release.
 */
int io_target_find(const char *path, struct io_target *target, struct err *err);

/* Looks once more at what is there, before it is replaced. */
int io_target_look_again(const char *path, struct io_target *target, struct err *err);

/* Also closes @fd. */
void io_target_release(struct io_target *target);

/* "cannot write PATH: WHY", and returns -code. @path as above. */
int io_target_refuse(const char *path, struct err *err, int code, const char *why);

#endif
