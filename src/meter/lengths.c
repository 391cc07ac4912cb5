// SPDX-License-Identifier: MIT
/* Owns the counts of run lengths. The order of additions never changes the result. */
#include "lengths.h"

#include "vec.h"

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
    hash_free(&lengths->places);
    free(lengths->list);
    lengths->list = NULL;
    lengths->n_list = lengths->cap_list = 0;
}

void meter_lengths_clear(struct meter_lengths *lengths)
{
    memset(lengths->few, 0, sizeof(lengths->few));
    hash_clear(&lengths->places);
    lengths->n_list = 0;
}

void meter_lengths_add_long(struct meter_lengths *lengths, uint64_t bytes, uint64_t count)
{
    uint32_t *place;
    bool is_new;

    if (count == 0)
        return;
    if (hash_reserve(&lengths->places, lengths->n_list + 1) < 0 || vec_reserve(lengths, list) < 0) {
        lengths->error = -ENOMEM;
        return;
    }
    place = hash_at(&lengths->places, bytes, &is_new);
    if (is_new) {
        *place = (uint32_t)lengths->n_list++;
        lengths->list[*place] = (struct meter_length){.bytes = bytes};
    }
    lengths->list[*place].count += count;
}

void meter_lengths_merge(struct meter_lengths *sum, const struct meter_lengths *more,
                         uint64_t times)
{
    for (size_t i = 0; i < METER_LENGTHS_SHORT; i++)
        sum->few[i] += times * more->few[i];
    for (size_t i = 0; i < more->n_list; i++)
        meter_lengths_add_long(sum, more->list[i].bytes, times * more->list[i].count);
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

    *n = lengths->n_list;
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
    for (size_t i = 0; i < lengths->n_list; i++)
        list[filled++] = lengths->list[i];
    qsort(list, *n, sizeof(*list), longer_first);
    return list;
}
