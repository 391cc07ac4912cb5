/* SPDX-License-Identifier: MIT */
/*
 * Where results go: standard output, or a file that is written aside and put in place when it is
 * whole, so that nobody ever reads half a result under the final name. While it is written the file
 * has no name at all, where the file system can do that: whatever ends the program, nothing stays.
 *
 * A process has one result at a time. The file that it replaces is never one that the process
 * reads (spare.h).
 */
#ifndef IO_OUTPUT_H
#define IO_OUTPUT_H

#include "target.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

struct err;

struct io_output {
    FILE *stream; /* write here */
    char *path;   /* as it was given; NULL: standard output */
    bool aside;   /* written beside @target, which gets it at the end */
    struct io_target target;
};

/*
 * @path may be NULL: standard output. Refuses disk images, block devices, and waits for nobody. To
 * be called before the first image is opened. On failure there is nothing to release.
 */
int io_output_open(struct io_output *output, const char *path, struct err *err);

/* Refuses a result that would replace what has been spared so far. Releases nothing. */
int io_output_check(const struct io_output *output, struct err *err);

/* Checks, flushes, syncs and puts in place; reports every failed write. Releases @output. */
int io_output_commit(struct io_output *output, struct err *err);

/* Records that a write to @output has failed with the errno value @code. Returns -code. */
int io_output_failed(const struct io_output *output, int code, struct err *err);

/* Throws away what was written aside, and what was not yet written else. Releases @output. */
void io_output_abort(struct io_output *output);

#endif
