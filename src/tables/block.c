// SPDX-License-Identifier: MIT
/*
 * Owns the way from 64 raw entries to columns. The answers are words of ones or zeros, and what is
 * wrong is collected and looked at once: compilers make vector code of that.
 */
#include "block.h"

#include "bits.h"
#include "clones.h"
#include "sector.h"

#include <endian.h>
#include <string.h>

#define N TABLES_BLOCK_ENTRIES
#define SIGN (UINT64_C(1) << 63)

/* What the loops need of the rules. */
struct terms {
    uint64_t cluster_bytes;
    uint64_t last;         /* byte of the file; what begins behind it is past the end */
    uint64_t not_standard; /* bits that a sound standard entry does not have */
    unsigned shift;        /* of a blob's number of sectors */
    uint64_t begin_mask, sectors_mask;
};

/* See format_compressed_of and format_entry_of. */
CLONES_PART struct terms terms_of(const struct format_entry_rules *rules)
{
    unsigned shift = 62 - (rules->cluster_bits - 8);

    return (struct terms){
        .cluster_bytes = rules->cluster_bytes,
        .last = rules->file_bytes - 1,
        .not_standard = FORMAT_L2_RESERVED | (FORMAT_ENTRY_OFFSET & (rules->cluster_bytes - 1)) |
                        (rules->version_2 && !rules->extended_l2 ? FORMAT_ENTRY_ZERO : 0),
        .shift = shift,
        .begin_mask = (UINT64_C(1) << shift) - 1,
        .sectors_mask = (UINT64_C(1) << (rules->cluster_bits - 8)) - 1,
    };
}

/* Words of ones or zeros, but for wrong: not 0 if something is wrong. */
struct decoded {
    uint64_t begin, end, compressed, host, wrong;
};

CLONES_PART struct decoded decode(const struct terms *terms, uint64_t entry)
{
    uint64_t compressed = all_if((entry & FORMAT_ENTRY_COMPRESSED) != 0);
    uint64_t off = entry & FORMAT_ENTRY_OFFSET;
    uint64_t blob = entry & terms->begin_mask;
    uint64_t sectors = (entry >> terms->shift & terms->sectors_mask) + 1;
    uint64_t blob_end = (blob & ~(SECTOR_BYTES - 1)) + SECTOR_BYTES * sectors;
    uint64_t begin = (blob & compressed) | (off & ~compressed);
    uint64_t end = (blob_end & compressed) | ((off + terms->cluster_bytes) & ~compressed);
    uint64_t wrong_blob = (entry & FORMAT_ENTRY_COPIED) | blob >> 56 |
                          ((blob - terms->cluster_bytes) & SIGN); /* in the header */
    uint64_t past_end = (terms->last - begin) | (terms->last + terms->cluster_bytes - end);

    return (struct decoded){
        .begin = begin,
        .end = end,
        .compressed = compressed,
        .host = all_if(off != 0) & ~compressed,
        .wrong = (past_end & SIGN) | (wrong_blob & compressed) |
                 (entry & terms->not_standard & ~compressed),
    };
}

CLONES_PART bool decode_plain(struct tables_block *restrict block, const struct terms *terms,
                              const uint64_t *restrict raw)
{
    uint64_t standard = 0, compressed = 0, zero = 0, host = 0, wrong = 0;

    for (unsigned i = 0; i < N; i++) {
        uint64_t entry = be64toh(raw[i]);
        struct decoded decoded = decode(terms, entry);
        uint64_t zeros = all_if((entry & FORMAT_ENTRY_ZERO) != 0) & ~decoded.compressed;

        block->begin[i] = decoded.begin;
        block->end[i] = decoded.end;
        wrong |= decoded.wrong;
        standard |= bits_of[i] & decoded.host & ~zeros;
        compressed |= bits_of[i] & decoded.compressed;
        zero |= bits_of[i] & zeros;
        host |= bits_of[i] & decoded.host;
    }
    memset(block->alloc, 0xff, sizeof(block->alloc));
    block->standard = standard;
    block->compressed = compressed;
    block->zero = zero;
    block->host = host;
    return wrong == 0;
}

CLONES_PART bool decode_extended(struct tables_block *restrict block, const struct terms *terms,
                                 const uint64_t *restrict raw)
{
    uint64_t standard = 0, compressed = 0, zero = 0, host = 0, wrong = 0;

    for (unsigned i = 0; i < N; i++) {
        uint64_t bitmap = be64toh(raw[2 * i + 1]);
        struct decoded decoded = decode(terms, be64toh(raw[2 * i]));
        uint64_t alloc = bitmap & UINT32_MAX, zeros = bitmap >> FORMAT_SUBCLUSTERS;
        uint64_t held = all_if(alloc != 0);

        block->begin[i] = decoded.begin;
        block->end[i] = decoded.end;
        block->alloc[i] = (uint32_t)(alloc | decoded.compressed);
        wrong |= decoded.wrong | (bitmap & decoded.compressed) | (alloc & zeros) |
                 (alloc & ~(decoded.host | decoded.compressed));
        standard |= bits_of[i] & held;
        compressed |= bits_of[i] & decoded.compressed;
        zero |= bits_of[i] & all_if(zeros != 0) & ~held;
        host |= bits_of[i] & decoded.host;
    }
    block->standard = standard;
    block->compressed = compressed;
    block->zero = zero;
    block->host = host;
    return wrong == 0;
}

CLONES bool tables_block_decode(struct tables_block *block, const struct format_entry_rules *rules,
                                const uint64_t *raw)
{
    const struct terms terms = terms_of(rules);
    uint64_t touches = 0;
    bool sound;

    if (rules->external_data) /* there an offset of 0 can be one, and every offset has one place */
        return false;
    sound =
        rules->extended_l2 ? decode_extended(block, &terms, raw) : decode_plain(block, &terms, raw);
    for (unsigned i = 1; i < N; i++)
        touches |= bits_of[i] & all_if(block->begin[i] == block->end[i - 1]);
    block->touches = touches;
    return sound;
}
