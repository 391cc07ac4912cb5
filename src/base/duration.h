/* SPDX-License-Identifier: MIT */
/* Durations as people read them. */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DURATION_TEXT_MAX 32

/*
 * Two digits at least, in the unit that suits: "0 s", "35 ms", "2.4 s", "48 s", "18 min", "2.3 h",
 * "40 h". Never more precise than a model can be. Not negative; rounds half up.
 */
void duration_format(char text[DURATION_TEXT_MAX], double seconds);

/* Is the word of so many bytes a unit of a duration that people read? */
bool duration_is_unit(const char *word, size_t len);

/*
 * Reads "90", "90s", "15m", "2h", "1h30m", "1d": numbers, each with s, m, h or d behind it, the
 * larger ones first; without one they are seconds. False when the text is anything else, or is more
 * than a hundred years.
 */
bool duration_parse(const char *text, uint64_t *seconds);

#endif
