// SPDX-License-Identifier: MIT
/*
 * Owns the way from entries to clusters. Blocks of 64 plain entries, the common case, take a few
 * loops over arrays; all other entries go through format/holding.h one by one.
 */
#include "holds.h"

#include "bits.h"
#include "clones.h"
#include "holding.h"

#include <endian.h>

#define BLOCK 64
#define CLUSTERS_MAX 4 /* of one entry: a blob has at most two clusters, and begins anywhere */

static void flush(const struct space_holds *holds, struct space_holds_batch *batch)
{
    if (batch->n > 0)
        holds->take(holds->context, batch);
    batch->n = 0;
    batch->dense = false;
}

/* Decodes 64 entries. True if each holds a cluster, and has no bit but its offset and COPIED. */
CLONES_PART bool decode_plain(const struct format_entry_rules *rules, const uint64_t *raw,
                              uint64_t *clusters, uint64_t *seen)
{
    const uint64_t plain = FORMAT_ENTRY_OFFSET & ~(rules->cluster_bytes - 1);
    const uint64_t last = rules->file_bytes - 1;
    uint64_t bits = 0, outside = 0;

    for (unsigned i = 0; i < BLOCK; i++) {
        uint64_t entry = be64toh(raw[i]), off = entry & plain;

        bits |= entry;
        outside |= (off - 1) | (last - off); /* negative: 0, or past the end */
        clusters[i] = off >> rules->cluster_bits;
    }
    *seen = bits;
    return (bits & ~(plain | FORMAT_ENTRY_COPIED)) == 0 && !IS_NEGATIVE(outside);
}

static bool take_entry(const struct space_holds *holds, struct space_holds_batch *batch,
                       uint64_t entry, uint64_t bitmap, uint32_t index)
{
    unsigned bits = holds->rules->cluster_bits;
    struct format_holding holding = format_holding_of(holds->rules, entry, bitmap);

    if (holding.begin == holding.end)
        return holding.left_out;
    if (batch->n + CLUSTERS_MAX > SPACE_HOLDS_BATCH)
        flush(holds, batch);
    for (uint64_t cluster = holding.begin >> bits; cluster <= (holding.end - 1) >> bits;
         cluster++) {
        batch->entries[batch->n] = index;
        batch->clusters[batch->n++] = cluster;
    }
    return holding.left_out;
}

CLONES static uint64_t take_plain(const struct space_holds *holds, const uint64_t *raw, size_t n,
                                  uint32_t first, struct space_holds_batch *batch)
{
    uint64_t left_out = 0;

    for (size_t i = 0; i < n; i += BLOCK) {
        uint64_t clusters[BLOCK], seen;
        bool plain = decode_plain(holds->rules, raw + i, clusters, &seen);

        if (seen == 0)
            continue;
        if (!plain) {
            if (batch->dense)
                flush(holds, batch);
            for (size_t k = i; k < i + BLOCK; k++)
                if (raw[k] != 0)
                    left_out += take_entry(holds, batch, be64toh(raw[k]), 0, first + (uint32_t)k);
            continue;
        }
        if (batch->n == SPACE_HOLDS_BATCH || (batch->n > 0 && !batch->dense) ||
            (batch->dense && batch->first + batch->n != first + i))
            flush(holds, batch);
        if (batch->n == 0) {
            batch->dense = true;
            batch->first = first + (uint32_t)i;
        }
        __builtin_memcpy(batch->clusters + batch->n, clusters, sizeof(clusters));
        batch->n += BLOCK;
    }
    return left_out;
}

static uint64_t take_extended(const struct space_holds *holds, const uint64_t *raw, size_t n,
                              uint32_t first, struct space_holds_batch *batch)
{
    uint64_t left_out = 0;

    for (size_t i = 0; i < n; i++)
        if (raw[2 * i] != 0)
            left_out += take_entry(holds, batch, be64toh(raw[2 * i]), be64toh(raw[2 * i + 1]),
                                   first + (uint32_t)i);
    return left_out;
}

uint64_t space_holds_chunk(const struct space_holds *holds, const uint64_t *raw, size_t len_bytes,
                           uint32_t first)
{
    struct space_holds_batch batch;
    uint64_t left_out;

    batch.n = 0;
    batch.dense = false;
    if (holds->rules->extended_l2)
        left_out = take_extended(holds, raw, len_bytes / 16, first, &batch);
    else
        left_out = take_plain(holds, raw, len_bytes / 8, first, &batch);
    flush(holds, &batch);
    return left_out;
}
