/* SPDX-License-Identifier: MIT */
/*
 * One error, filled once where it is detected and printed once by main.
 *
 * Functions that can fail return 0 or a negative errno value and, when they fail, have filled the
 * struct err that they were given. Nobody overwrites an error that is already set: the first cause
 * is the one that the user must hear of.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_TEXT_MAX 4096 /* room for two file names */

struct err {
    int code;                /* a positive errno value; 0: no error */
    char text[ERR_TEXT_MAX]; /* what is wrong, where, and the cure; no file name, no newline */
};

/* Records an error and returns -code. @code is a positive errno value. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same for running out of memory. Returns -ENOMEM. */
int err_no_memory(struct err *err);

#endif
