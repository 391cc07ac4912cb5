// SPDX-License-Identifier: MIT
/* Owns the reading of L1 tables. Memory does not depend on their length. */
#include "l1.h"

#include "be.h"
#include "err.h"
#include "image.h"
#include "io.h"
#include "scan.h"
#include "zeros.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_ENTRIES_MAX 8192u /* of each table */
#define WINDOW_ENTRIES_MIN 8u
#define WINDOWS_BYTES (1u << 20) /* of all tables together, as far as possible */

uint32_t tables_l1_entries(const struct format_image *image, const struct tables_table *table)
{
    uint64_t needed = format_l1_needed(&image->header, table->virtual_bytes);

    if (table->whole_l1 || needed > table->l1_entries)
        return table->l1_entries;
    return (uint32_t)needed;
}

int tables_l1_init(struct tables_l1 *l1, struct format_image *image,
                   const struct tables_table *tables, size_t n_tables, struct err *err)
{
    size_t fair = WINDOWS_BYTES / 8 / n_tables;

    *l1 = (struct tables_l1){.image = image, .tables = tables, .n_tables = n_tables};
    l1->places = calloc(n_tables, sizeof(*l1->places));
    if (l1->places == NULL)
        return err_no_memory(err);
    for (size_t t = 0; t < n_tables; t++) {
        uint32_t entries = tables_l1_entries(image, &tables[t]);

        l1->places[t].entries = entries;
        l1->end = entries > l1->end ? entries : l1->end;
    }
    l1->window_entries = fair > WINDOW_ENTRIES_MAX   ? WINDOW_ENTRIES_MAX
                         : fair < WINDOW_ENTRIES_MIN ? WINDOW_ENTRIES_MIN
                                                     : (uint32_t)fair;
    if (l1->window_entries > l1->end)
        l1->window_entries = l1->end > 0 ? l1->end : 1;
    l1->bytes = calloc(n_tables, 8 * (size_t)l1->window_entries);
    l1->live = calloc(n_tables, sizeof(*l1->live));
    return l1->bytes == NULL || l1->live == NULL ? err_no_memory(err) : 0;
}

void tables_l1_free(struct tables_l1 *l1)
{
    free(l1->bytes);
    free(l1->live);
    free(l1->places);
    l1->bytes = NULL;
    l1->live = NULL;
    l1->places = NULL;
}

void tables_l1_set_range(struct tables_l1 *l1, uint32_t first, uint32_t end)
{
    l1->first = first;
    l1->n = 0;
    l1->end = end;
}

static int became_shorter(const struct tables_table *table, struct err *err)
{
    return io_became_shorter("the file", "the L1 table", table->l1_off, err);
}

/* The hole at @at; tables lie beside one another, so what was found for one may do for the next. */
static int find_hole(struct tables_l1 *l1, uint64_t at, struct err *err)
{
    if (at >= l1->hole_begin && at < l1->hole_end)
        return 0;
    l1->hole_begin = at;
    l1->hole_end = io_next_data(l1->image->io, at);
    if (l1->hole_end != UINT64_MAX)
        return 0;
    return io_size(l1->image->io, &l1->file_bytes, err);
}

/* The table was inside the file when that was opened; behind its last data is a hole, or nothing.
 */
static int check_end(const struct tables_l1 *l1, size_t t, struct err *err)
{
    const struct tables_table *table = &l1->tables[t];

    if (table->l1_off + 8 * (uint64_t)l1->places[t].entries <= l1->file_bytes)
        return 0;
    return became_shorter(table, err);
}

/* The first index from @first on at which the table may have an entry. */
static int find_next(struct tables_l1 *l1, size_t t, uint32_t first, struct err *err)
{
    struct tables_l1_place *place = &l1->places[t];
    uint64_t at = l1->tables[t].l1_off + 8 * (uint64_t)first, n_empty = 0;
    int ret = 0;

    place->next = UINT32_MAX;
    if (first >= place->entries)
        return 0;
    if (at < place->hole_begin || at >= place->hole_end) {
        ret = find_hole(l1, at, err);
        place->hole_begin = at;
        place->hole_end = l1->hole_end;
        if (ret == 0 && place->hole_end == UINT64_MAX)
            ret = check_end(l1, t, err);
    }
    if (place->hole_end > at)
        n_empty = (place->hole_end - at) / 8;
    if (n_empty < place->entries - first)
        place->next = first + (uint32_t)n_empty;
    return ret;
}

/* Passes over what no table has an entry in: holes may be longer than all that is stored. */
static int find_window(struct tables_l1 *l1, struct err *err)
{
    uint32_t first = l1->first + l1->n, next = l1->end;

    for (size_t t = 0; t < l1->n_tables; t++) {
        int ret = find_next(l1, t, first, err);

        if (ret < 0)
            return ret;
        if (l1->places[t].next < next)
            next = l1->places[t].next;
    }
    l1->first = next;
    l1->n = l1->end - next < l1->window_entries ? l1->end - next : l1->window_entries;
    return 0;
}

/* Reads the window of one table. 1 if there is an entry in it that is not 0. */
static int read_window(struct tables_l1 *l1, size_t t, struct err *err)
{
    size_t stride = 8 * (size_t)l1->window_entries;
    uint32_t left = l1->places[t].entries - l1->first;
    size_t len = 8 * (size_t)(left < l1->n ? left : l1->n);
    struct io_request request = {.off = l1->tables[t].l1_off + 8 * (uint64_t)l1->first,
                                 .len = len,
                                 .buf = l1->bytes + t * stride};
    int ret = io_read_batch(l1->image->io, &request, 1, err);

    if (ret < 0)
        return ret;
    if (request.got < len)
        return became_shorter(&l1->tables[t], err);
    if (is_zeros(request.buf, len))
        return 0;
    memset(l1->bytes + t * stride + len, 0, stride - len);
    return 1;
}

/*
 * Tables that end before the window, or have nothing in it, cost no more: a damaged image may have
 * thousands of short ones beside a very long one.
 */
int tables_l1_next(struct tables_l1 *l1, struct err *err)
{
    int ret = find_window(l1, err);

    l1->n_live = 0;
    for (size_t t = 0; t < l1->n_tables && ret >= 0; t++) {
        if (l1->places[t].next - l1->first >= l1->n) /* or UINT32_MAX */
            continue;
        ret = read_window(l1, t, err);
        if (ret == 1)
            l1->live[l1->n_live++] = t;
    }
    return ret < 0 ? ret : l1->n > 0;
}

uint64_t tables_l1_entry(const struct tables_l1 *l1, size_t table, uint32_t index)
{
    return be64_load(l1->bytes + 8 * (table * l1->window_entries + (index - l1->first)));
}

int tables_l1_hash(struct format_image *image, const struct tables_table *tables, size_t n_tables,
                   uint64_t *hash, struct err *err)
{
    struct tables_l1 l1;
    int ret = tables_l1_init(&l1, image, tables, n_tables, err);

    *hash = 0;
    while (ret == 0 && (ret = tables_l1_next(&l1, err)) == 1) {
        ret = 0;
        for (size_t i = 0; i < l1.n_live; i++)
            for (uint32_t index = l1.first; index < l1.first + l1.n; index++)
                *hash = (*hash ^ index ^ tables_l1_entry(&l1, l1.live[i], index)) *
                        UINT64_C(0x9e3779b97f4a7c15);
    }
    tables_l1_free(&l1);
    return ret;
}
