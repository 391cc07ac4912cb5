// SPDX-License-Identifier: MIT
/* Owns the list of all L2 tables while it is searched; keeps only those named more than once. */
#include "overlap.h"

#include "err.h"
#include "image.h"
#include "l1.h"
#include "scan.h"
#include "vec.h"

#include <stdlib.h>
#include <string.h>

/*
 * Beyond that many tables overlaps are not looked for. With clusters of at most 4 KiB the walk
 * itself stays short, however often a table is named; with larger ones every L1 entry that the
 * format allows is looked at, in 32 MiB.
 */
#define TABLES_MAX_SMALL (UINT32_C(1) << 20)
#define TABLES_MAX (UINT32_C(1) << 22)
#define SMALL_CLUSTER_BYTES 4096

#define SEEN_SLOTS 2048 /* a power of two, at least twice the tables that go in step */

struct tables {
    uint64_t *list;
    size_t n_list, cap_list, most;
    /* The offsets seen at the present L1 index, in an open hash table that forgets by stamp. */
    struct {
        uint64_t l2_off;
        uint32_t stamp;
    } seen[SEEN_SLOTS];
    uint32_t stamp;
};

/* Is this the first time that @l2_off is named at the present index? */
static bool first_at_index(struct tables *tables, uint64_t l2_off)
{
    size_t slot = (size_t)(l2_off * UINT64_C(0x9e3779b97f4a7c15) >> 53) % SEEN_SLOTS;

    for (size_t tried = 0; tried < SEEN_SLOTS; tried++, slot = (slot + 1) % SEEN_SLOTS) {
        if (tables->seen[slot].stamp != tables->stamp) {
            tables->seen[slot].l2_off = l2_off;
            tables->seen[slot].stamp = tables->stamp;
            return true;
        }
        if (tables->seen[slot].l2_off == l2_off)
            return false;
    }
    return true;
}

static int add_index(struct tables *tables, const struct format_entry_rules *rules,
                     const struct tables_l1 *l1, uint32_t index, struct err *err)
{
    tables->stamp++;
    for (size_t i = 0; i < l1->n_live; i++) {
        uint64_t raw = tables_l1_entry(l1, l1->live[i], index);
        uint64_t l2_off = format_l1_entry_of(rules, raw).l2_off;

        if (l2_off == 0 || !first_at_index(tables, l2_off) || tables->n_list > tables->most)
            continue;
        if (vec_reserve(tables, list) < 0)
            return err_no_memory(err);
        tables->list[tables->n_list++] = l2_off;
    }
    return 0;
}

static int collect(struct format_image *image, const struct format_entry_rules *rules,
                   const struct table *walked, size_t n_tables, struct tables *tables,
                   struct err *err)
{
    struct tables_l1 l1;
    int ret = tables_l1_init(&l1, image, walked, n_tables, err);

    tables->most = rules->cluster_bytes > SMALL_CLUSTER_BYTES ? TABLES_MAX : TABLES_MAX_SMALL;
    while (ret == 0 && (ret = tables_l1_next(&l1, err)) == 1) {
        ret = 0;
        for (uint32_t i = 0; i < l1.n && ret == 0; i++)
            ret = add_index(tables, rules, &l1, l1.first + i, err);
    }
    tables_l1_free(&l1);
    return ret;
}

static bool is_sorted(const uint64_t *list, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (list[i - 1] > list[i])
            return false;
    return true;
}

/*
 * Radix exchange sort from the highest bit down: in place, since the list may fill half of the
 * memory that we allow ourselves. The depth is at most the number of bits.
 */
static void sort_by_bits(uint64_t *list, size_t n, unsigned bit)
{
    size_t low = 0, high = n;

    if (n < 2)
        return;
    while (low < high) {
        if (list[low] >> bit & 1) {
            uint64_t swap = list[--high];

            list[high] = list[low];
            list[low] = swap;
        } else {
            low++;
        }
    }
    if (bit > 9) { /* clusters have at least 512 bytes: the bits below are 0 */
        sort_by_bits(list, low, bit - 1);
        sort_by_bits(list + low, n - low, bit - 1);
    }
}

/* Keeps one of each offset that occurs several times. */
static size_t keep_repeated(uint64_t *list, size_t n)
{
    size_t kept = 0;

    for (size_t i = 1; i < n; i++)
        if (list[i] == list[i - 1] && (kept == 0 || list[kept - 1] != list[i]))
            list[kept++] = list[i];
    return kept;
}

/* Of a list that was long, only the part that is needed stays in memory. */
static void keep_list(struct tables *tables, struct tables_overlap *overlap)
{
    if (overlap->n_repeated == 0) {
        free(tables->list);
        return;
    }
    overlap->repeated = realloc(tables->list, overlap->n_repeated * sizeof(*tables->list));
    if (overlap->repeated == NULL)
        overlap->repeated = tables->list;
}

int tables_overlap_find(struct format_image *image, const struct format_entry_rules *rules,
                        const struct table *walked, size_t n_tables, struct tables_overlap *overlap,
                        struct err *err)
{
    struct tables *tables = calloc(1, sizeof(*tables));
    bool all_refblocks;
    int ret;

    memset(overlap, 0, sizeof(*overlap));
    if (tables == NULL)
        return err_no_memory(err);
    ret = format_image_metadata(image, &overlap->metadata, &all_refblocks, err);
    if (ret == 0)
        ret = collect(image, rules, walked, n_tables, tables, err);
    overlap->n_tables = tables->n_list;
    overlap->looked = all_refblocks && tables->n_list <= tables->most;
    if (ret == 0 && tables->n_list <= tables->most) {
        if (!is_sorted(tables->list, tables->n_list))
            sort_by_bits(tables->list, tables->n_list, 55);
        overlap->n_repeated = keep_repeated(tables->list, tables->n_list);
    }
    keep_list(tables, overlap);
    free(tables);
    return ret;
}

void tables_overlap_free(struct tables_overlap *overlap)
{
    free(overlap->repeated);
    memset(overlap, 0, sizeof(*overlap));
}

size_t tables_overlap_repeated(const struct tables_overlap *overlap, uint64_t l2_off)
{
    size_t low = 0, high = overlap->n_repeated;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (overlap->repeated[middle] < l2_off)
            low = middle + 1;
        else
            high = middle;
    }
    return low < overlap->n_repeated && overlap->repeated[low] == l2_off ? low
                                                                         : TABLES_NOT_REPEATED;
}
