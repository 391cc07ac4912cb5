/* SPDX-License-Identifier: MIT */
/*
 * What a process replaces is never what it reads, nor what that is built on: whoever opens or names
 * a file says so here, and whoever is about to replace one asks.
 */
#ifndef IO_SPARE_H
#define IO_SPARE_H

#include <stdbool.h>
#include <sys/stat.h>

/* The files that a process may replace, one of each. */
enum io_spare {
    IO_SPARE_RESULT, /* of the command: what is printed, a page */
    IO_SPARE_IMAGE,  /* that a new image takes the place of */
    IO_SPARE_N,
};

/* From here on, until the next call. To be said before the first file is opened. NULL: nothing is
 * replaced. */
void io_spare_watch(enum io_spare what, const struct stat *st);

/* This file is read, or one that is read names it. May be called by several threads at once. */
void io_spare(const struct stat *st);

/* The same by its name, which may be a hostile one: nothing is opened, and nobody waited for. */
void io_spare_path(const char *path);

/* Is the file that is to be replaced one of those? */
bool io_spare_has(enum io_spare what);

#endif
