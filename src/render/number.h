/* SPDX-License-Identifier: MIT */
/*
 * Numbers as people read them. Each text lives until the eighth of its kind after it, so that one
 * statement may print several; by one thread.
 */
#ifndef RENDER_NUMBER_H
#define RENDER_NUMBER_H

#include "opt.h"

#include <stdint.h>

const char *render_number_size(uint64_t bytes);
const char *render_number_count(uint64_t count);
const char *render_number_duration(double seconds);

/* A mean as a number of bytes. */
uint64_t render_number_rounded(double bytes);

#define RENDER_NUMBER_RING 8

#endif
