// SPDX-License-Identifier: MIT
/* Owns the list of all L2 tables while it is searched; keeps only those named more than once. */
#include "overlap.h"

#include "err.h"
#include "hash.h"
#include "image.h"
#include "l1.h"
#include "scan.h"
#include "search.h"
#include "vec.h"

#include <stdlib.h>
#include <string.h>

/* Beyond that many overlaps are not looked for: all that one L1 table can name, in 32 MiB. */
#define TABLES_MAX (UINT32_C(1) << 22)

struct offsets {
    uint64_t *list;
    size_t n_list, cap_list;
    struct hash seen; /* at the present L1 index */
};

/* Is this the first time that @l2_off is named at the present index? */
static bool is_first_at_index(struct offsets *offsets, uint64_t l2_off)
{
    bool is_new;

    hash_at(&offsets->seen, l2_off, &is_new);
    return is_new;
}

static int add_index(struct offsets *offsets, const struct format_entry_rules *rules,
                     const struct tables_l1 *l1, uint32_t index, struct err *err)
{
    hash_clear(&offsets->seen);
    for (size_t i = 0; i < l1->n_live; i++) {
        uint64_t raw = tables_l1_entry(l1, l1->live[i], index);
        uint64_t l2_off = format_l1_entry_of(rules, raw).l2_off;

        if (l2_off == 0 || offsets->n_list > TABLES_MAX ||
            (l1->n_live > 1 && !is_first_at_index(offsets, l2_off)))
            continue;
        if (vec_reserve(offsets, list) < 0)
            return err_no_memory(err);
        offsets->list[offsets->n_list++] = l2_off;
    }
    return 0;
}

static int collect(struct format_image *image, const struct format_entry_rules *rules,
                   const struct table *walked, size_t n_tables, struct offsets *offsets,
                   struct err *err)
{
    struct tables_l1 l1;
    int ret = tables_l1_init(&l1, image, walked, n_tables, err);

    if (ret == 0 && hash_reserve(&offsets->seen, n_tables) < 0)
        ret = err_no_memory(err);
    while (ret == 0 && (ret = tables_l1_next(&l1, err)) == 1) {
        ret = 0;
        for (uint32_t i = 0; i < l1.n && ret == 0; i++)
            ret = add_index(offsets, rules, &l1, l1.first + i, err);
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

#define DIGIT_BITS 8
#define DIGITS (1u << DIGIT_BITS)
#define FEW 32

static void sort_few(uint64_t *list, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t moved = list[i];
        size_t at = i;

        for (; at > 0 && list[at - 1] > moved; at--)
            list[at] = list[at - 1];
        list[at] = moved;
    }
}

static size_t digit(uint64_t value, unsigned shift)
{
    return value >> shift & (DIGITS - 1);
}

/* Where those with each digit end, from those with the first on. */
static void find_ends(const uint64_t *list, size_t n, unsigned shift, uint32_t ends[DIGITS])
{
    memset(ends, 0, DIGITS * sizeof(*ends));
    for (size_t i = 0; i < n; i++)
        ends[digit(list[i], shift)]++;
    for (size_t i = 1; i < DIGITS; i++)
        ends[i] += ends[i - 1];
}

/*
 * Radix sort from the highest digit down: in place, since the list may fill half of the memory that
 * we allow ourselves; it has at most TABLES_MAX. Each is put where those with its digit stand, and
 * what was there is taken up in turn. The depth is at most the number of digits.
 */
static void sort_by_digits(uint64_t *list, size_t n, unsigned shift)
{
    uint32_t ends[DIGITS], free_at[DIGITS];

    if (n <= FEW) {
        sort_few(list, n);
        return;
    }
    find_ends(list, n, shift, ends);
    for (size_t i = 0; i < DIGITS; i++)
        free_at[i] = i > 0 ? ends[i - 1] : 0;
    for (size_t i = 0; i < DIGITS; i++)
        while (free_at[i] < ends[i]) {
            uint64_t moved = list[free_at[i]];
            size_t to;

            while ((to = digit(moved, shift)) != i) {
                uint64_t there = list[free_at[to]];

                list[free_at[to]++] = moved;
                moved = there;
            }
            list[free_at[i]++] = moved;
        }
    for (size_t i = 0; shift > 0 && i < DIGITS; i++) {
        uint32_t begin = i > 0 ? ends[i - 1] : 0;

        sort_by_digits(list + begin, ends[i] - begin, shift > DIGIT_BITS ? shift - DIGIT_BITS : 0);
    }
}

static void sort(uint64_t *list, size_t n)
{
    uint64_t differ = 0;
    unsigned bits;

    for (size_t i = 1; i < n; i++)
        differ |= list[i] ^ list[0];
    bits = differ != 0 ? 64 - (unsigned)__builtin_clzll(differ) : 0;
    sort_by_digits(list, n, bits > DIGIT_BITS ? bits - DIGIT_BITS : 0);
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

int tables_overlap_find(struct format_image *image, const struct format_entry_rules *rules,
                        const struct table *walked, size_t n_tables, struct tables_overlap *overlap,
                        struct err *err)
{
    struct offsets *offsets = calloc(1, sizeof(*offsets));
    bool all_refblocks;
    int ret;

    memset(overlap, 0, sizeof(*overlap));
    if (offsets == NULL)
        return err_no_memory(err);
    ret = format_image_metadata(image, &overlap->metadata, &all_refblocks, err);
    if (ret == 0)
        ret = collect(image, rules, walked, n_tables, offsets, err);
    overlap->n_tables = offsets->n_list;
    overlap->looked = all_refblocks && offsets->n_list <= TABLES_MAX;
    if (ret == 0 && offsets->n_list <= TABLES_MAX) {
        if (!is_sorted(offsets->list, offsets->n_list))
            sort(offsets->list, offsets->n_list);
        overlap->n_repeated = keep_repeated(offsets->list, offsets->n_list);
    }
    keep_list(offsets, overlap);
    hash_free(&offsets->seen);
    free(offsets);
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
