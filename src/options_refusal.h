/* SPDX-License-Identifier: MIT */
/* What is said of options that getopt refuses. */
#ifndef OPTIONS_REFUSAL_H
#define OPTIONS_REFUSAL_H

struct err;

/*
 * @word is the argument that getopt was at, @found what it returned, @rejected the letter or number
 * that it says (optopt). Returns -EINVAL.
 */
int options_refusal(int found, const char *word, int rejected, struct err *err);

#endif
