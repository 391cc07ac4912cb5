// SPDX-License-Identifier: MIT
/* Owns the order of the parts. Reads nothing. */
#include "parts.h"

#include "err.h"
#include "map.h"
#include "moves.h"
#include "plan.h"
#include "search.h"
#include "vec.h"

#include <stdlib.h>
#include <string.h>

void defrag_parts_free(struct defrag_parts *parts)
{
    free(parts->list);
    memset(parts, 0, sizeof(*parts));
}

/* ---- finding ---- */

/* The place of the byte, and how many from it on lie one behind the other there. */
static uint64_t place_of(const struct host_map *map, uint64_t from, uint64_t *alike)
{
    size_t i;

    *alike = UINT64_MAX;
    if (map == NULL)
        return from;
    i = host_map_find(map, from);
    *alike = host_map_end(map, i) - from;
    /* What has no place costs no way. */
    return host_kind_is_placed(map->segments[i].kind) ? host_map_place(map, i, from) : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A part for each block, and each stretch of the disk, that the bytes are in. */
static int add(struct defrag_parts *parts, const struct host_map *map, uint64_t from, uint64_t at,
               uint64_t bytes)
{
    while (bytes > 0) {
        uint64_t n = least(bytes, DEFRAG_BLOCK_BYTES - at % DEFRAG_BLOCK_BYTES), alike;
        uint64_t place = place_of(map, from, &alike);

        n = least(n, alike);
        if (vec_reserve(parts, list) < 0)
            return -1;
        parts->list[parts->n_list++] =
            (struct defrag_part){.from = from, .place = place, .at = at, .bytes = n};
        from += n;
        at += n;
        bytes -= n;
    }
    return 0;
}

/* What of these moves goes into [begin, end); *next is where those begin that may. False: there are
 * too many, or (with *ret) no memory. */
static bool find_of(struct defrag_parts *parts, const struct defrag_parts_cursor *cursor,
                    const struct defrag_moves *moves, uint64_t begin, uint64_t end, size_t *next,
                    int *ret)
{
    for (; *next < moves->n_list; (*next)++) {
        struct defrag_move move = defrag_moves_at(moves, *next);
        uint64_t to = move.to > begin ? move.to : begin;
        uint64_t to_end = least(move.to + move.bytes, end);

        if (to >= end)
            break;
        if (to < to_end &&
            add(parts, cursor->map, move.from + (to - move.to), to - begin, to_end - to) < 0) {
            *ret = -1;
            return false;
        }
        if (parts->n_list > cursor->most && end - begin > DEFRAG_BLOCK_BYTES)
            return false;
        if (move.to + move.bytes > end) /* it goes on in the next window */
            break;
    }
    return true;
}

int defrag_parts_find(struct defrag_parts *parts, struct defrag_parts_cursor *cursor,
                      uint64_t begin, uint64_t *end, struct err *err)
{
    for (;; *end = begin + ((*end - begin) / 2 + DEFRAG_BLOCK_BYTES - 1) / DEFRAG_BLOCK_BYTES *
                               DEFRAG_BLOCK_BYTES) {
        size_t next_cluster = cursor->next_cluster, next_blob = cursor->next_blob;
        const struct defrag_plan *plan = cursor->plan;
        int ret = 0;

        parts->n_list = 0;
        if (find_of(parts, cursor, &plan->data, begin, *end, &next_cluster, &ret) &&
            find_of(parts, cursor, &plan->blobs, begin, *end, &next_blob, &ret)) {
            cursor->next_cluster = next_cluster;
            cursor->next_blob = next_blob;
            return 0;
        }
        if (ret < 0)
            return err_no_memory(err);
    }
}

uint64_t defrag_parts_next(const struct defrag_parts_cursor *cursor)
{
    const struct defrag_moves *lists[] = {&cursor->plan->data, &cursor->plan->blobs};
    const size_t nexts[] = {cursor->next_cluster, cursor->next_blob};
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < 2; i++)
        if (nexts[i] < lists[i]->n_list)
            next = least(next, defrag_moves_at(lists[i], nexts[i]).to);
    return next;
}

/* ---- order ---- */

static int by_place(const void *a, const void *b)
{
    const struct defrag_part *left = a, *right = b;

    if (left->place != right->place)
        return left->place < right->place ? -1 : 1;
    if (left->from != right->from)
        return left->from < right->from ? -1 : 1;
    return (left->at > right->at) - (left->at < right->at);
}

static int by_at(const void *a, const void *b)
{
    const struct defrag_part *left = a, *right = b;

    return (left->at > right->at) - (left->at < right->at);
}

void defrag_parts_sort_by_place(struct defrag_parts *parts)
{
    qsort(parts->list, parts->n_list, sizeof(*parts->list), by_place);
}

void defrag_parts_sort_by_at(struct defrag_parts *parts)
{
    qsort(parts->list, parts->n_list, sizeof(*parts->list), by_at);
}

size_t defrag_parts_first_at(const struct defrag_parts *parts, uint64_t at)
{
    return search_first(i, 0, parts->n_list, parts->list[i].at < at);
}
