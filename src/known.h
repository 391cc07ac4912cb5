/* SPDX-License-Identifier: MIT */
/* Files that have been named, each of which counts once, whatever its names are. */
#ifndef KNOWN_H
#define KNOWN_H

#include "hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Zeros are an empty one. Release with known_free. */
struct known {
    struct hash first; /* of those with one key: the number of its file, and one */
    struct known_file *list;
    size_t n_list, cap_list;
};

/*
 * Is it among them already, as with du(1): by device and inode, or of a block device by what it is
 * the node of? Without @st, since nothing is there, by @path, which is borrowed as long as @known
 * lives. If it is not, it is from now on. *@number: which it is, from 0 on. Returns 1, 0 or -ENOMEM.
 */
int known_has(struct known *known, const struct stat *st, const char *path, size_t *number);
void known_free(struct known *known);

#endif
