/* SPDX-License-Identifier: MIT */
/*
 * Where the bytes of a file go in another one: a list of moves, 16 bytes each, that knows nothing
 * of files. What lies side by side in both is one move.
 */
#ifndef DEFRAG_MOVES_H
#define DEFRAG_MOVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Offsets in both files are below this: 256 TiB. */
#define DEFRAG_OFFSET_END (UINT64_C(1) << 48)
#define DEFRAG_MOVE_BYTES_MAX UINT32_MAX

struct defrag_move {
    uint64_t from, to; /* byte offsets */
    uint32_t bytes;    /* not 0 */
};

/* A move as it is kept: an offset in the high 48 bits, half of the length in the others. */
struct defrag_packed {
    uint64_t from, to;
};

struct defrag_packed defrag_pack(const struct defrag_move *move);
struct defrag_move defrag_unpack(const struct defrag_packed *packed);

/* By rising from, or by rising to. In place, and without more memory. */
void defrag_sort(struct defrag_packed *list, size_t n, bool by_to);

struct defrag_moves {
    struct defrag_packed *list;
    size_t n_list, cap_list;
};

/* 0, -ENOMEM, or -EFBIG beyond DEFRAG_OFFSET_END. @bytes may be 0: then nothing is added. */
int defrag_moves_add(struct defrag_moves *moves, uint64_t from, uint64_t to, uint64_t bytes);
/* One that keeps its length, even where it goes on from another. 0 or -ENOMEM. */
int defrag_moves_add_apart(struct defrag_moves *moves, const struct defrag_move *move);

void defrag_moves_free(struct defrag_moves *moves);

struct defrag_move defrag_moves_at(const struct defrag_moves *moves, size_t i);

/* A place to look from: where something was found last. Begin with 0. */
struct defrag_hint {
    size_t at;
};

/* The move that holds the byte @from: its index, or SIZE_MAX. After sorting by from. */
size_t defrag_moves_find(const struct defrag_moves *moves, uint64_t from, struct defrag_hint *hint);

/* Where the byte @from goes, or UINT64_MAX. Likewise. */
uint64_t defrag_moves_to(const struct defrag_moves *moves, uint64_t from, struct defrag_hint *hint);

/* By rising from, or by rising to. */
void defrag_moves_sort_by_from(struct defrag_moves *moves);
void defrag_moves_sort_by_to(struct defrag_moves *moves);

/* All go @by bytes further. Their places must stay below DEFRAG_OFFSET_END. */
void defrag_moves_shift(struct defrag_moves *moves, uint64_t by);

/* After sorting by to: the first move that ends behind @to. n_list: none. */
size_t defrag_moves_first_at(const struct defrag_moves *moves, uint64_t to);

#endif
