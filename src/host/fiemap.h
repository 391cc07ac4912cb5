/* SPDX-License-Identifier: MIT */
/*
 * The extents of a file as the kernel tells them (FIEMAP), in rising order and without overlaps,
 * whatever the kernel says. Asks only: nothing is written back for it, and no right is needed but
 * that to open the file.
 */
#ifndef HOST_FIEMAP_H
#define HOST_FIEMAP_H

#include <stdint.h>

struct err;
struct fiemap;

/* Offsets and lengths in bytes. */
struct host_fiemap_extent {
    uint64_t file_off;
    uint64_t bytes;    /* at least 1 */
    uint64_t physical; /* as it was told; with some flags it means nothing */
    uint32_t flags;    /* FIEMAP_EXTENT_* */
};

/* Who answers a request: the kernel, or a test. Returns 0 or -errno, as the ioctl does. */
struct host_fiemap_source {
    int (*ask)(void *context, struct fiemap *request);
    void *context;
};

struct host_fiemap_sink {
    /* One extent. A negative return value ends the reading and is returned; err is then filled. */
    int (*take)(void *context, const struct host_fiemap_extent *extent, struct err *err);
    void *context;
};

/* The kernel, about the file that *@fd is; borrowed. */
struct host_fiemap_source host_fiemap_of(int *fd);

/*
 * Hands over all extents. What was handed over already is cut from an extent that says it again.
 * Ends: each batch goes on behind the one before, or there is an error. Returns 0 or -errno.
 */
int host_fiemap_read(const struct host_fiemap_source *source, const struct host_fiemap_sink *sink,
                     struct err *err);

#endif
