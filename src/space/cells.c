// SPDX-License-Identifier: MIT
/*
 * Owns the bits of a cell. First walk: the class in the two highest bits, the count below them.
 * Second walk: 0, open; all ones, closed; one less, open for metadata; else the number of a table.
 *
 * The loops over single clusters are written once, and compiled for either width.
 */
#include "cells.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD 16 /* clusters: cells of a shuffled image are not in the processor's cache */

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE uint32_t load(const void *cells, uint64_t at, bool wide)
{
    return wide ? ((const uint16_t *)cells)[at] : ((const uint8_t *)cells)[at];
}

ALWAYS_INLINE void store(void *cells, uint64_t at, uint32_t value, bool wide)
{
    if (wide)
        ((uint16_t *)cells)[at] = (uint16_t)value;
    else
        ((uint8_t *)cells)[at] = (uint8_t)value;
}

ALWAYS_INLINE unsigned class_shift(bool wide)
{
    return wide ? 14 : 6;
}

ALWAYS_INLINE uint32_t closed(bool wide)
{
    return wide ? UINT16_MAX : UINT8_MAX;
}

ALWAYS_INLINE uint32_t open_metadata(bool wide)
{
    return closed(wide) - 1;
}

int space_cells_init(struct space_cells *cells, uint64_t bytes, uint64_t n_clusters, bool wide)
{
    uint64_t room = bytes >> wide;

    *cells = (struct space_cells){.wide = wide, .capacity = room < n_clusters ? room : n_clusters};
    cells->cells = calloc((size_t)cells->capacity, wide ? 2 : 1);
    return cells->cells == NULL ? -ENOMEM : 0;
}

void space_cells_free(struct space_cells *cells)
{
    free(cells->cells);
    memset(cells, 0, sizeof(*cells));
}

void space_cells_begin(struct space_cells *cells, uint64_t first)
{
    if (cells->top > cells->first) /* what was never touched is empty still */
        memset(cells->cells, 0, (size_t)(cells->top - cells->first) << cells->wide);
    cells->first = cells->top = first;
    cells->end = first + cells->capacity;
    cells->beyond = UINT64_MAX;
    cells->full = false;
}

/* ---- the first walk ---- */

/* The members that change stand in variables: a store to a cell might alias them. */
ALWAYS_INLINE size_t add(struct space_cells *cells, const uint64_t *clusters, size_t n,
                         uint32_t weight, uint32_t class, bool wide)
{
    void *const list = cells->cells;
    const uint64_t first = cells->first, room = cells->end - cells->first;
    const uint32_t most = space_cells_count_max(wide), class_bits = class << class_shift(wide);
    const uint32_t metadata = (uint32_t)SPACE_CLASS_METADATA << class_shift(wide);
    uint64_t top = cells->top - first, beyond = cells->beyond - first;
    uint32_t high = 0;
    size_t refused = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t at = clusters[i] - first; /* below the window: beyond all */
        uint32_t old, count;

        if (i + AHEAD < n)
            __builtin_prefetch((const char *)list + ((clusters[i + AHEAD] - first) << wide), 1);
        if (at >= room) {
            if (clusters[i] > first && at < beyond)
                beyond = at;
            continue;
        }
        old = load(list, at, wide);
        if (old >= metadata && class_bits != metadata) {
            refused++;
            continue;
        }
        count = (old & most) + weight;
        high = count > high ? count : high;
        old &= ~most;
        store(list, at, (old > class_bits ? old : class_bits) | (count < most ? count : most),
              wide);
        top = at >= top ? at + 1 : top;
    }
    cells->top = first + top;
    cells->beyond = first + beyond;
    cells->full |= high >= most;
    return refused;
}

size_t space_cells_add(struct space_cells *cells, const uint64_t *clusters, size_t n,
                       uint32_t weight, enum space_class class)
{
    uint32_t most = space_cells_count_max(cells->wide) + 1; /* no sum of two overflows */

    weight = weight < most ? weight : most;
    return cells->wide ? add(cells, clusters, n, weight, class, true)
                       : add(cells, clusters, n, weight, class, false);
}

/* In an order that vector units can do: L1 tables may have many clusters. */
ALWAYS_INLINE bool add_metadata(struct space_cells *cells, uint64_t begin, uint64_t end, bool wide)
{
    void *const list = cells->cells;
    const uint32_t most = space_cells_count_max(wide);
    const uint32_t metadata = (uint32_t)SPACE_CLASS_METADATA << class_shift(wide);
    uint32_t full = 0;

    for (uint64_t at = begin; at < end; at++) {
        uint32_t count = load(list, at, wide) & most;

        count += count < most;
        full |= count == most;
        store(list, at, metadata | count, wide);
    }
    return full;
}

void space_cells_add_metadata(struct space_cells *cells, uint64_t begin, uint64_t end)
{
    uint64_t first = cells->first;

    if (end > cells->end && end > begin) {
        uint64_t behind = begin > cells->end ? begin : cells->end;

        cells->beyond = behind < cells->beyond ? behind : cells->beyond;
        end = cells->end;
    }
    begin = begin > first ? begin : first;
    if (begin >= end)
        return;
    cells->full |= cells->wide ? add_metadata(cells, begin - first, end - first, true)
                               : add_metadata(cells, begin - first, end - first, false);
    cells->top = end > cells->top ? end : cells->top;
}

/* The first byte from @at on that is not 0; @end if there is none. */
static uint64_t next_byte(const unsigned char *bytes, uint64_t at, uint64_t end)
{
    while (end - at >= 64) {
        uint64_t words[8], any = 0;

        memcpy(words, bytes + at, sizeof(words));
        for (size_t i = 0; i < 8; i++)
            any |= words[i];
        if (any != 0)
            break;
        at += sizeof(words);
    }
    while (at < end && bytes[at] == 0)
        at++;
    return at;
}

uint64_t space_cells_next(const struct space_cells *cells, uint64_t cluster, uint64_t end)
{
    uint64_t stop = end < cells->top ? end : cells->top, first = cells->first, at;

    if (cluster >= stop)
        return end;
    at = next_byte(cells->cells, (cluster - first) << cells->wide, (stop - first) << cells->wide);
    at >>= cells->wide;
    return first + at < stop ? first + at : end;
}

bool space_cells_is_metadata(const struct space_cells *cells, uint64_t cluster)
{
    uint64_t at = cluster - cells->first;

    return at < cells->end - cells->first &&
           load(cells->cells, at, cells->wide) >> class_shift(cells->wide) == SPACE_CLASS_METADATA;
}

ALWAYS_INLINE void read_cells(const void *list, uint64_t at, size_t n, uint16_t *counts,
                              uint8_t *classes, bool wide)
{
    const uint32_t most = space_cells_count_max(wide);

    for (size_t i = 0; i < n; i++) {
        uint32_t cell = load(list, at + i, wide), count = cell & most;

        counts[i] = count == most ? SPACE_CELLS_COUNT_FULL : (uint16_t)count;
        classes[i] = (uint8_t)(cell >> class_shift(wide));
    }
}

void space_cells_read(const struct space_cells *cells, uint64_t first, size_t n, uint16_t *counts,
                      uint8_t *classes)
{
    if (cells->wide)
        read_cells(cells->cells, first - cells->first, n, counts, classes, true);
    else
        read_cells(cells->cells, first - cells->first, n, counts, classes, false);
}

/* ---- the second walk ---- */

void space_cells_arm(struct space_cells *cells, uint64_t first, size_t n, const uint8_t *states)
{
    const uint32_t values[] = {[SPACE_CELLS_CLOSED] = closed(cells->wide),
                               [SPACE_CELLS_OPEN] = 0,
                               [SPACE_CELLS_OPEN_METADATA] = open_metadata(cells->wide)};

    if (first >= cells->top)
        return;
    n = cells->top - first < n ? (size_t)(cells->top - first) : n;
    for (size_t i = 0; i < n; i++)
        store(cells->cells, first - cells->first + i, values[states[i]], cells->wide);
}

ALWAYS_INLINE void own(struct space_cells *cells, const uint64_t *clusters, size_t n,
                       uint32_t table, bool metadata, bool wide)
{
    void *const list = cells->cells;
    const uint64_t first = cells->first, room = cells->top - cells->first;
    const uint32_t empty = metadata ? open_metadata(wide) : 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t at = clusters[i] - first;
        uint32_t old;

        if (at >= room)
            continue;
        old = load(list, at, wide);
        if (metadata || old != open_metadata(wide))
            store(list, at, old == empty || old == table ? table : closed(wide), wide);
    }
}

void space_cells_own(struct space_cells *cells, const uint64_t *clusters, size_t n, uint32_t table,
                     bool metadata)
{
    if (table > space_cells_table_max(cells->wide))
        table = closed(cells->wide);
    if (cells->wide)
        own(cells, clusters, n, table, metadata, true);
    else
        own(cells, clusters, n, table, metadata, false);
}

ALWAYS_INLINE void sum_owned(struct space_cells *cells, uint64_t *counts, bool wide)
{
    uint64_t end = cells->top - cells->first;

    for (uint64_t at = 0; at < end; at++) {
        uint32_t table;

        at = next_byte(cells->cells, at << wide, end << wide) >> wide;
        if (at == end)
            break;
        table = load(cells->cells, at, wide);
        if (table <= space_cells_table_max(wide)) {
            counts[table]++;
            store(cells->cells, at, closed(wide), wide);
        }
    }
}

void space_cells_sum_owned(struct space_cells *cells, uint64_t *counts)
{
    if (cells->wide)
        sum_owned(cells, counts, true);
    else
        sum_owned(cells, counts, false);
}
