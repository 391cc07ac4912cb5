// SPDX-License-Identifier: MIT
/*
 * Owns the way from a cluster to its refcount. Memory: 8 bytes for each block, of which the format
 * allows 2^20, and a window of pieces of blocks.
 */
#include "refcount.h"

#include "be.h"
#include "checked.h"
#include "err.h"
#include "finding.h"
#include "image.h"
#include "io.h"
#include "metadata.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_WINDOW_BYTES 65536
#define PIECE_BYTES_MAX 65536
#define WINDOW_BYTES_MAX (1u << 20) /* enough to keep the queue of a device full */
#define WINDOW_PIECES_MAX 64

/* ---- counts out of bytes ---- */

static uint16_t saturated(uint64_t count)
{
    return count < FORMAT_REFCOUNT_MOST ? (uint16_t)count : FORMAT_REFCOUNT_MOST;
}

/* Below a byte the first count is in the lowest bits; above it bytes are big endian. */
void format_refcounts_decode(unsigned order, const unsigned char *bytes, uint64_t first, size_t n,
                             uint16_t *counts)
{
    unsigned per_byte_bits = 3 - order; /* up to order 3 */
    unsigned bits = 1u << order;

    switch (order) {
    case 4:
        for (size_t i = 0; i < n; i++)
            counts[i] = be16_load(bytes + 2 * (first + i));
        break;
    case 5:
        for (size_t i = 0; i < n; i++)
            counts[i] = saturated(be32_load(bytes + 4 * (first + i)));
        break;
    case 6:
        for (size_t i = 0; i < n; i++)
            counts[i] = saturated(be64_load(bytes + 8 * (first + i)));
        break;
    default:
        for (size_t i = 0; i < n; i++) {
            uint64_t at = first + i;
            unsigned shift = (unsigned)(at & ((1u << per_byte_bits) - 1)) * bits;

            counts[i] = bytes[at >> per_byte_bits] >> shift & ((1u << bits) - 1);
        }
    }
}

/* ---- the table ---- */

struct reader {
    struct format_image *image;
    struct format_refcounts *refcounts;
    const struct format_metadata *others; /* metadata other than refcount blocks */
    struct format_findings *findings;
    struct err *err;
};

/* Is the table among the metadata by itself? It is left out there if it cannot be where it is. */
static bool table_is_sound(const struct format_header *header,
                           const struct format_metadata *metadata)
{
    const struct format_extent *extent =
        format_metadata_find(metadata, header->reftable_off, header->cluster_bytes);

    return header->reftable_clusters > 0 && extent != NULL &&
           extent->kind == FORMAT_META_REFTABLE && extent->begin == header->reftable_off;
}

static void tell_table(const struct reader *reader)
{
    const struct format_header *header = &reader->image->header;
    uint64_t place = FORMAT_FIELD_REFTABLE_OFF;
    uint64_t len = (uint64_t)header->reftable_clusters << header->cluster_bits;
    const struct format_extent *extent;

    /* Missing and past the end were told with the header. */
    if (len == 0 || header->reftable_off == 0 ||
        !checked_inside(header->reftable_off, len, reader->image->file_bytes))
        return;
    extent = format_metadata_find(reader->others, header->reftable_off, len);
    format_findings_add(reader->findings, FORMAT_FINDING_REFTABLE_OVERLAP, "header", &place,
                        "the refcount table overlaps %s; refcounts are not read",
                        extent != NULL ? format_metadata_name(extent->kind) : "other metadata");
}

static void tell_entry(const struct reader *reader, size_t index, uint64_t entry,
                       enum format_finding_code code, const char *problem)
{
    uint64_t place = reader->image->header.reftable_off + 8 * (uint64_t)index;
    char where[64];

    if (!format_findings_wants(reader->findings, code)) {
        format_findings_count(reader->findings, code, 1);
        return;
    }
    snprintf(where, sizeof(where), "reftable[%zu]", index);
    format_findings_add(reader->findings, code, where, &place, "entry 0x%016" PRIx64 " %s%s", entry,
                        problem,
                        code == FORMAT_FINDING_REFBLOCK_RESERVED
                            ? "; it is read without them"
                            : "; the refcounts that it stands for are not known");
}

/* A block that cannot be read matters if it counts clusters of the file. */
static void leave_out(struct format_refcounts *refcounts, size_t index)
{
    uint64_t n_clusters = (refcounts->file_bytes >> refcounts->cluster_bits) + 1;

    refcounts->blocks[index] = 0;
    if (index * refcounts->block_entries < n_clusters)
        refcounts->whole = false;
}

/* What makes a block one that cannot be there; NULL: nothing. */
static const char *problem_of(const struct reader *reader, uint64_t off, char text[96],
                              enum format_finding_code *code)
{
    uint64_t cluster_bytes = reader->image->header.cluster_bytes;
    const struct format_extent *extent;

    if (!is_aligned(off, cluster_bytes)) {
        *code = FORMAT_FINDING_REFBLOCK_UNALIGNED;
        return "points to an offset that is not the start of a cluster";
    }
    if (off >= reader->refcounts->file_bytes) {
        *code = FORMAT_FINDING_REFBLOCK_PAST_END;
        return "points past the end of the file";
    }
    extent = format_metadata_find(reader->others, off, cluster_bytes);
    if (extent == NULL)
        return NULL;
    *code = FORMAT_FINDING_REFBLOCK_OVERLAP;
    snprintf(text, 96, "points into %s", format_metadata_name(extent->kind));
    return text;
}

static void take_entry(const struct reader *reader, size_t index, uint64_t entry)
{
    struct format_refcounts *refcounts = reader->refcounts;
    enum format_finding_code code = FORMAT_SOUND;
    uint64_t off = entry & FORMAT_REFTABLE_OFFSET;
    char text[96];
    const char *problem = off == 0 ? NULL : problem_of(reader, off, text, &code);

    refcounts->blocks[index] = off;
    if (problem != NULL) {
        tell_entry(reader, index, entry, code, problem);
        leave_out(refcounts, index);
    } else if (entry != off) {
        tell_entry(reader, index, entry, FORMAT_FINDING_REFBLOCK_RESERVED, "has reserved bits set");
    }
}

static int read_table(const struct reader *reader)
{
    const struct format_header *header = &reader->image->header;
    uint64_t left = (uint64_t)header->reftable_clusters << header->cluster_bits;
    uint64_t off = header->reftable_off;
    unsigned char window[TABLE_WINDOW_BYTES];

    for (size_t first = 0; left > 0; first += sizeof(window) / 8, off += sizeof(window)) {
        size_t len = left < sizeof(window) ? (size_t)left : sizeof(window);
        int ret = io_read(reader->image->io, off, window, len, reader->err);

        if (ret < 0)
            return ret;
        for (size_t i = 0; i < len / 8; i++) {
            uint64_t entry = be64_load(window + 8 * i);

            if (entry != 0)
                take_entry(reader, first + i, entry);
        }
        left -= len;
    }
    return 0;
}

/* ---- blocks that several entries name ---- */

struct place {
    uint64_t off;
    size_t index;
};

static int by_place(const void *a, const void *b)
{
    const struct place *left = a, *right = b;

    if (left->off != right->off)
        return left->off < right->off ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

/* In a sound table blocks mostly rise, so that there is nothing to look for. */
static bool blocks_rise(const struct format_refcounts *refcounts)
{
    uint64_t last = 0;

    for (size_t i = 0; i < refcounts->n_blocks; i++) {
        if (refcounts->blocks[i] == 0)
            continue;
        if (refcounts->blocks[i] <= last)
            return false;
        last = refcounts->blocks[i];
    }
    return true;
}

/* Whose counts such a block holds cannot be told: none of the entries is believed. */
static int leave_out_shared(const struct reader *reader)
{
    struct format_refcounts *refcounts = reader->refcounts;
    struct place *places;
    size_t n = 0;

    if (blocks_rise(refcounts))
        return 0;
    places = calloc(refcounts->n_blocks, sizeof(*places));
    if (places == NULL)
        return err_no_memory(reader->err);
    for (size_t i = 0; i < refcounts->n_blocks; i++)
        if (refcounts->blocks[i] != 0)
            places[n++] = (struct place){refcounts->blocks[i], i};
    qsort(places, n, sizeof(*places), by_place);
    for (size_t i = 1; i < n; i++) {
        if (places[i].off != places[i - 1].off)
            continue;
        tell_entry(reader, places[i].index, places[i].off, FORMAT_FINDING_REFBLOCK_OVERLAP,
                   "points to the refcount block of another entry");
        leave_out(refcounts, places[i].index);
        leave_out(refcounts, places[i - 1].index);
    }
    free(places);
    return 0;
}

/* ---- a file that has lost its end ---- */

/* Blocks that count clusters behind the end of the file are few, or nobody knows what they mean. */
#define CUT_BLOCKS_MAX 16
#define CUT_COUNTS 1024 /* looked at in one go */

struct cut {
    struct io *io;
    uint64_t file_bytes;
    const struct format_header *header;
    uint64_t block_entries;
    unsigned n_blocks;
    bool found;
    struct err *err;
};

/* Does the block at @off count any cluster from its @first on? */
static int look_into_block(struct cut *cut, uint64_t off, uint64_t first)
{
    unsigned bits = cut->header->refcount_bits, order = (unsigned)__builtin_ctz(bits);
    unsigned char bytes[8 * CUT_COUNTS];
    uint16_t counts[CUT_COUNTS];
    int ret = 0;

    for (uint64_t at = first & ~UINT64_C(7); at < cut->block_entries && ret == 0 && !cut->found;
         at += CUT_COUNTS) {
        size_t n =
            cut->block_entries - at < CUT_COUNTS ? (size_t)(cut->block_entries - at) : CUT_COUNTS;

        ret = io_read(cut->io, off + at * bits / 8, bytes, n * bits / 8, cut->err);
        if (ret < 0)
            break;
        format_refcounts_decode(order, bytes, 0, n, counts);
        for (size_t i = at < first ? (size_t)(first - at) : 0; i < n; i++)
            cut->found = cut->found || counts[i] > 0;
    }
    return ret;
}

static int look_at_entry(struct cut *cut, uint64_t index, uint64_t block)
{
    uint64_t n_clusters = div_round_up(cut->file_bytes, cut->header->cluster_bytes);
    uint64_t first = index * cut->block_entries;
    /* Behind what the whole table could count, no block is missed: that is other damage. */
    uint64_t reach = ((uint64_t)cut->header->reftable_clusters << cut->header->cluster_bits) / 8 *
                     cut->block_entries;

    if (block == 0 || !is_aligned(block, cut->header->cluster_bytes) ||
        cut->n_blocks++ >= CUT_BLOCKS_MAX)
        return 0;
    if (block >= cut->file_bytes) {
        cut->found = cut->found || block >> cut->header->cluster_bits < reach;
        return 0;
    }
    return look_into_block(cut, block, first < n_clusters ? n_clusters - first : 0);
}

int format_refcounts_cut(struct io *io, uint64_t file_bytes, const struct format_header *header,
                         bool *is_cut, struct err *err)
{
    struct cut cut = {io, file_bytes, header, header->cluster_bytes * 8 / header->refcount_bits,
                      0,  false,      err};
    uint64_t off = header->reftable_off,
             n_clusters = div_round_up(file_bytes, header->cluster_bytes);
    uint64_t len = (uint64_t)header->reftable_clusters << header->cluster_bits;
    unsigned char window[4096];
    int ret = 0;

    cut.found = len > 0 && !checked_inside(off, len, file_bytes);
    /* Entries before this one count clusters of the file. */
    for (uint64_t at = n_clusters / cut.block_entries * 8; at < len && ret == 0 && !cut.found;
         at += sizeof(window)) {
        size_t n = len - at < sizeof(window) ? (size_t)(len - at) : sizeof(window);

        ret = io_read(io, off + at, window, n, err);
        for (size_t i = 0; i < n && ret == 0 && !cut.found; i += 8)
            ret = look_at_entry(&cut, (at + i) / 8, be64_load(window + i));
    }
    *is_cut = cut.found;
    return ret;
}

/* ---- opening ---- */

static int open_table(const struct reader *reader)
{
    struct format_refcounts *refcounts = reader->refcounts;
    const struct format_header *header = &reader->image->header;
    uint64_t n_clusters = div_round_up(refcounts->file_bytes, header->cluster_bytes);
    size_t n_pieces = WINDOW_BYTES_MAX / refcounts->piece_bytes;
    uint64_t n_needed;
    int ret;

    refcounts->readable = table_is_sound(header, reader->others);
    if (!refcounts->readable) {
        tell_table(reader);
        return 0;
    }
    refcounts->whole = true;
    refcounts->n_blocks =
        (size_t)(((uint64_t)header->reftable_clusters << header->cluster_bits) / 8);
    n_needed = n_clusters / ((refcounts->piece_bytes << 3) >> refcounts->order) + 1;
    n_pieces = n_pieces > WINDOW_PIECES_MAX ? WINDOW_PIECES_MAX : n_pieces;
    refcounts->n_pieces = n_needed < n_pieces ? (size_t)n_needed : n_pieces;
    refcounts->blocks = calloc(refcounts->n_blocks, sizeof(*refcounts->blocks));
    refcounts->window = malloc(refcounts->n_pieces * refcounts->piece_bytes);
    if (refcounts->blocks == NULL || refcounts->window == NULL)
        return err_no_memory(reader->err);
    ret = read_table(reader);
    return ret < 0 ? ret : leave_out_shared(reader);
}

int format_refcounts_open(struct format_image *image, struct format_refcounts *refcounts,
                          struct format_findings *findings, struct err *err)
{
    const struct format_header *header = &image->header;
    struct format_metadata others;
    struct reader reader = {image, refcounts, &others, findings, err};
    bool all;
    int ret = format_metadata_collect(image, 0, &others, &all, err);

    *refcounts = (struct format_refcounts){
        .io = image->io,
        .order = (unsigned)__builtin_ctz(header->refcount_bits),
        .cluster_bits = header->cluster_bits,
        .block_entries = header->cluster_bytes * 8 / header->refcount_bits,
        .file_bytes = image->file_bytes,
        .window_first = UINT64_MAX,
        .holes = {.io = image->io, .file_bytes = image->file_bytes},
        .piece_bytes = header->cluster_bytes < PIECE_BYTES_MAX ? (size_t)header->cluster_bytes
                                                               : PIECE_BYTES_MAX,
    };
    if (ret == 0)
        ret = open_table(&reader);
    format_metadata_free(&others);
    return ret;
}

void format_refcounts_close(struct format_refcounts *refcounts)
{
    free(refcounts->blocks);
    free(refcounts->window);
    io_holes_free(&refcounts->holes);
    memset(refcounts, 0, sizeof(*refcounts));
}

/* ---- reading ---- */

/* Where a piece lies in the file; false: its counts are 0. */
static bool piece_place(struct format_refcounts *refcounts, uint64_t piece, uint64_t *off)
{
    uint64_t at = piece * refcounts->piece_bytes; /* if all blocks were one behind the other */
    uint64_t block = at >> refcounts->cluster_bits;

    if (block >= refcounts->n_blocks || refcounts->blocks[block] == 0)
        return false;
    *off = refcounts->blocks[block] + (at & ((UINT64_C(1) << refcounts->cluster_bits) - 1));
    return !io_holes_have(&refcounts->holes, *off, refcounts->piece_bytes);
}

/* Fills the window with the pieces from @first on. A block that the file ends in reads as zeros. */
static int load(struct format_refcounts *refcounts, uint64_t first, struct err *err)
{
    struct io_request requests[WINDOW_PIECES_MAX];
    size_t n_requests = 0;
    int ret;

    refcounts->window_first = UINT64_MAX;
    for (size_t i = 0; i < refcounts->n_pieces; i++) {
        unsigned char *buf = refcounts->window + i * refcounts->piece_bytes;
        uint64_t off;

        if (piece_place(refcounts, first + i, &off))
            requests[n_requests++] =
                (struct io_request){.off = off, .len = refcounts->piece_bytes, .buf = buf};
        else
            memset(buf, 0, refcounts->piece_bytes);
    }
    ret = io_read_batch(refcounts->io, requests, n_requests, err);
    if (ret < 0)
        return ret;
    for (size_t i = 0; i < n_requests; i++)
        io_holes_learn(&refcounts->holes, &requests[i]);
    refcounts->window_first = first;
    return 0;
}

int format_refcounts_read(struct format_refcounts *refcounts, uint64_t first, size_t n,
                          uint16_t *counts, struct err *err)
{
    uint64_t piece_entries = (refcounts->piece_bytes << 3) >> refcounts->order;

    if (!refcounts->readable) {
        memset(counts, 0, n * sizeof(*counts));
        return 0;
    }
    while (n > 0) {
        uint64_t piece = first / piece_entries, at = first % piece_entries;
        size_t here = piece_entries - at < n ? (size_t)(piece_entries - at) : n;

        if (piece < refcounts->window_first ||
            piece - refcounts->window_first >= refcounts->n_pieces) {
            int ret = load(refcounts, piece, err);

            if (ret < 0)
                return ret;
        }
        format_refcounts_decode(refcounts->order,
                                refcounts->window + (size_t)(piece - refcounts->window_first) *
                                                        refcounts->piece_bytes,
                                at, here, counts);
        first += here;
        counts += here;
        n -= here;
    }
    return 0;
}

/* Is a piece stored? Asks the file, unless it has been read, or is in a hole that is known. */
static bool piece_is_stored(struct format_refcounts *refcounts, uint64_t piece)
{
    uint64_t off;

    if (!piece_place(refcounts, piece, &off))
        return false;
    if (refcounts->window_first != UINT64_MAX && piece >= refcounts->window_first &&
        piece - refcounts->window_first < refcounts->n_pieces)
        return true;
    return !io_holes_look(&refcounts->holes, off, refcounts->piece_bytes);
}

uint64_t format_refcounts_next(struct format_refcounts *refcounts, uint64_t cluster)
{
    uint64_t piece_entries = (refcounts->piece_bytes << 3) >> refcounts->order;
    uint64_t pieces = refcounts->block_entries / piece_entries; /* of a block */
    uint64_t piece = cluster / piece_entries, end = refcounts->n_blocks * pieces;

    if (piece < end && piece_is_stored(refcounts, piece))
        return cluster;
    for (piece++; piece < end; piece++) {
        if (refcounts->blocks[piece / pieces] == 0)
            piece |= pieces - 1; /* the last one of the block */
        else if (piece_is_stored(refcounts, piece))
            return piece * piece_entries;
    }
    return UINT64_MAX;
}

bool format_refcounts_place(const struct format_refcounts *refcounts, uint64_t cluster,
                            uint64_t *off)
{
    uint64_t block = cluster / refcounts->block_entries;

    if (block >= refcounts->n_blocks || refcounts->blocks[block] == 0)
        return false;
    *off =
        refcounts->blocks[block] + ((cluster % refcounts->block_entries << refcounts->order) >> 3);
    return true;
}
