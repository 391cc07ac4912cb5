// SPDX-License-Identifier: MIT
/* Owns the packing of blobs. Pure but for its memory. */
#include "blobs.h"

#include "search.h"
#include "sector.h"
#include "vec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNPLACED (DEFRAG_OFFSET_END - 1)

void defrag_blobs_free(struct defrag_blobs *blobs)
{
    free(blobs->list);
    memset(blobs, 0, sizeof(*blobs));
}

int defrag_blobs_add(struct defrag_blobs *blobs, uint64_t begin, uint64_t end)
{
    const struct defrag_move move = {begin, UNPLACED, (uint32_t)(end - begin)};

    if (end >= DEFRAG_OFFSET_END)
        return -EFBIG;
    if (vec_reserve(blobs, list) < 0)
        return -ENOMEM;
    blobs->list[blobs->n_list++] = defrag_pack(&move);
    return 0;
}

/* Of two that begin at one place the longer one counts: an entry may say too much, not too little.
 */
void defrag_blobs_settle(struct defrag_blobs *blobs)
{
    size_t n = 0;

    defrag_sort(blobs->list, blobs->n_list, false);
    for (size_t i = 0; i < blobs->n_list; i++) {
        struct defrag_move move = defrag_unpack(&blobs->list[i]), last;

        if (n > 0) {
            last = defrag_unpack(&blobs->list[n - 1]);
            if (last.from == move.from) {
                last.bytes = last.bytes > move.bytes ? last.bytes : move.bytes;
                blobs->list[n - 1] = defrag_pack(&last);
                continue;
            }
            if (move.from - last.from < last.bytes) {
                last.bytes = (uint32_t)(move.from - last.from);
                blobs->list[n - 1] = defrag_pack(&last);
            }
        }
        blobs->list[n++] = defrag_pack(&move);
    }
    blobs->n_list = n;
}

size_t defrag_blobs_find(struct defrag_blobs *blobs, uint64_t begin)
{
    size_t next = blobs->found + 1, low;

    if (next < blobs->n_list && defrag_unpack(&blobs->list[next]).from == begin)
        return blobs->found = next;
    low = search_first(i, 0, blobs->n_list, defrag_unpack(&blobs->list[i]).from < begin);
    if (low == blobs->n_list || defrag_unpack(&blobs->list[low]).from != begin)
        return SIZE_MAX;
    return blobs->found = low;
}

bool defrag_blobs_is_placed(const struct defrag_blobs *blobs, size_t i)
{
    return defrag_unpack(&blobs->list[i]).to != UNPLACED;
}

/* ---- room in clusters ---- */

/* Where the sectors of a blob of @len bytes at @to end, as its entry will have it. */
static uint64_t sectors_end(uint64_t to, uint64_t len)
{
    return (to + len + SECTOR_BYTES - 1) & ~(SECTOR_BYTES - 1);
}

static uint64_t last_cluster(const struct defrag_blobs *blobs, uint64_t to, uint64_t len)
{
    return (sectors_end(to, len) - 1) >> blobs->cluster_bits;
}

static uint64_t counted_refs(const struct defrag_blobs *blobs, uint64_t cluster)
{
    uint64_t at = cluster - blobs->counted_first;

    return at < DEFRAG_BLOB_CLUSTERS_MAX ? blobs->counted[at] : 0;
}

static bool has_room(const struct defrag_blobs *blobs, uint64_t to, uint64_t len)
{
    for (uint64_t c = to >> blobs->cluster_bits; c <= last_cluster(blobs, to, len); c++)
        if (counted_refs(blobs, c) + blobs->refs_of_blob > blobs->most_refs)
            return false;
    return true;
}

static void count(struct defrag_blobs *blobs, uint64_t to, uint64_t len)
{
    uint64_t first = to >> blobs->cluster_bits, last = last_cluster(blobs, to, len);
    uint64_t counted[DEFRAG_BLOB_CLUSTERS_MAX];

    for (uint64_t i = 0; i < DEFRAG_BLOB_CLUSTERS_MAX; i++)
        counted[i] = counted_refs(blobs, first + i) + (first + i <= last ? blobs->refs_of_blob : 0);
    memcpy(blobs->counted, counted, sizeof(counted));
    blobs->counted_first = first;
}

static uint64_t fresh_cluster(const struct defrag_blobs *blobs)
{
    uint64_t cluster_bytes = UINT64_C(1) << blobs->cluster_bits;
    uint64_t to = (blobs->next + cluster_bytes - 1) & ~(cluster_bytes - 1);

    while (counted_refs(blobs, to >> blobs->cluster_bits) > 0)
        to += cluster_bytes;
    return to;
}

/* An entry has room for so many sectors, as many as a blob needs at the begin of one. */
static uint64_t with_sectors(const struct defrag_blobs *blobs, uint64_t to, uint64_t from,
                             uint64_t len)
{
    uint64_t most = SECTOR_BYTES << (blobs->cluster_bits - 8);

    if (sectors_end(to, len) - (to & ~(SECTOR_BYTES - 1)) <= most)
        return to;
    return ((to + SECTOR_BYTES - 1) & ~(SECTOR_BYTES - 1)) + (from & (SECTOR_BYTES - 1));
}

uint64_t defrag_blobs_place(struct defrag_blobs *blobs, size_t i, uint64_t fresh)
{
    struct defrag_move move = defrag_unpack(&blobs->list[i]);

    move.to = blobs->open ? with_sectors(blobs, blobs->next, move.from, move.bytes) : fresh;
    if (blobs->open && !has_room(blobs, move.to, move.bytes))
        move.to = fresh_cluster(blobs);
    count(blobs, move.to, move.bytes);
    blobs->open = true;
    blobs->next = move.to + move.bytes;
    blobs->list[i] = defrag_pack(&move);
    return move.bytes;
}

void defrag_blobs_pin(struct defrag_blobs *blobs, size_t i, uint64_t to)
{
    struct defrag_move move = defrag_unpack(&blobs->list[i]);

    move.to = to;
    blobs->list[i] = defrag_pack(&move);
}

uint64_t defrag_blobs_close(struct defrag_blobs *blobs)
{
    uint64_t to = blobs->open ? fresh_cluster(blobs) : 0;

    blobs->open = false;
    memset(blobs->counted, 0, sizeof(blobs->counted));
    return to;
}

int defrag_blobs_move(const struct defrag_blobs *blobs, struct defrag_moves *moves)
{
    int ret = 0;

    for (size_t i = 0; i < blobs->n_list && ret == 0; i++) {
        struct defrag_move move = defrag_unpack(&blobs->list[i]);

        if (move.to != UNPLACED)
            ret = defrag_moves_add_apart(moves, &move);
    }
    return ret;
}
