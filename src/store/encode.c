// SPDX-License-Identifier: MIT
/* Owns the bits of refcounts. */
#include "encode.h"

#include <endian.h>
#include <string.h>

/* Below a byte the first count has the lowest bits; from a byte on they are big endian. */
static void store_one(unsigned order, uint64_t count, size_t at, unsigned char *bytes)
{
    unsigned bits = 1u << order;
    unsigned char word[8];

    if (order < 3) {
        bytes[at * bits / 8] |= (unsigned char)(count << (at * bits % 8));
        return;
    }
    count = htobe64(count << (64 - bits));
    memcpy(word, &count, sizeof(word));
    memcpy(bytes + at * (bits / 8), word, bits / 8);
}

bool store_refcounts(unsigned order, const uint16_t *counts, size_t n, unsigned char *bytes)
{
    uint64_t most = order < 4 ? (UINT64_C(1) << (1u << order)) - 1 : UINT64_MAX;

    for (size_t i = 0; i < n; i++) {
        if (counts[i] > most)
            return false;
        if (counts[i] > 0)
            store_one(order, counts[i], i, bytes);
    }
    return true;
}
