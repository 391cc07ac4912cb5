/* SPDX-License-Identifier: MIT */
/*
 * Where the bytes of a file lie on the disk, as a text says it: a line for each extent,
 * "FILE-OFFSET DISK-OFFSET LENGTH" in bytes, in the order of the file, nothing twice. What no line
 * covers is a hole.
 */
#ifndef EXTENTS_H
#define EXTENTS_H

#include <stddef.h>
#include <stdint.h>

struct extent {
    uint64_t file_off;
    uint64_t disk_off;
    uint64_t len;
};

struct extents {
    struct extent *list;
    size_t n;
};

/* 0, or -1: then nothing is kept, and @line is the number of the line that is wrong, 0 if the file
 * cannot be read. */
int extents_read(struct extents *extents, const char *path, size_t *line);
void extents_free(struct extents *extents);

/* The first extent that ends behind @file_off; NULL if there is none. Borrowed. */
const struct extent *extents_find(const struct extents *extents, uint64_t file_off);

#endif
