/* SPDX-License-Identifier: MIT */
/*
 * What is printed into memory. Not open_memstream: where that finds no memory in the middle, it
 * goes on without the bytes, and nobody is told.
 */
#ifndef BASE_PRINTED_H
#define BASE_PRINTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Stays where it is while it is open. */
struct printed {
    FILE *stream;
    char *text;
    size_t n_text, cap_text;
    bool failed;
};

/* The stream to print into; NULL: no memory. Then printed_take gives NULL, and need not be called.
 */
FILE *printed_open(struct printed *printed);

/*
 * Closes the stream. All that was printed, with a NUL behind it, for the caller to free, and in
 * *@len, which may be NULL, how many bytes; NULL: there was no memory for all of it.
 */
char *printed_take(struct printed *printed, size_t *len);

#endif
