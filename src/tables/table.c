// SPDX-License-Identifier: MIT
/* Owns where the L1 tables of an image are. Reads nothing. */
#include "table.h"

#include "image.h"

#include <stdio.h>

struct tables_table tables_table_of_active(const struct format_image *image)
{
    return (struct tables_table){.l1_off = image->header.l1_off,
                                 .l1_entries = image->header.l1_entries,
                                 .virtual_bytes = image->header.virtual_bytes,
                                 .active = true,
                                 .whole_l1 = true};
}

struct tables_table tables_table_of_snapshot(const struct format_image *image, size_t index)
{
    const struct format_snapshot *snapshot;
    struct tables_table table;

    if (index == TABLES_TABLE_ACTIVE)
        return tables_table_of_active(image);
    snapshot = &image->snapshots.list[index];
    table = (struct tables_table){.l1_off = snapshot->l1_off,
                                  .l1_entries = snapshot->l1_entries,
                                  .virtual_bytes = snapshot->virtual_bytes};
    snprintf(table.name, sizeof(table.name), "snapshot[%zu] ", index);
    return table;
}

struct tables_table table_of_disk(struct tables_table whole)
{
    whole.whole_l1 = false;
    return whole;
}

bool tables_table_is_same(const struct tables_table *one, const struct tables_table *other)
{
    return one->l1_off == other->l1_off && one->l1_entries == other->l1_entries &&
           one->virtual_bytes == other->virtual_bytes && one->whole_l1 == other->whole_l1;
}
