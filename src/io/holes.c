// SPDX-License-Identifier: MIT
/* Owns the list of holes. */
#include "holes.h"

#include "io.h"
#include "search.h"
#include "vec.h"
#include "zeros.h"

#include <stdlib.h>
#include <string.h>

/* A question that was of use earns some that need not be. */
#define ASKS_EARNED 4u
#define ASKS_MAX 16u

void io_holes_free(struct io_holes *holes)
{
    free(holes->list);
    holes->list = NULL;
    holes->n_list = holes->cap_list = 0;
}

/* The first hole that ends behind @off, or n. */
static size_t find(const struct io_holes *holes, uint64_t off)
{
    return search_first(i, 0, holes->n_list, holes->list[i].end <= off);
}

bool io_holes_know(const struct io_holes *holes, uint64_t off, uint64_t len)
{
    size_t i = find(holes, off);

    return i < holes->n_list && holes->list[i].begin <= off && holes->list[i].end - off >= len;
}

uint64_t io_holes_end(const struct io_holes *holes, uint64_t off)
{
    size_t i = find(holes, off);

    return i < holes->n_list && holes->list[i].begin <= off ? holes->list[i].end : off;
}

/* Takes the place of the holes from @i on that it touches; if there are too many, of the next one.
 */
static void put(struct io_holes *holes, size_t i, struct io_hole hole)
{
    size_t end = i, most = holes->most > 0 ? holes->most : IO_HOLES_MAX;

    while (end < holes->n_list && holes->list[end].begin <= hole.end) {
        hole.end = holes->list[end].end > hole.end ? holes->list[end].end : hole.end;
        hole.begin = holes->list[end].begin < hole.begin ? holes->list[end].begin : hole.begin;
        end++;
    }
    if (end == i && holes->n_list == most) {
        i -= i == holes->n_list;
        end = i + 1;
    }
    if (end == i && vec_reserve(holes, list) < 0)
        return;
    memmove(&holes->list[i + 1], &holes->list[end], (holes->n_list - end) * sizeof(hole));
    holes->n_list = holes->n_list - (end - i) + 1;
    holes->list[i] = hole;
}

bool io_holes_look(struct io_holes *holes, uint64_t off, uint64_t len)
{
    uint64_t data = io_next_data(holes->io, off), end;
    struct io_hole hole;
    size_t i;

    end = data < holes->file_bytes ? data : holes->file_bytes;
    if (end <= off || end - off < len) {
        holes->asks -= holes->asks > 0;
        return false;
    }
    holes->asks = holes->asks + ASKS_EARNED < ASKS_MAX ? holes->asks + ASKS_EARNED : ASKS_MAX;
    hole = (struct io_hole){off, end};
    i = find(holes, off);
    /* The hole is known from further behind on: so tables may be in a row from back to front. */
    if (i < holes->n_list && holes->list[i].begin <= end && holes->list[i].begin > off) {
        uint64_t before = holes->back < off ? off - holes->back : 0;

        if (before < off && io_next_data(holes->io, before) >= end) {
            hole.begin = before;
            holes->back *= 2;
        } else {
            holes->back = holes->back / 2 > len ? holes->back / 2 : len;
        }
    }
    put(holes, find(holes, hole.begin), hole);
    return true;
}

bool io_holes_have(struct io_holes *holes, uint64_t off, uint64_t len)
{
    return io_holes_know(holes, off, len) || (holes->asks > 0 && io_holes_look(holes, off, len));
}

bool io_holes_learn(struct io_holes *holes, const struct io_request *request)
{
    if (!is_zeros(request->buf, request->len))
        return false;
    io_holes_look(holes, request->off, request->len);
    return true;
}
