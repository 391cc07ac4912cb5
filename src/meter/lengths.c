// SPDX-License-Identifier: MIT
/* Owns the counts of run lengths. The order of additions never changes the result. */
#include "lengths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void meter_lengths_init(struct meter_lengths *lengths, unsigned unit_bits)
{
    memset(lengths, 0, sizeof(*lengths));
    lengths->unit_bits = unit_bits;
}

void meter_lengths_free(struct meter_lengths *lengths)
{
    free(lengths->slots);
    lengths->slots = NULL;
    lengths->n_slots = lengths->n_used = 0;
}

void meter_lengths_clear(struct meter_lengths *lengths)
{
    memset(lengths->few, 0, sizeof(lengths->few));
    if (lengths->n_used > 0)
        memset(lengths->slots, 0, lengths->n_slots * sizeof(*lengths->slots));
    lengths->n_used = 0;
}

/* The slot of @bytes, or the free one where it belongs. There is always a free one. */
static struct meter_length *find_slot(struct meter_length *slots, size_t n_slots, uint64_t bytes)
{
    /* Fibonacci hashing: lengths are multiples of a power of two, their low bits say nothing. */
    size_t i = (size_t)(bytes * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (n_slots - 1);

    while (slots[i].count != 0 && slots[i].bytes != bytes)
        i = (i + 1) & (n_slots - 1);
    return &slots[i];
}

/* Keeps the table at most half full. */
static int grow(struct meter_lengths *lengths)
{
    size_t n_slots = lengths->n_slots == 0 ? 64 : lengths->n_slots * 2;
    struct meter_length *slots;

    if (lengths->n_used + 1 <= lengths->n_slots / 2)
        return 0;
    slots = calloc(n_slots, sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < lengths->n_slots; i++)
        if (lengths->slots[i].count != 0)
            *find_slot(slots, n_slots, lengths->slots[i].bytes) = lengths->slots[i];
    free(lengths->slots);
    lengths->slots = slots;
    lengths->n_slots = n_slots;
    return 0;
}

void meter_lengths_add_long(struct meter_lengths *lengths, uint64_t bytes, uint64_t count)
{
    struct meter_length *slot;

    if (count == 0)
        return;
    if (grow(lengths) < 0) {
        lengths->error = -ENOMEM;
        return;
    }
    slot = find_slot(lengths->slots, lengths->n_slots, bytes);
    lengths->n_used += slot->count == 0;
    slot->bytes = bytes;
    slot->count += count;
}

void meter_lengths_merge(struct meter_lengths *sum, const struct meter_lengths *more,
                         uint64_t times)
{
    for (size_t i = 0; i < METER_LENGTHS_SHORT; i++)
        sum->few[i] += times * more->few[i];
    for (size_t i = 0; i < more->n_slots; i++)
        if (more->slots[i].count != 0)
            meter_lengths_add_long(sum, more->slots[i].bytes, times * more->slots[i].count);
    if (sum->error == 0)
        sum->error = more->error;
}

static int longer_first(const void *a, const void *b)
{
    const struct meter_length *left = a, *right = b;

    return (left->bytes < right->bytes) - (left->bytes > right->bytes);
}

struct meter_length *meter_lengths_sorted(const struct meter_lengths *lengths, size_t *n)
{
    struct meter_length *list;
    size_t filled = 0;

    *n = lengths->n_used;
    for (size_t i = 0; i < METER_LENGTHS_SHORT; i++)
        *n += lengths->few[i] != 0;
    if (*n == 0)
        return NULL;
    list = calloc(*n, sizeof(*list));
    if (list == NULL)
        return NULL;
    for (uint64_t i = 0; i < METER_LENGTHS_SHORT; i++)
        if (lengths->few[i] != 0)
            list[filled++] = (struct meter_length){i << lengths->unit_bits, lengths->few[i]};
    for (size_t i = 0; i < lengths->n_slots; i++)
        if (lengths->slots[i].count != 0)
            list[filled++] = lengths->slots[i];
    qsort(list, *n, sizeof(*list), longer_first);
    return list;
}
