/* SPDX-License-Identifier: MIT */
/* Durations as people read them. */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#define DURATION_TEXT_MAX 32

/*
 * Two digits at least, in the unit that suits: "0 s", "35 ms", "2.4 s", "48 s", "18 min", "2.3 h",
 * "40 h". Never more precise than a model can be. Not negative; rounds half up.
 */
void duration_format(char text[DURATION_TEXT_MAX], double seconds);

#endif
