/* SPDX-License-Identifier: MIT */
/* A list of names in a file: one a line, or each with a NUL behind it. */
#ifndef IO_NAMES_H
#define IO_NAMES_H

#include <stddef.h>

struct err;

struct io_names {
    char *bytes; /* each name ends in a NUL */
    size_t len, at;
};

/*
 * Reads the whole list; "-" is standard input. A file name cannot have a NUL in it, so a list with
 * any has one behind each name, and names may have line breaks. Free it with io_names_free; on
 * failure there is nothing to free.
 */
int io_names_read(const char *path, struct io_names *names, struct err *err);
void io_names_free(struct io_names *names);

/* The next name that is not empty; NULL: that was the last one. Lives as long as @names. */
const char *io_names_next(struct io_names *names);

#endif
