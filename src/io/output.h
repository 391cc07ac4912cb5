/* SPDX-License-Identifier: MIT */
/*
 * Where results go: standard output, or a file that is written aside and renamed, so that nobody
 * ever reads half a result under the final name.
 */
#ifndef IO_OUTPUT_H
#define IO_OUTPUT_H

#include <stdio.h>

struct err;

struct io_output {
    FILE *stream;    /* write here */
    char *path;      /* NULL: standard output */
    char *temporary; /* NULL: written in place, as @path is no regular file (/dev/null, a FIFO) */
};

/* @path may be NULL: standard output. On failure there is nothing to release. */
int io_output_open(struct io_output *output, const char *path, struct err *err);

/* Flushes, syncs and renames; reports every failed write. Releases @output in any case. */
int io_output_commit(struct io_output *output, struct err *err);

/* Records that a write to @output has failed with the errno value @code. Returns -code. */
int io_output_failed(const struct io_output *output, int code, struct err *err);

/* Throws away what was written. Releases @output. */
void io_output_abort(struct io_output *output);

/* Removes the temporary file, if there is one. May be called from a signal handler. */
void io_output_remove_temporary(void);

#endif
