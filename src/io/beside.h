/* SPDX-License-Identifier: MIT */
/*
 * Where a copy that is to take the place of a file has to be written: beside the file itself,
 * whatever links lead to it, under a name that nobody has. Opens nothing; what is found may have
 * changed a moment later.
 */
#ifndef IO_BESIDE_H
#define IO_BESIDE_H

#include <stdbool.h>
#include <stdint.h>

struct io_beside {
    bool is_device; /* a block device: nothing can be put in its place */
    bool is_remote; /* a URI: the copy is a file of the present folder */
    uint64_t names; /* hard links to the file; 0: there is none */
    char *target;   /* what to replace; NULL: the path itself, which is no symbolic link */
    char *copy;     /* the new file, in the folder of the target; NULL: the path is of no file */
    /* A name for a link to the copy, in the folder of the path; NULL where that is the same one. */
    char *link;
};

/* 0 or -ENOMEM. Release also on failure. */
int io_beside_find(const char *path, struct io_beside *beside);
void io_beside_release(struct io_beside *beside);

#endif
