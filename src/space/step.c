// SPDX-License-Identifier: MIT
/* Owns the joining of L1 entries at one index. Its memory depends on the number of tables alone. */
#include "step.h"

#include "err.h"
#include "image.h"
#include "metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int space_step_open(struct space_step *step, struct format_image *image,
                    const struct space_step_table *tables, size_t n_tables, size_t first_number,
                    struct err *err)
{
    *step = (struct space_step){.image = image,
                                .rules = format_image_rules(image),
                                .tables = tables,
                                .n_tables = n_tables,
                                .first_number = first_number,
                                .n_slots = 16};
    while (step->n_slots < 2 * n_tables)
        step->n_slots *= 2;
    step->here = calloc(n_tables, sizeof(*step->here));
    step->slots = calloc(step->n_slots, sizeof(*step->slots));
    step->l1_tables = calloc(n_tables, sizeof(*step->l1_tables));
    if (step->here == NULL || step->slots == NULL || step->l1_tables == NULL)
        return err_no_memory(err);
    for (size_t t = 0; t < n_tables; t++)
        step->l1_tables[t] = (struct table){
            .l1_off = tables[t].l1_off, .l1_entries = tables[t].l1_entries, .whole_l1 = true};
    if (tables_l1_init(&step->l1, image, step->l1_tables, n_tables, err) < 0)
        return -ENOMEM;
    return tables_overlap_find(image, &step->rules, step->l1_tables, n_tables, &step->overlap, err);
}

void space_step_close(struct space_step *step)
{
    tables_overlap_free(&step->overlap);
    tables_l1_free(&step->l1);
    free(step->l1_tables);
    free(step->slots);
    free(step->here);
    memset(step, 0, sizeof(*step));
}

void space_step_rewind(struct space_step *step)
{
    uint32_t end = 0;

    for (size_t t = 0; t < step->n_tables; t++)
        end = step->tables[t].l1_entries > end ? step->tables[t].l1_entries : end;
    tables_l1_set_range(&step->l1, 0, end);
    step->left_out = step->untold = 0;
}

int space_step_next(struct space_step *step, struct err *err)
{
    return tables_l1_next(&step->l1, err);
}

/*
 * The place of @l2_off in here[]; new ones are empty. There is a free slot for each table. A table
 * that goes alone needs none.
 */
static struct space_step_l2 *find(struct space_step *step, uint64_t l2_off)
{
    size_t mask = step->n_slots - 1;
    size_t at = (size_t)(l2_off * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;

    while (step->n_tables > 1 && step->slots[at].stamp == step->stamp) {
        if (step->slots[at].l2_off == l2_off)
            return &step->here[step->slots[at].at];
        at = (at + 1) & mask;
    }
    if (step->n_tables > 1)
        step->slots[at] = (struct space_step_slot){l2_off, step->stamp, (uint32_t)step->n_here};
    step->here[step->n_here] = (struct space_step_l2){.l2_off = l2_off};
    return &step->here[step->n_here++];
}

static void leave_out(struct space_step *step, uint32_t n, bool told)
{
    step->left_out += n;
    step->untold += told ? 0 : n;
}

/* Of the L2 table at @index. The last one that a disk uses may go on behind its end. */
static uint32_t entries_on_disk(const struct space_step *step, const struct space_step_table *table,
                                uint32_t index)
{
    uint64_t entries = step->image->header.l2_entries, first = index * entries;
    uint64_t left = first < table->disk_clusters ? table->disk_clusters - first : 0;

    return (uint32_t)(left < entries ? left : entries);
}

static void add_entry(struct space_step *step, size_t t, uint32_t index, uint64_t raw)
{
    const struct space_step_table *table = &step->tables[t];
    bool on_disk = index < table->on_disk, active = table->snapshot == TABLE_ACTIVE;
    uint64_t l2_off = format_l1_entry_of(&step->rules, raw).l2_off;
    enum space_class class = !on_disk ? SPACE_CLASS_VM_STATE
                             : active ? SPACE_CLASS_ACTIVE
                                      : SPACE_CLASS_SNAPSHOT;
    struct space_step_l2 *l2;
    uint32_t told;

    if (l2_off == 0) {
        leave_out(step, (raw & FORMAT_ENTRY_OFFSET) != 0, table->told && on_disk);
        return;
    }
    l2 = find(step, l2_off);
    if (l2->weight++ == 0) {
        l2->member = (uint32_t)(step->first_number + t);
        l2->owner = active ? SPACE_CELLS_MANY : l2->member;
        l2->class = class;
    } else {
        l2->owner = SPACE_CELLS_MANY;
        l2->class = class > l2->class ? class : l2->class;
    }
    told = table->told ? entries_on_disk(step, table, index) : 0;
    l2->told = told > l2->told ? told : l2->told;
}

void space_step_at(struct space_step *step, uint32_t index)
{
    size_t n = 0;

    step->stamp++; /* at most 2^22 indices a walk, and a few hundred walks: no overflow */
    step->n_here = 0;
    for (size_t i = 0; i < step->l1.n_live; i++) {
        size_t t = step->l1.live[i];
        uint64_t raw = tables_l1_entry(&step->l1, t, index);

        if (raw != 0)
            add_entry(step, t, index, raw);
    }
    for (size_t i = 0; i < step->n_here; i++) {
        struct space_step_l2 *l2 = &step->here[i];

        if (format_metadata_find(step->overlap.metadata, l2->l2_off, step->rules.cluster_bytes) !=
            NULL) {
            leave_out(step, l2->weight, l2->told > 0);
            continue;
        }
        l2->repeated = tables_overlap_repeated(&step->overlap, l2->l2_off);
        if (n < i)
            step->here[n] = *l2;
        n++;
    }
    step->n_here = n;
}
