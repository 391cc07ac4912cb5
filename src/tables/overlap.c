// SPDX-License-Identifier: MIT
/*
 * Owns the memory of all L2 tables while it is found out which are named more than once: a bit for
 * each cluster of the file, or where those are too many a list. Keeps only the repeated ones.
 */
#include "overlap.h"

#include "bitset.h"
#include "err.h"
#include "hash.h"
#include "image.h"
#include "l1.h"
#include "scan.h"
#include "search.h"
#include "sort.h"
#include "vec.h"

#include <stdlib.h>
#include <string.h>

/* Beyond that many overlaps are not looked for: all that one L1 table can name, in 32 MiB. */
#define TABLES_MAX (UINT32_C(1) << 22)

/* Clusters of a file that has a bit for each: 8 MiB twice, of which only those near tables are
 * used. */
#define CLUSTERS_MAX (UINT64_C(1) << 26)

struct offsets {
    unsigned cluster_bits;
    uint64_t *named, *repeated; /* sets of clusters; NULL: there is a list instead */
    uint64_t *list;             /* of all tables; with the sets only of those that are repeated */
    size_t n_list, cap_list;
    size_t n_tables;  /* of all */
    struct hash seen; /* at the present L1 index */
};

/* Is this the first time that @l2_off is named at the present index? */
static bool is_first_at_index(struct offsets *offsets, uint64_t l2_off)
{
    bool is_new;

    hash_at(&offsets->seen, l2_off, &is_new);
    return is_new;
}

static void end_sets(struct offsets *offsets)
{
    free(offsets->named);
    free(offsets->repeated);
    offsets->named = offsets->repeated = NULL;
}

/* Does the table at @cluster belong into the list? */
static bool is_wanted(struct offsets *offsets, uint64_t cluster)
{
    if (offsets->named == NULL)
        return true;
    if (!bitset_has(offsets->named, cluster)) {
        bitset_add(offsets->named, cluster);
        return false;
    }
    if (bitset_has(offsets->repeated, cluster))
        return false;
    bitset_add(offsets->repeated, cluster);
    return true;
}

static int note_l2_at_index(struct offsets *offsets, const struct format_entry_rules *rules,
                            const struct tables_l1 *l1, uint32_t index, struct err *err)
{
    hash_clear(&offsets->seen);
    for (size_t i = 0; i < l1->n_live; i++) {
        uint64_t raw = tables_l1_entry(l1, l1->live[i], index);
        uint64_t l2_off = format_l1_entry_of(rules, raw).l2_off;

        if (l2_off == 0 || offsets->n_tables > TABLES_MAX ||
            (l1->n_live > 1 && !is_first_at_index(offsets, l2_off)))
            continue;
        offsets->n_tables++;
        if (!is_wanted(offsets, l2_off >> offsets->cluster_bits))
            continue;
        if (vec_reserve(offsets, list) < 0)
            return err_no_memory(err);
        offsets->list[offsets->n_list++] = l2_off;
    }
    return 0;
}

/* Without the memory for both sets there is a list. */
static void begin_sets(struct offsets *offsets, const struct format_entry_rules *rules)
{
    uint64_t n = rules->file_bytes >> rules->cluster_bits;

    offsets->cluster_bits = rules->cluster_bits;
    if (n > CLUSTERS_MAX)
        return;
    offsets->named = bitset_new(n);
    offsets->repeated = bitset_new(n);
    if (offsets->named == NULL || offsets->repeated == NULL)
        end_sets(offsets);
}

static int collect(struct format_image *image, const struct format_entry_rules *rules,
                   const struct tables_table *walked, size_t n_tables, struct offsets *offsets,
                   struct err *err)
{
    struct tables_l1 l1;
    int ret = tables_l1_init(&l1, image, walked, n_tables, err);

    if (ret == 0 && hash_reserve(&offsets->seen, n_tables) < 0)
        ret = err_no_memory(err);
    while (ret == 0 && (ret = tables_l1_next(&l1, err)) == 1) {
        ret = 0;
        for (uint32_t i = 0; i < l1.n && ret == 0; i++)
            ret = note_l2_at_index(offsets, rules, &l1, l1.first + i, err);
    }
    tables_l1_free(&l1);
    return ret;
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
static void keep_list(struct offsets *offsets, struct tables_overlap *overlap)
{
    if (overlap->n_repeated == 0) {
        free(offsets->list);
        return;
    }
    overlap->repeated = realloc(offsets->list, overlap->n_repeated * sizeof(*offsets->list));
    if (overlap->repeated == NULL)
        overlap->repeated = offsets->list;
}

static void find_repeated(struct offsets *offsets, struct tables_overlap *overlap)
{
    bool all_repeated = offsets->named != NULL;

    end_sets(offsets);
    if (offsets->n_tables <= TABLES_MAX) {
        sort_records(offsets->list, offsets->n_list, 1, 0);
        overlap->n_repeated =
            all_repeated ? offsets->n_list : keep_repeated(offsets->list, offsets->n_list);
    }
    keep_list(offsets, overlap);
}

int tables_overlap_find(struct format_image *image, const struct format_entry_rules *rules,
                        const struct tables_table *walked, size_t n_tables,
                        struct tables_overlap *overlap, struct err *err)
{
    struct offsets offsets = {.list = NULL};
    bool all_refblocks;
    int ret;

    memset(overlap, 0, sizeof(*overlap));
    begin_sets(&offsets, rules);
    ret = format_image_metadata(image, &overlap->metadata, &all_refblocks, err);
    if (ret == 0)
        ret = collect(image, rules, walked, n_tables, &offsets, err);
    overlap->n_tables = offsets.n_tables;
    overlap->looked = all_refblocks && offsets.n_tables <= TABLES_MAX;
    if (ret == 0)
        find_repeated(&offsets, overlap);
    else
        free(offsets.list);
    end_sets(&offsets);
    hash_free(&offsets.seen);
    return ret;
}

void tables_overlap_free(struct tables_overlap *overlap)
{
    free(overlap->repeated);
    memset(overlap, 0, sizeof(*overlap));
}

size_t tables_overlap_repeated(const struct tables_overlap *overlap, uint64_t l2_off)
{
    size_t at = search_first(i, 0, overlap->n_repeated, overlap->repeated[i] < l2_off);

    return at < overlap->n_repeated && overlap->repeated[at] == l2_off ? at : TABLES_NOT_REPEATED;
}
