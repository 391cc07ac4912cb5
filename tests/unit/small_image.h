/* SPDX-License-Identifier: MIT */
/*
 * A qcow2 image in memory, with its tables where the test wants them. Cluster 0 is the header,
 * cluster 1 an empty refcount table, and the active L1 table begins at cluster 2.
 */
#ifndef UNIT_SMALL_IMAGE_H
#define UNIT_SMALL_IMAGE_H

#include "be.h"
#include "image.h"
#include "io_memory.h"
#include "scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct small_image {
    unsigned char *bytes;
    size_t len;
    uint64_t cluster_bytes;
    bool extended_l2;
    struct io_memory memory;
    struct format_image image;
};

/* @n_clusters are stored; a file may be longer, see small_image_open. */
static inline void small_image_init(struct small_image *small, unsigned cluster_bits,
                                    uint64_t virtual_bytes, uint32_t l1_entries, size_t n_clusters)
{
    memset(small, 0, sizeof(*small));
    small->cluster_bytes = UINT64_C(1) << cluster_bits;
    small->len = n_clusters << cluster_bits;
    small->bytes = calloc(1, small->len);
    assert_non_null(small->bytes);
    memcpy(small->bytes, "QFI\xfb", 4);
    put_be32(small->bytes + 4, 3);
    put_be32(small->bytes + 20, cluster_bits);
    put_be64(small->bytes + 24, virtual_bytes);
    put_be32(small->bytes + 36, l1_entries);
    put_be64(small->bytes + 40, 2 * small->cluster_bytes);
    put_be64(small->bytes + 48, small->cluster_bytes);
    put_be32(small->bytes + 56, 1);
    put_be32(small->bytes + 96, 4);
    put_be32(small->bytes + 100, 104);
}

static inline void small_image_features(struct small_image *small, uint64_t incompatible)
{
    put_be64(small->bytes + 72, incompatible);
    small->extended_l2 = incompatible & FORMAT_INCOMPAT_EXTENDED_L2;
}

/* Where a cluster is, in bytes. */
static inline uint64_t small_image_at(const struct small_image *small, uint64_t n)
{
    return n * small->cluster_bytes;
}

static inline void small_image_put(struct small_image *small, uint64_t off, uint64_t value)
{
    assert_true(off + 8 <= small->len);
    put_be64(small->bytes + off, value);
}

/* Entry @index of the L1 table at cluster @l1; @l2 is the cluster of an L2 table. */
static inline void small_image_l1(struct small_image *small, uint64_t l1, uint32_t index,
                                  uint64_t l2)
{
    small_image_put(small, small_image_at(small, l1) + 8 * (uint64_t)index,
                    FORMAT_ENTRY_COPIED | small_image_at(small, l2));
}

/* Entry @index of the L2 table at cluster @l2; @bitmap only with extended L2 entries. */
static inline void small_image_l2(struct small_image *small, uint64_t l2, uint32_t index,
                                  uint64_t word, uint64_t bitmap)
{
    uint64_t off = small_image_at(small, l2) + (small->extended_l2 ? 16 : 8) * (uint64_t)index;

    small_image_put(small, off, word);
    if (small->extended_l2)
        small_image_put(small, off + 8, bitmap);
}

/* One snapshot of four L1 entries, its L1 table at cluster @l1; the snapshot table is at @at. */
static inline void small_image_snapshot(struct small_image *small, uint64_t at, uint64_t l1,
                                        uint64_t virtual_bytes)
{
    unsigned char *entry = small->bytes + small_image_at(small, at);

    put_be32(small->bytes + 60, 1);
    put_be64(small->bytes + 64, small_image_at(small, at));
    put_be64(entry, small_image_at(small, l1));
    put_be32(entry + 8, 4);
    put_be16(entry + 12, 1);
    put_be16(entry + 14, 1);
    put_be32(entry + 36, 24);
    put_be64(entry + 48, virtual_bytes);
    entry[64] = '1';
    entry[65] = 's';
}

/* One bitmap, its table of @n_entries at cluster @table; the directory is at byte @directory. */
static inline void small_image_bitmap(struct small_image *small, uint64_t directory,
                                      uint64_t table_off, uint32_t n_entries)
{
    unsigned char *header = small->bytes, *entry = header + directory;

    put_be64(header + 88, 1); /* autoclear: bitmaps are consistent */
    put_be32(header + 104, 0x23852875);
    put_be32(header + 108, 24);
    put_be32(header + 112, 1);
    put_be64(header + 120, 32);
    put_be64(header + 128, directory);
    put_be64(entry, table_off);
    put_be32(entry + 8, n_entries);
    entry[16] = 1;
    entry[17] = 9;
    put_be16(entry + 18, 1);
    entry[24] = 'b';
}

/*
 * One more snapshot, in a table that begins at cluster @at: of a disk of @virtual_bytes, with
 * @l1_entries in the L1 table at cluster @l1. Id and name together have 8 bytes at most.
 */
static inline void small_image_add_snapshot(struct small_image *small, uint64_t at, const char *id,
                                            const char *name, uint64_t l1, uint32_t l1_entries,
                                            uint64_t virtual_bytes)
{
    uint32_t n = be32_load(small->bytes + 60);
    unsigned char *entry = small->bytes + small_image_at(small, at) + 64 * (size_t)n;
    size_t id_len = strlen(id), name_len = strlen(name);

    assert_true(entry + 64 <= small->bytes + small->len && id_len + name_len <= 8);
    put_be32(small->bytes + 60, n + 1);
    put_be64(small->bytes + 64, small_image_at(small, at));
    put_be64(entry, small_image_at(small, l1));
    put_be32(entry + 8, l1_entries);
    put_be16(entry + 12, (uint16_t)id_len);
    put_be16(entry + 14, (uint16_t)name_len);
    put_be32(entry + 36, 16);
    put_be64(entry + 48, virtual_bytes);
    memcpy(entry + 56, id, id_len);
    memcpy(entry + 56 + id_len, name, name_len);
}

/* @file_bytes: the length of the file, at least what is stored. */
static inline void small_image_open(struct small_image *small, uint64_t file_bytes)
{
    struct err err = {0};

    small->memory = io_memory_of(small->bytes, small->len);
    small->memory.file_bytes = file_bytes;
    if (format_image_open(&small->memory.io, &small->image, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void small_image_free(struct small_image *small)
{
    format_image_close(&small->image);
    free(small->bytes);
}

/* The active table. */
static inline struct tables_table small_image_table(const struct small_image *small)
{
    return (struct tables_table){.l1_off = small->image.header.l1_off,
                                 .l1_entries = small->image.header.l1_entries,
                                 .virtual_bytes = small->image.header.virtual_bytes,
                                 .active = true,
                                 .whole_l1 = true};
}

#endif
