// SPDX-License-Identifier: MIT
/* Owns a radix sort from the highest digit down. */
#include "sort.h"

#include <stdbool.h>
#include <string.h>

#define WORDS_MAX 2
#define DIGIT_BITS 8
#define DIGITS (1u << DIGIT_BITS)
#define FEW 32

/* What is sorted, and how. */
struct order {
    unsigned words, by;
};

struct record {
    uint64_t word[WORDS_MAX];
};

static uint64_t key_of(struct order order, const uint64_t *list, size_t i)
{
    return list[i * order.words + order.by];
}

/* Two copies of a fixed length are much quicker than one of any. */
static struct record load(struct order order, const uint64_t *list, size_t i)
{
    return order.words == 1 ? (struct record){{list[i]}}
                            : (struct record){{list[2 * i], list[2 * i + 1]}};
}

static void store(struct order order, uint64_t *list, size_t i, struct record record)
{
    list[i * order.words] = record.word[0];
    if (order.words > 1)
        list[i * order.words + 1] = record.word[1];
}

static bool is_sorted(struct order order, const uint64_t *list, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (key_of(order, list, i - 1) > key_of(order, list, i))
            return false;
    return true;
}

static void sort_few(struct order order, uint64_t *list, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct record moved = load(order, list, i);
        size_t at = i;

        for (; at > 0 && key_of(order, list, at - 1) > moved.word[order.by]; at--)
            store(order, list, at, load(order, list, at - 1));
        store(order, list, at, moved);
    }
}

static size_t digit(uint64_t key, unsigned shift)
{
    return key >> shift & (DIGITS - 1);
}

/* Where those with each digit end, from those with the first on. */
static void find_ends(struct order order, const uint64_t *list, size_t n, unsigned shift,
                      size_t ends[DIGITS])
{
    memset(ends, 0, DIGITS * sizeof(*ends));
    for (size_t i = 0; i < n; i++)
        ends[digit(key_of(order, list, i), shift)]++;
    for (size_t i = 1; i < DIGITS; i++)
        ends[i] += ends[i - 1];
}

/* Each is put where those with its digit stand, and what was there is taken up in turn. */
static void distribute(struct order order, uint64_t *list, unsigned shift,
                       const size_t ends[DIGITS])
{
    size_t free_at[DIGITS];

    for (size_t i = 0; i < DIGITS; i++)
        free_at[i] = i > 0 ? ends[i - 1] : 0;
    for (size_t i = 0; i < DIGITS; i++)
        while (free_at[i] < ends[i]) {
            struct record moved = load(order, list, free_at[i]);
            size_t to;

            while ((to = digit(moved.word[order.by], shift)) != i) {
                struct record there = load(order, list, free_at[to]);

                store(order, list, free_at[to]++, moved);
                moved = there;
            }
            store(order, list, free_at[i]++, moved);
        }
}

/* The depth is at most the number of digits. */
static void sort_by_digits(struct order order, uint64_t *list, size_t n, unsigned shift)
{
    size_t ends[DIGITS];

    if (n <= FEW) {
        sort_few(order, list, n);
        return;
    }
    find_ends(order, list, n, shift, ends);
    distribute(order, list, shift, ends);
    for (size_t i = 0; shift > 0 && i < DIGITS; i++) {
        size_t begin = i > 0 ? ends[i - 1] : 0;

        sort_by_digits(order, list + begin * order.words, ends[i] - begin,
                       shift > DIGIT_BITS ? shift - DIGIT_BITS : 0);
    }
}

void sort_records(uint64_t *list, size_t n, unsigned words, unsigned by)
{
    const struct order order = {words, by};
    uint64_t differ = 0;
    unsigned bits;

    if (is_sorted(order, list, n))
        return;
    for (size_t i = 1; i < n; i++)
        differ |= key_of(order, list, i) ^ key_of(order, list, 0);
    bits = 64 - (unsigned)__builtin_clzll(differ); /* not sorted: some bit differs */
    sort_by_digits(order, list, n, bits > DIGIT_BITS ? bits - DIGIT_BITS : 0);
}
