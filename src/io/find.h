/* SPDX-License-Identifier: MIT */
/* Finds the files of a kind below a folder, by how they begin. */
#ifndef IO_FIND_H
#define IO_FIND_H

#include <stdbool.h>
#include <stddef.h>

struct io_folder;
struct stat;

#define IO_FIND_HEAD_BYTES 8

struct io_find {
    /* Is a file that begins with these bytes one of those looked for? */
    bool (*wanted)(const unsigned char *head, size_t len);
    /*
     * A file that is: @path begins with that of the folder, @relative is the rest of it, for
     * io_folder_open_file. A negative return value stops the search.
     */
    int (*found)(void *context, const char *path, const char *relative, const struct stat *st);
    /* A folder or file that could not be read: the search goes on. */
    void (*failed)(void *context, const char *path, int error);
    void *context;
    bool one_file_system; /* leave out what is mounted below the folder */
};

/*
 * Searches @folder and all below it in the order of the names. Links are not followed. Only regular
 * files are opened, read only, and none on file systems that store nothing, as proc. What vanishes
 * meanwhile is left out. Returns 0, what found returned, or -ENOMEM.
 */
int io_find(const struct io_folder *folder, const struct io_find *find);

#endif
