// SPDX-License-Identifier: MIT
/* Owns the joining of L1 entries at one index. Its memory depends on the number of tables alone. */
#include "naming.h"

#include "err.h"
#include "image.h"
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int space_naming_open(struct space_naming *naming, struct format_image *image,
                      const struct space_l1_table *tables, size_t n_tables, size_t first_number,
                      struct err *err)
{
    *naming = (struct space_naming){.image = image,
                                    .rules = format_image_rules(image),
                                    .tables = tables,
                                    .n_tables = n_tables,
                                    .first_number = first_number};
    naming->here = calloc(n_tables, sizeof(*naming->here));
    naming->others = calloc(n_tables, sizeof(*naming->others));
    naming->l1_tables = calloc(n_tables, sizeof(*naming->l1_tables));
    if (naming->here == NULL || naming->others == NULL || naming->l1_tables == NULL ||
        hash_reserve(&naming->found, n_tables) < 0)
        return err_no_memory(err);
    for (size_t t = 0; t < n_tables; t++)
        naming->l1_tables[t] = (struct tables_table){
            .l1_off = tables[t].l1_off, .l1_entries = tables[t].l1_entries, .whole_l1 = true};
    if (tables_l1_init(&naming->l1, image, naming->l1_tables, n_tables, err) < 0)
        return -ENOMEM;
    return tables_overlap_find(image, &naming->rules, naming->l1_tables, n_tables, &naming->overlap,
                               err);
}

void space_naming_close(struct space_naming *naming)
{
    tables_overlap_free(&naming->overlap);
    tables_l1_free(&naming->l1);
    free(naming->l1_tables);
    hash_free(&naming->found);
    free(naming->others);
    free(naming->here);
    memset(naming, 0, sizeof(*naming));
}

void space_naming_rewind_to(struct space_naming *naming, uint32_t first, uint32_t end)
{
    uint32_t longest = 0;

    for (size_t t = 0; t < naming->n_tables; t++)
        longest = naming->tables[t].l1_entries > longest ? naming->tables[t].l1_entries : longest;
    end = end < longest ? end : longest;
    tables_l1_set_range(&naming->l1, first < end ? first : end, end);
    naming->left_out = naming->untold = 0;
}

void space_naming_rewind(struct space_naming *naming)
{
    space_naming_rewind_to(naming, 0, UINT32_MAX);
}

int space_naming_next(struct space_naming *naming, struct err *err)
{
    return tables_l1_next(&naming->l1, err);
}

/*
 * The place in here[] of the table that @raw names; new ones are empty, but for the judgement of
 * their place. There is a free slot for each table. A table that goes alone needs none.
 */
static struct space_named_l2 *find(struct space_naming *naming, uint64_t raw)
{
    uint32_t *at = NULL;
    struct tables_followed followed;
    bool is_new = true;

    if (naming->n_tables > 1)
        at = hash_at(&naming->found, raw & FORMAT_ENTRY_OFFSET, &is_new);
    if (!is_new)
        return &naming->here[*at];
    if (at != NULL)
        *at = (uint32_t)naming->n_here;
    followed = tables_follow(&naming->overlap, &naming->rules, raw);
    naming->here[naming->n_here] = (struct space_named_l2){
        .l2_off = followed.l2_off, .bar = followed.bar, .repeated = followed.repeated};
    return &naming->here[naming->n_here++];
}

static void leave_out(struct space_naming *naming, uint32_t n, bool told)
{
    naming->left_out += n;
    naming->untold += told ? 0 : n;
}

/* Of the L2 table at @index. The last one that a disk uses may go on behind its end. */
static uint32_t entries_on_disk(const struct space_naming *naming,
                                const struct space_l1_table *table, uint32_t index)
{
    uint64_t entries = naming->image->header.l2_entries, first = index * entries;
    uint64_t left = first < table->disk_clusters ? table->disk_clusters - first : 0;

    return (uint32_t)(left < entries ? left : entries);
}

/* Table @t of the group names @l2, too. */
static void add_name(struct space_naming *naming, struct space_named_l2 *l2, size_t t,
                     enum space_class class)
{
    uint32_t number = (uint32_t)(naming->first_number + t);

    if (l2->weight++ == 0) {
        l2->first = number;
        l2->owner = naming->tables[t].snapshot == TABLES_TABLE_ACTIVE ? SPACE_CELLS_MANY : number;
        l2->class = class;
    } else {
        naming->others[l2->last - naming->first_number] = number;
        l2->owner = SPACE_CELLS_MANY;
        l2->class = class > l2->class ? class : l2->class;
    }
    l2->last = number;
}

static void add_entry(struct space_naming *naming, size_t t, uint32_t index, uint64_t raw)
{
    const struct space_l1_table *table = &naming->tables[t];
    bool on_disk = index < table->on_disk;
    struct space_named_l2 *l2;
    uint32_t told;

    if ((raw & FORMAT_ENTRY_OFFSET) == 0)
        return;
    l2 = find(naming, raw);
    if (l2->bar == TABLES_BAR_PLACE) {
        leave_out(naming, 1, table->told && on_disk);
        return;
    }
    add_name(naming, l2, t,
             !on_disk                                 ? SPACE_CLASS_VM_STATE
             : table->snapshot == TABLES_TABLE_ACTIVE ? SPACE_CLASS_ACTIVE
                                                      : SPACE_CLASS_SNAPSHOT);
    told = table->told ? entries_on_disk(naming, table, index) : 0;
    l2->told = told > l2->told ? told : l2->told;
}

void space_naming_at(struct space_naming *naming, uint32_t index)
{
    size_t n = 0;

    hash_clear(&naming->found);
    naming->n_here = 0;
    for (size_t i = 0; i < naming->l1.n_live; i++) {
        size_t t = naming->l1.live[i];
        uint64_t raw = tables_l1_entry(&naming->l1, t, index);

        if (raw != 0)
            add_entry(naming, t, index, raw);
    }
    for (size_t i = 0; i < naming->n_here; i++) {
        const struct space_named_l2 *l2 = &naming->here[i];

        if (l2->bar == TABLES_BAR_METADATA)
            leave_out(naming, l2->weight, l2->told > 0);
        else if (l2->bar != TABLES_BAR_PLACE)
            naming->here[n++] = *l2;
    }
    naming->n_here = n;
}

uint32_t space_naming_other(const struct space_naming *naming, const struct space_named_l2 *l2,
                            uint32_t number)
{
    return number == l2->last ? SPACE_NAMING_END : naming->others[number - naming->first_number];
}
