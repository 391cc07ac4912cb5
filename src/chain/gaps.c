// SPDX-License-Identifier: MIT
/*
 * Owns the list of gaps. A layer that takes nothing costs nothing but its searches; one that takes
 * something costs one copy of the list.
 */
#include "gaps.h"

#include "search.h"
#include "vec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void chain_gaps_free(struct chain_gaps *gaps)
{
    free(gaps->list);
    free(gaps->left);
    memset(gaps, 0, sizeof(*gaps));
}

void chain_gaps_reset(struct chain_gaps *gaps, uint64_t begin, uint64_t end)
{
    gaps->n_list = gaps->n_left = 0;
    gaps->error = vec_reserve(gaps, list);
    if (gaps->error == 0 && begin < end)
        gaps->list[gaps->n_list++] = (struct chain_gap){begin, end};
    chain_gaps_begin(gaps);
}

void chain_gaps_begin(struct chain_gaps *gaps)
{
    gaps->n_left = gaps->at = gaps->kept = 0;
    gaps->taken = false;
}

/* The gaps of [kept, end) stay as they are. */
static void keep_until(struct chain_gaps *gaps, size_t end)
{
    size_t n = end - gaps->kept;

    if (vec_grow(&gaps->left, &gaps->cap_left, gaps->n_left + n + 1, sizeof(*gaps->left)) < 0) {
        gaps->error = -ENOMEM;
        return;
    }
    if (n > 0)
        memcpy(gaps->left + gaps->n_left, gaps->list + gaps->kept, n * sizeof(*gaps->left));
    gaps->n_left += n;
    gaps->kept = end;
}

void chain_gaps_end(struct chain_gaps *gaps)
{
    struct chain_gap *list = gaps->list;
    size_t cap = gaps->cap_list;

    if (!gaps->taken)
        return;
    keep_until(gaps, gaps->n_list);
    gaps->list = gaps->left;
    gaps->n_list = gaps->n_left;
    gaps->cap_list = gaps->cap_left;
    gaps->left = list;
    gaps->cap_left = cap;
    chain_gaps_begin(gaps);
}

/* The first gap from @at on that ends behind @off: in steps that double, then by halving. */
static size_t find_end_behind(const struct chain_gaps *gaps, size_t at, uint64_t off)
{
    size_t stride = 1, low = at, high = at;

    if (at == gaps->n_list || gaps->list[at].end > off) /* mostly */
        return at;
    while (high < gaps->n_list && gaps->list[high].end <= off) {
        low = high + 1;
        high += stride;
        stride *= 2;
    }
    if (high > gaps->n_list)
        high = gaps->n_list;
    return search_first(i, low, high, gaps->list[i].end <= off);
}

bool chain_gaps_look(struct chain_gaps *gaps, uint64_t from, uint64_t to, struct chain_gap *open)
{
    size_t last;

    if (from >= to)
        return false;
    gaps->at = find_end_behind(gaps, gaps->at, from);
    if (gaps->at == gaps->n_list || gaps->list[gaps->at].begin >= to)
        return false;
    last = find_end_behind(gaps, gaps->at, to - 1);
    if (last == gaps->n_list || gaps->list[last].begin >= to)
        last--; /* not the one at @at, which begins before @to */
    open->begin = gaps->list[gaps->at].begin > from ? gaps->list[gaps->at].begin : from;
    open->end = gaps->list[last].end < to ? gaps->list[last].end : to;
    return true;
}

bool chain_gaps_first(struct chain_gaps *gaps, uint64_t from, uint64_t to, struct chain_gap *first)
{
    const struct chain_gap *gap;

    if (from >= to)
        return false;
    gaps->at = find_end_behind(gaps, gaps->at, from);
    if (gaps->at == gaps->n_list || gaps->list[gaps->at].begin >= to)
        return false;
    gap = &gaps->list[gaps->at];
    *first =
        (struct chain_gap){gap->begin > from ? gap->begin : from, gap->end < to ? gap->end : to};
    return true;
}

bool chain_gaps_take(struct chain_gaps *gaps, uint64_t from, uint64_t to, struct chain_gap *taken)
{
    struct chain_gap *gap;

    if (!chain_gaps_first(gaps, from, to, taken))
        return false;
    gap = &gaps->list[gaps->at];
    if (gaps->kept < gaps->at || gap->begin < taken->begin) /* not where cluster follows cluster */
        keep_until(gaps, gaps->at);
    if (gaps->error != 0)
        return false;
    gaps->taken = true;
    if (gap->begin < taken->begin)
        gaps->left[gaps->n_left++] = (struct chain_gap){gap->begin, taken->begin};
    if (taken->end < gap->end)
        gap->begin = taken->end;
    else
        gaps->kept = ++gaps->at;
    return true;
}
