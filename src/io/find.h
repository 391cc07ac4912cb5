/* SPDX-License-Identifier: MIT */
/* Finds the files of a kind below a folder, by how they begin. */
#ifndef IO_FIND_H
#define IO_FIND_H

#include <stdbool.h>
#include <stddef.h>

#define IO_FIND_HEAD_BYTES 8

struct io_find {
    /* Is a file that begins with these bytes one of those looked for? */
    bool (*wanted)(const unsigned char *head, size_t len);
    /* A file that is. A negative return value stops the search. */
    int (*found)(void *context, const char *path);
    /* A folder or file that could not be read: the search goes on. */
    void (*failed)(void *context, const char *path, int error);
    void *context;
};

/*
 * Walks @folder and all below it in the order of the names. Symbolic links inside are not
 * followed, and only regular files are opened, read only. Returns 0 or what found returned.
 */
int io_find(const char *folder, const struct io_find *find);

#endif
