/* SPDX-License-Identifier: MIT */
/* Room for the bytes of images: much of it, of which all that is asked for is going to be used. */
#ifndef DEFRAG_LARGE_H
#define DEFRAG_LARGE_H

#include <stdint.h>

/*
 * In large pages, where the system has them: it may be a quarter of a million small ones, and each
 * takes the system longer than it takes to fill it. It begins at a page. Release with free; NULL:
 * there is no memory.
 */
void *defrag_large_new(uint64_t bytes);

#endif
