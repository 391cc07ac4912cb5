// SPDX-License-Identifier: MIT
/*
 * Owns the writing of data. Never trusts what the source says of its holes: it is asked only about
 * what was read as zeros.
 */
#include "lay.h"

#include "io.h"
#include "new_file.h"
#include "planned.h"
#include "zeros.h"

#include <string.h>
#include <xxhash.h>

#define GRAIN 4096 /* holes that are shorter are written */

/* A share: offsets are those of the window. */
struct share {
    struct defrag_lay *lay;
    const struct defrag_window *window;
    uint64_t begin, end;
    struct err *err;
};

/* ---- holes ---- */

/* How many bytes of the part from @off on are zeros, in whole grains. */
static uint64_t zeros_at(const struct share *share, const struct defrag_part *part, uint64_t off)
{
    const unsigned char *bytes = share->window->bytes + part->at;
    uint64_t end = off;

    while (part->bytes - end >= GRAIN && is_zeros(bytes + end, GRAIN))
        end += GRAIN;
    return end - off;
}

/* What of the part from @off on is alike: to be written, or (*hole) not. */
static uint64_t alike(const struct share *share, const struct defrag_part *part, uint64_t off,
                      bool *hole)
{
    uint64_t zeros = zeros_at(share, part, off), from = part->from + off, next;
    uint64_t end = off;

    *hole = false;
    if (zeros > 0) {
        next = io_next_data(share->lay->source, from);
        *hole = next > from;
        if (!*hole)
            next = io_next_hole(share->lay->source, from);
        return next > from && next - from < zeros ? next - from : zeros;
    }
    while (end < part->bytes && zeros_at(share, part, end) == 0)
        end = part->bytes - end < GRAIN ? part->bytes : end + GRAIN;
    return end - off;
}

/* ---- writing ---- */

static int write_range(const struct share *share, uint64_t begin, uint64_t end)
{
    if (begin == end)
        return 0;
    atomic_fetch_add(&share->lay->written_bytes, end - begin);
    return store_new_file_write_through(share->lay->file, share->window->begin + begin,
                                        share->window->bytes + begin, (size_t)(end - begin),
                                        share->err);
}

/* What lies side by side becomes one write. */
static int write_parts(const struct share *share)
{
    const struct defrag_parts *parts = &share->window->parts;
    uint64_t begin = share->begin, end = begin;
    int ret = 0;

    for (size_t i = defrag_parts_first_at(parts, share->begin);
         i < parts->n_list && parts->list[i].at < share->end && ret == 0; i++) {
        const struct defrag_part *part = &parts->list[i];
        uint64_t n;

        for (uint64_t off = 0; off < part->bytes && ret == 0; off += n) {
            bool hole;

            n = alike(share, part, off, &hole);
            if (hole || part->at + off + n <= end) /* a blob may lie inside of a cluster */
                continue;
            if (part->at + off > end) {
                ret = write_range(share, begin, end);
                begin = part->at + off;
            }
            end = part->at + off + n;
        }
    }
    return ret < 0 ? ret : write_range(share, begin, end);
}

/* ---- hashes ---- */

/* What no part fills is zeros, or metadata. @first: the first part of the block. */
static void clear_gaps(const struct share *block, size_t first)
{
    const struct defrag_parts *parts = &block->window->parts;
    unsigned char *bytes = block->window->bytes;
    uint64_t end = block->begin;

    for (size_t i = first; i < parts->n_list && parts->list[i].at < block->end; i++) {
        const struct defrag_part *part = &parts->list[i];

        if (part->at > end)
            memset(bytes + end, 0, (size_t)(part->at - end));
        if (part->at + part->bytes > end)
            end = part->at + part->bytes;
    }
    memset(bytes + end, 0, (size_t)(block->end - end));
}

/* The metadata that lie in the block, from @extent on, as the file has them. */
static int read_metadata(const struct share *block, struct defrag_extent extent)
{
    uint64_t from = block->window->begin + block->begin, to = block->window->begin + block->end;

    do {
        uint64_t begin = extent.begin > from ? extent.begin : from;
        uint64_t end = extent.end < to ? extent.end : to;
        int ret = store_new_file_read(block->lay->file, begin,
                                      block->window->bytes + (begin - block->window->begin),
                                      (size_t)(end - begin), block->err);

        if (ret < 0)
            return ret;
    } while (defrag_planned_next(block->lay->planned, extent.end, &extent) && extent.begin < to);
    return 0;
}

struct defrag_hash defrag_hash_of(const void *block, size_t bytes)
{
    XXH128_hash_t hash;

    if (is_zeros(block, bytes)) /* most often where nothing is */
        return (struct defrag_hash){0, 0};
    hash = XXH3_128bits(block, bytes);
    return (struct defrag_hash){hash.low64, hash.high64};
}

/* Where nothing lies the hash is that of zeros already: a disk with a place for each cluster is
 * mostly so. */
static int take_hash(const struct share *block)
{
    const struct defrag_parts *parts = &block->window->parts;
    uint64_t from = block->window->begin + block->begin, to = block->window->begin + block->end;
    size_t first = defrag_parts_first_at(parts, block->begin);
    bool data = first < parts->n_list && parts->list[first].at < block->end;
    struct defrag_extent extent;
    bool metadata = defrag_planned_next(block->lay->planned, from, &extent) && extent.begin < to;
    int ret;

    if (!data && !metadata)
        return 0;
    clear_gaps(block, first);
    ret = metadata ? read_metadata(block, extent) : 0;
    if (ret == 0)
        block->lay->hashes[from / DEFRAG_BLOCK_BYTES] =
            defrag_hash_of(block->window->bytes + block->begin, (size_t)(to - from));
    return ret;
}

int defrag_lay(void *context, const struct defrag_window *window, uint64_t begin, uint64_t end,
               struct err *err)
{
    const struct share share = {context, window, begin - window->begin, end - window->begin, err};
    int ret = write_parts(&share);

    for (uint64_t at = share.begin; at < share.end && ret == 0 && share.lay->hashes != NULL;
         at += DEFRAG_BLOCK_BYTES) {
        struct share block = share;

        block.begin = at;
        if (share.end - at > DEFRAG_BLOCK_BYTES)
            block.end = at + DEFRAG_BLOCK_BYTES;
        ret = take_hash(&block);
    }
    return ret;
}
