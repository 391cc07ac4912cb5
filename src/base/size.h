/* SPDX-License-Identifier: MIT */
/* Byte sizes and counts, between numbers and the text that people read and write. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIZE_TEXT_MAX 32 /* enough for any result of the functions below, with the final NUL */

/*
 * Three significant digits with a binary unit: "0 B", "512 B", "64 KiB", "1.12 MiB", "100 GiB".
 * Rounds half up; a size that is a whole number of units shows no decimals.
 */
void size_format(char text[SIZE_TEXT_MAX], uint64_t bytes);

/* The same for a mean; fractions of a byte are rounded. */
void size_format_mean(char text[SIZE_TEXT_MAX], double bytes);

/* A count with thousands separated by commas: "704,512". */
void size_format_count(char text[SIZE_TEXT_MAX], uint64_t count);

/* The word behind a count: one run, but 0 and 2 runs. */
static inline const char *size_noun(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

/* Is the word of so many bytes a unit that size_format writes behind a number? */
bool size_is_unit(const char *word, size_t len);

/*
 * Reads "4096", "64K", "1.5G", "2TiB", "2048s", "0x10000": a number, then optionally K, M, G, T, P
 * or E (powers of 1024, upper or lower case) with an optional "iB" or "B", or s (sectors of 512
 * bytes), and one space before it at most. After 0x the number is hexadecimal, as far as its digits
 * go. False when the text is anything else, is negative or exceeds 2^64 - 1.
 */
bool size_parse(const char *text, uint64_t *bytes);

#endif
