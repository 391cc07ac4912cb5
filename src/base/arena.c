// SPDX-License-Identifier: MIT
/* Owns the blocks of an arena. */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)256 << 10)
#define ALIGNMENT _Alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    max_align_t bytes[];
};

/* What does not fit into the rest of a block begins a new one. */
void *arena_alloc(struct arena *arena, size_t bytes)
{
    size_t whole = (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    size_t room = whole > BLOCK_BYTES ? whole : BLOCK_BYTES;
    struct arena_block *block = arena->blocks;

    if (whole < bytes)
        return NULL;
    if (block == NULL || arena->left < whole) {
        block = malloc(sizeof(*block) + room);
        if (block == NULL)
            return NULL;
        block->next = arena->blocks;
        arena->blocks = block;
        arena->left = room;
    }
    /* The rest of a block is its beginning. */
    arena->left -= whole;
    return (char *)block->bytes + arena->left;
}

void *arena_copy(struct arena *arena, const void *from, size_t bytes)
{
    void *to = arena_alloc(arena, bytes);

    if (to != NULL && bytes > 0)
        memcpy(to, from, bytes);
    return to;
}

char *arena_string(struct arena *arena, const char *from)
{
    return from != NULL ? arena_copy(arena, from, strlen(from) + 1) : NULL;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        free(block);
    }
    arena->left = 0;
}
