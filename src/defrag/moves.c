// SPDX-License-Identifier: MIT
/* Owns the form and the order of the list. Pure but for its memory. */
#include "moves.h"

#include "search.h"
#include "sort.h"
#include "vec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BITS 16
#define LENGTH_MASK ((UINT64_C(1) << LENGTH_BITS) - 1)

struct defrag_packed defrag_pack(const struct defrag_move *move)
{
    return (struct defrag_packed){move->from << LENGTH_BITS | move->bytes >> LENGTH_BITS,
                                  move->to << LENGTH_BITS | (move->bytes & LENGTH_MASK)};
}

struct defrag_move defrag_unpack(const struct defrag_packed *packed)
{
    return (struct defrag_move){
        packed->from >> LENGTH_BITS, packed->to >> LENGTH_BITS,
        (uint32_t)((packed->from & LENGTH_MASK) << LENGTH_BITS | (packed->to & LENGTH_MASK))};
}

struct defrag_move defrag_moves_at(const struct defrag_moves *moves, size_t i)
{
    return defrag_unpack(&moves->list[i]);
}

void defrag_moves_free(struct defrag_moves *moves)
{
    free(moves->list);
    memset(moves, 0, sizeof(*moves));
}

/* Does it go on where the last one ends, in both files? Then only the last one gets longer. */
static bool join(struct defrag_moves *moves, const struct defrag_move *move)
{
    struct defrag_move last;

    if (moves->n_list == 0)
        return false;
    last = defrag_unpack(&moves->list[moves->n_list - 1]);
    if (last.from + last.bytes != move->from || last.to + last.bytes != move->to ||
        last.bytes > DEFRAG_MOVE_BYTES_MAX - move->bytes)
        return false;
    last.bytes += move->bytes;
    moves->list[moves->n_list - 1] = defrag_pack(&last);
    return true;
}

int defrag_moves_add_apart(struct defrag_moves *moves, const struct defrag_move *move)
{
    if (vec_reserve(moves, list) < 0)
        return -ENOMEM;
    moves->list[moves->n_list++] = defrag_pack(move);
    return 0;
}

static int add_one(struct defrag_moves *moves, const struct defrag_move *move)
{
    return join(moves, move) ? 0 : defrag_moves_add_apart(moves, move);
}

int defrag_moves_add(struct defrag_moves *moves, uint64_t from, uint64_t to, uint64_t bytes)
{
    int ret = 0;

    if (from > DEFRAG_OFFSET_END || bytes > DEFRAG_OFFSET_END - from || to > DEFRAG_OFFSET_END ||
        bytes > DEFRAG_OFFSET_END - to)
        return -EFBIG;
    while (bytes > 0 && ret == 0) {
        uint32_t part = bytes < (UINT32_C(1) << 31) ? (uint32_t)bytes : UINT32_C(1) << 31;
        const struct defrag_move move = {from, to, part};

        ret = add_one(moves, &move);
        from += part;
        to += part;
        bytes -= part;
    }
    return ret;
}

/* ---- order ---- */

void defrag_sort(struct defrag_packed *list, size_t n, bool by_to)
{
    _Static_assert(sizeof(*list) == 2 * sizeof(uint64_t), "it is two words");
    if (n > 0)
        sort_records(&list->from, n, 2, by_to ? 1 : 0);
}

void defrag_moves_sort_by_from(struct defrag_moves *moves)
{
    defrag_sort(moves->list, moves->n_list, false);
}

void defrag_moves_sort_by_to(struct defrag_moves *moves)
{
    defrag_sort(moves->list, moves->n_list, true);
}

/* ---- finding ---- */

static bool holds(const struct defrag_moves *moves, size_t i, uint64_t from)
{
    struct defrag_move move = defrag_unpack(&moves->list[i]);

    return from >= move.from && from - move.from < move.bytes;
}

size_t defrag_moves_find(const struct defrag_moves *moves, uint64_t from, struct defrag_hint *hint)
{
    size_t low; /* the first one that begins behind @from */

    /* Most often it is in the same move as the last time, or in the next. */
    for (size_t i = hint->at; i < moves->n_list && i < hint->at + 2; i++) {
        if (holds(moves, i, from)) {
            hint->at = i;
            return i;
        }
    }
    low = search_first(i, 0, moves->n_list, moves->list[i].from >> LENGTH_BITS <= from);
    if (low == 0 || !holds(moves, low - 1, from))
        return SIZE_MAX;
    hint->at = low - 1;
    return low - 1;
}

uint64_t defrag_moves_to(const struct defrag_moves *moves, uint64_t from, struct defrag_hint *hint)
{
    size_t i = defrag_moves_find(moves, from, hint);
    struct defrag_move move;

    if (i == SIZE_MAX)
        return UINT64_MAX;
    move = defrag_unpack(&moves->list[i]);
    return move.to + (from - move.from);
}

void defrag_moves_shift(struct defrag_moves *moves, uint64_t by)
{
    for (size_t i = 0; i < moves->n_list; i++)
        moves->list[i].to += by << LENGTH_BITS;
}

static uint64_t to_end(const struct defrag_packed *packed)
{
    struct defrag_move move = defrag_unpack(packed);

    return move.to + move.bytes;
}

size_t defrag_moves_first_at(const struct defrag_moves *moves, uint64_t to)
{
    return search_first(i, 0, moves->n_list, to_end(&moves->list[i]) <= to);
}
