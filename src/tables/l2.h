/* SPDX-License-Identifier: MIT */
/*
 * One L2 table to batches of pieces and counts. The caller reads the table and hands over its
 * bytes in chunks; this side reads nothing.
 */
#ifndef TABLES_L2_H
#define TABLES_L2_H

#include "batch.h"
#include "counts.h"
#include "entry.h"
#include "lost.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct format_findings;
struct format_header;

/* Chunks are whole multiples of this, or the whole table: no slice lies across two chunks. */
#define TABLES_L2_CHUNK_BYTES_MIN 4096

/* QEMU's L2 cache where nobody has given it a size (DEFAULT_L2_CACHE_MAX_SIZE, on Linux). */
#define TABLES_L2_CACHE_BYTES (UINT64_C(32) << 20)
#define TABLES_L2_SLICE_BYTES 4096 /* of what it keeps of larger tables, if they do not fit */

/*
 * The granule of QEMU's L2 cache: a whole table while the default cache covers the disk,
 * else at most 4 KiB of it (block/qcow2.c, read_cache_sizes). A data read ends at its border.
 */
uint32_t tables_l2_slice_bytes(const struct format_header *header, uint64_t virtual_bytes);

/*
 * QEMU decrypts in a buffer of 32 clusters (block/qcow2.h, QCOW_MAX_CRYPT_CLUSTERS): a data read of
 * an encrypted image is no longer. UINT64_MAX if that is more than a request, which is where any
 * read ends.
 */
uint64_t tables_l2_read_bytes_max(const struct format_header *header);

/* Guest clusters of a disk; the last one may be partly outside. */
uint64_t tables_l2_clusters(const struct format_header *header, uint64_t virtual_bytes);

/* What QEMU's L2 cache needs to cover the disk, in whole clusters (same function). */
uint64_t tables_l2_cache_bytes(const struct format_header *header, uint64_t virtual_bytes);

/* A part of the guest disk, [begin, end). A cluster that it touches belongs to it as a whole. */
struct tables_span {
    uint64_t begin, end;
};

#define TABLES_SPAN_ALL ((struct tables_span){0, UINT64_MAX})

/* What there are pieces for. */
enum tables_pieces {
    TABLES_PIECES_MAPPED, /* each cluster that holds data */
    TABLES_PIECES_ZEROS,  /* zero clusters, too */
    TABLES_PIECES_DETAIL, /* both, and for each stretch of subclusters that are alike */
};

struct tables_l2_rules {
    struct format_entry_rules entry;
    struct tables_span span; /* what lies outside is left out */
    uint32_t entries;        /* in a table */
    unsigned entry_bytes;
    uint32_t slice_entries;  /* a power of two */
    uint64_t slice_bytes;    /* slice_entries of them */
    uint64_t read_bytes_max; /* see tables_l2_read_bytes_max */
    uint64_t request_bytes;  /* guest bytes between two borders of requests or slices */
    uint64_t borders;        /* those in a block of 64 entries that begins with one, as bits */
    uint16_t l2_file;        /* that the tables lie in, */
    uint16_t data_file;      /* and the clusters */
    enum tables_pieces pieces;
};

/* For the whole disk. */
struct tables_l2_rules tables_l2_rules_of(const struct format_header *header,
                                          const struct format_entry_rules *entry,
                                          uint64_t virtual_bytes, enum tables_pieces pieces);

/* Where the results go. @findings may be NULL: damage is then only counted. */
struct tables_l2_output {
    struct piece_sink sink;
    struct piece_counts *counts;
    struct format_findings *findings;
    struct piece_lost *lost; /* clusters whose entries mean nothing; NULL: they are not asked for */
    const char *table_name;  /* as that of tables_table, for the findings */
    /* Asked before an offset is called past the end; it may change the rules. May be NULL. */
    bool (*file_has_grown)(void *context);
    void *context; /* of that */
};

/* What goes through one table. Several may be under way at once. */
struct tables_l2_decoder {
    const struct tables_l2_rules *rules;
    struct tables_l2_output output;
    uint64_t l2_off;       /* host offset of the table */
    uint64_t guest_off;    /* of the table's first cluster */
    uint32_t l1_index;     /* for the findings */
    uint32_t next;         /* entry that comes next */
    bool asked_size;       /* in this chunk */
    uint32_t first;        /* entry of the span; those before it count for nothing */
    uint32_t inside;       /* end of those that lie on the disk; the rest counts for check only */
    uint32_t whole;        /* end of those whose whole cluster does */
    uint64_t last_bytes;   /* bytes of the cluster after those that do */
    uint64_t check_next;   /* formula of check: where the next cluster should be; 0: none yet */
    uint64_t adjacent_end; /* host end of the cluster just before on the guest disk, or NONE */
    /* Where the read under way began on the guest disk, and where it would have without any break;
     * kept only if reads are cut short. */
    uint64_t read_begin, unbroken_begin;
    /* Zero clusters that hold space, since what was mapped last; they are between data only if
     * something was, or the table itself lies there. */
    uint64_t held_zeros;
    bool held_zeros_count;
    struct piece_batch *batch;
};

/*
 * Begins a table. @batch is room for the pieces, borrowed until tables_l2_end; @virtual_bytes is
 * the size of the disk.
 */
void tables_l2_begin(struct tables_l2_decoder *decoder, const struct tables_l2_rules *rules,
                     struct tables_l2_output output, struct piece_batch *batch, uint64_t l2_off,
                     uint32_t l1_index, uint64_t virtual_bytes);

/*
 * The next @len_bytes of the table, 8-byte aligned; @raw NULL: all zeros. Returns what the sink
 * returned.
 */
int tables_l2_chunk(struct tables_l2_decoder *decoder, const uint64_t *raw, size_t len_bytes);

/* Hands over what is still in the batch: pieces, or the read of a slice that maps nothing. */
int tables_l2_end(struct tables_l2_decoder *decoder);

#endif
