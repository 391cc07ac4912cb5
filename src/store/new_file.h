/* SPDX-License-Identifier: MIT */
/*
 * A new image file: written beside its final name, and given that when it is proven. Until then
 * whatever ends the program leaves nothing behind, and nobody can open half an image. It is locked
 * until it has its name for good: a guest that wrote to it before that could lose what it wrote.
 */
#ifndef STORE_NEW_FILE_H
#define STORE_NEW_FILE_H

#include "attributes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct err;
struct io;
struct store_original;

/* What goes past the page cache lies at multiples of this: in the file, in memory, and its length.
 */
#define STORE_DIRECT_BYTES 4096

struct store_new_file {
    int fd;                /* to read and to write */
    int direct;            /* to write past the page cache; -1: cannot be done here */
    atomic_bool no_direct; /* it turned out that it cannot */
    char *path, *name;
    int folder;         /* an open one: where @name is to be */
    struct io *present; /* what has that name and is to be replaced, locked; NULL: nothing */
    const struct store_original *original; /* NULL: it is a second file */
    char lost[STORE_ATTRIBUTES_TEXT_MAX];  /* flags that it could not be given, see attributes.h */
};

struct store_new_file_options {
    /* A file that has the name is replaced; but never a device, a link, a folder, nothing that
     * somebody has open as an image, and nothing that is to be spared (spare.h). */
    bool overwrite;
    int like; /* a descriptor, never written to: whose permissions and nocow are taken over;
                 it is not to be replaced */
};

/* On failure there is nothing to release. */
int store_new_file_open(const char *path, const struct store_new_file_options *options,
                        struct store_new_file *file, struct err *err);

/* The same in the place of @original (borrowed until the end), with all that it has besides its
 * bytes. */
int store_new_file_open_over(const struct store_original *original, struct store_new_file *file,
                             struct err *err);

/* Fails with -ENOSPC if the file system has less room than that, for this user. */
int store_new_file_check_room(const struct store_new_file *file, uint64_t bytes, struct err *err);

int store_new_file_set_length(struct store_new_file *file, uint64_t bytes, struct err *err);

/*
 * The host keeps room for this range, so that it lies in one piece and the disk cannot become full
 * while it is written. A file system that cannot do that is no error; a full disk is.
 */
int store_new_file_reserve(struct store_new_file *file, uint64_t off, uint64_t len,
                           struct err *err);

int store_new_file_write(struct store_new_file *file, uint64_t off, const void *bytes, size_t len,
                         struct err *err);

/*
 * The same for much at once: past the page cache if the file system can do that, as what is written
 * is not wanted again. @bytes is aligned in memory as @off is in a page, if that is to be so.
 * Several threads may call it.
 */
int store_new_file_write_through(struct store_new_file *file, uint64_t off, const void *bytes,
                                 size_t len, struct err *err);

/* All of [off, off + len). Past the end is an error. */
int store_new_file_read(const struct store_new_file *file, uint64_t off, void *bytes, size_t len,
                        struct err *err);

/* The device may begin to write this range, while the next is read. Promises nothing. */
void store_new_file_begin_sync(struct store_new_file *file, uint64_t off, uint64_t len);

/* What was written is on the device. A failure is final: the file is to be thrown away. */
int store_new_file_sync(struct store_new_file *file, struct err *err);

/*
 * Another descriptor to read what is on the device, not what is in memory. *@direct: that is so;
 * else the page cache was asked to forget the file, which it does as far as it can. The caller
 * closes it. Reads begin at and have multiples of 4096 bytes.
 */
int store_new_file_read_back(const struct store_new_file *file, int *fd, bool *direct,
                             struct err *err);

/*
 * For other programs to read it, before it has its name: they may not write. *@path: under a hidden
 * name in its folder; the caller frees it.
 */
int store_new_file_show(struct store_new_file *file, char **path, struct err *err);

/* The end of that: -EBUSY if somebody still has it open, after some seconds. */
int store_new_file_hide(struct store_new_file *file, struct err *err);

/*
 * Under its name, durably. *@named: it has it, also if what came then has failed. Releases @file,
 * also on failure.
 */
int store_new_file_commit(struct store_new_file *file, bool *named, struct err *err);

/* Throws it away. Releases @file. */
void store_new_file_abort(struct store_new_file *file);

#endif
