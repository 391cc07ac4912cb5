// SPDX-License-Identifier: MIT
/* Owns the memory of the table. */
#include "hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 16

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *list = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ list[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void hash_free(struct hash *hash)
{
    free(hash->slots);
    memset(hash, 0, sizeof(*hash));
}

/* Slots of zeros are free as long as the stamp is none. */
void hash_clear(struct hash *hash)
{
    hash->n_keys = 0;
    if (++hash->stamp != 0)
        return;
    if (hash->slots != NULL)
        memset(hash->slots, 0, hash->n_slots * sizeof(*hash->slots));
    hash->stamp = 1;
}

int hash_grow(struct hash *hash, size_t n_keys)
{
    struct hash larger = {.n_slots = SLOTS_MIN, .stamp = 1};

    while (larger.n_slots / 2 < n_keys)
        larger.n_slots *= 2;
    larger.slots = calloc(larger.n_slots, sizeof(*larger.slots));
    if (larger.slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < hash->n_slots; i++) {
        bool is_new;

        if (hash->slots[i].stamp == hash->stamp)
            *hash_at(&larger, hash->slots[i].key, &is_new) = hash->slots[i].value;
    }
    free(hash->slots);
    *hash = larger;
    return 0;
}
