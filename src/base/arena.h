/* SPDX-License-Identifier: MIT */
/*
 * Memory for what is small, kept for long, and freed all at once. It lies close together, and not
 * between larger things that come and go.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;

/* Empty: all 0. */
struct arena {
    struct arena_block *blocks;
    size_t left; /* bytes of the first one */
};

/* Aligned for anything; not filled. NULL without memory. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* A copy of @bytes; of a string, which may be NULL. NULL without memory, too. */
void *arena_copy(struct arena *arena, const void *from, size_t bytes);
char *arena_string(struct arena *arena, const char *from);

/* All that came from it. It is empty then. */
void arena_free(struct arena *arena);

#endif
