/* SPDX-License-Identifier: MIT */
/*
 * Small numbers by 64-bit keys; mostly they are indices of an array of the owner's. For what is
 * asked often, and forgotten all at once.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_slot {
    uint64_t key;
    uint32_t stamp; /* not that of the table: the slot is free */
    uint32_t value;
};

/* The hash of bytes behind others, whose hash is @hash: FNV-1a, which withstands no attack. */
#define HASH_OF_NOTHING UINT64_C(0xcbf29ce484222325)
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len);

/* Zeros are an empty one. Release with hash_free. */
struct hash {
    struct hash_slot *slots; /* open addressing; a power of two of them, at most half in use */
    size_t n_slots, n_keys;
    uint32_t stamp;
};

void hash_free(struct hash *hash);

/* Forgets all keys, keeps the memory. */
void hash_clear(struct hash *hash);

/* Out of line part of hash_reserve. */
int hash_grow(struct hash *hash, size_t n_keys);

/* Makes room for @n_keys in all. Returns 0, or -ENOMEM with the table as it was. */
static inline int hash_reserve(struct hash *hash, size_t n_keys)
{
    return n_keys <= hash->n_slots / 2 ? 0 : hash_grow(hash, n_keys);
}

/* The value of @key, valid until the next call. A new one is 0; there must be room for it. */
static inline uint32_t *hash_at(struct hash *hash, uint64_t key, bool *is_new)
{
    /* Fibonacci hashing: keys are multiples of a power of two, their low bits say nothing. */
    size_t mask = hash->n_slots - 1;
    size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
    struct hash_slot *slot;

    while (hash->slots[i].stamp == hash->stamp && hash->slots[i].key != key)
        i = (i + 1) & mask;
    slot = &hash->slots[i];
    *is_new = slot->stamp != hash->stamp;
    if (*is_new) {
        *slot = (struct hash_slot){.key = key, .stamp = hash->stamp};
        hash->n_keys++;
    }
    return &slot->value;
}

#endif
