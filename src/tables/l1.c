// SPDX-License-Identifier: MIT
/* Owns the reading of L1 tables. Memory does not depend on their length. */
#include "l1.h"

#include "be.h"
#include "err.h"
#include "image.h"
#include "io.h"
#include "scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_ENTRIES_MAX 8192u /* of each table */
#define WINDOW_ENTRIES_MIN 8u
#define WINDOWS_BYTES (1u << 20) /* of all tables together, as far as possible */

uint32_t tables_l1_entries(const struct format_image *image, const struct table *table)
{
    uint64_t needed = format_l1_needed(&image->header, table->virtual_bytes);

    if (table->whole_l1 || needed > table->l1_entries)
        return table->l1_entries;
    return (uint32_t)needed;
}

int tables_l1_init(struct tables_l1 *l1, struct format_image *image, const struct table *tables,
                   size_t n_tables, struct err *err)
{
    size_t fair = WINDOWS_BYTES / 8 / n_tables;

    *l1 = (struct tables_l1){.image = image, .tables = tables, .n_tables = n_tables};
    for (size_t t = 0; t < n_tables; t++) {
        uint32_t entries = tables_l1_entries(image, &tables[t]);

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
    l1->bytes = NULL;
    l1->live = NULL;
}

void tables_l1_set_range(struct tables_l1 *l1, uint32_t first, uint32_t end)
{
    l1->first = first;
    l1->n = 0;
    l1->end = end;
}

static bool is_zero(const unsigned char *bytes, size_t len)
{
    uint64_t any = 0;

    for (size_t i = 0; i < len; i += 8)
        any |= be64_load(bytes + i);
    return any == 0;
}

/*
 * Tables that end before the window, or have nothing in it, cost no more: a damaged image may have
 * thousands of short ones beside a very long one.
 */
int tables_l1_next(struct tables_l1 *l1, struct err *err)
{
    size_t stride = 8 * (size_t)l1->window_entries;

    l1->n_live = 0;
    l1->first += l1->n;
    if (l1->first >= l1->end)
        return 0;
    l1->n = l1->end - l1->first;
    if (l1->n > l1->window_entries)
        l1->n = l1->window_entries;
    for (size_t t = 0; t < l1->n_tables; t++) {
        uint32_t entries = tables_l1_entries(l1->image, &l1->tables[t]);
        uint32_t left = l1->first < entries ? entries - l1->first : 0;
        size_t len = 8 * (size_t)(left < l1->n ? left : l1->n);
        struct io_request request = {.off = l1->tables[t].l1_off + 8 * (uint64_t)l1->first,
                                     .len = len,
                                     .buf = l1->bytes + t * stride};
        int ret = len > 0 ? io_read_batch(l1->image->io, &request, 1, err) : 0;

        if (ret < 0)
            return ret;
        if (len > 0 && request.got < len) /* the table was inside the file when it was opened */
            return err_set(err, EIO,
                           "the file became shorter while it was read: the L1 table at offset "
                           "0x%" PRIx64 " is gone; measure again when nobody changes it",
                           l1->tables[t].l1_off);
        if (is_zero(l1->bytes + t * stride, len))
            continue;
        memset(l1->bytes + t * stride + len, 0, stride - len);
        l1->live[l1->n_live++] = t;
    }
    return 1;
}

uint64_t tables_l1_entry(const struct tables_l1 *l1, size_t table, uint32_t index)
{
    return be64_load(l1->bytes + 8 * (table * l1->window_entries + (index - l1->first)));
}

int tables_l1_hash(struct format_image *image, const struct table *tables, size_t n_tables,
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
