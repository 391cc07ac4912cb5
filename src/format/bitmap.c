// SPDX-License-Identifier: MIT
/*
 * Owns the walk over the bitmap directory. It ends: the number of entries is limited, each goes
 * forward, and all stay inside the directory, which stays inside the file.
 */
#include "bitmap.h"

#include "be.h"
#include "checked.h"
#include "err.h"
#include "finding.h"
#include "header.h"
#include "io.h"
#include "vec.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_BYTES 24
#define FLAG_IN_USE 1u
#define FLAGS_KNOWN 3u
#define TYPE_DIRTY_TRACKING 1
#define WINDOW_ENTRIES 512

struct entry {
    uint64_t table_off;
    uint32_t n_entries; /* of the table, a cluster of bits each */
    uint32_t flags;
    uint8_t type, granularity_bits;
    uint16_t name_bytes;
    uint32_t extra_bytes;
};

struct reader {
    struct io *io;
    uint64_t file_bytes;
    const struct format_header *header;
    struct format_findings *findings;
    struct format_bitmaps *bitmaps;
    struct err *err;
    uint32_t index;        /* of the bitmap */
    uint64_t tables_bytes; /* read so far */
};

static struct entry decode(const unsigned char raw[ENTRY_BYTES])
{
    return (struct entry){be64_load(raw), be32_load(raw + 8),  be32_load(raw + 12), raw[16],
                          raw[17],        be16_load(raw + 18), be32_load(raw + 20)};
}

/* Can the bits of this bitmap cover the disk? Saturates instead of overflowing. */
static bool covers_disk(const struct format_header *header, const struct entry *entry)
{
    unsigned __int128 covered = (unsigned __int128)entry->n_entries * header->cluster_bytes * 8;

    return covered << entry->granularity_bits >= header->virtual_bytes;
}

/* What QEMU's check_dir_entry would object to, or NULL. */
static const char *problem_of(const struct format_header *header, const struct entry *entry)
{
    if (entry->table_off == 0 || !is_aligned(entry->table_off, header->cluster_bytes))
        return "its table does not start at a cluster";
    if (entry->n_entries == 0 || entry->n_entries > FORMAT_BITMAP_TABLE_ENTRIES_MAX ||
        (uint64_t)entry->n_entries * header->cluster_bytes > FORMAT_BITMAP_BYTES_MAX)
        return "its table has an impossible size";
    if (entry->granularity_bits < 9 || entry->granularity_bits > 31)
        return "its granularity is not within 512 bytes and 2 GiB";
    if ((entry->flags & ~FLAGS_KNOWN) != 0 || entry->type != TYPE_DIRTY_TRACKING)
        return "its type or flags are unknown";
    if (entry->name_bytes == 0 || entry->name_bytes > FORMAT_BITMAP_NAME_MAX ||
        entry->extra_bytes != 0)
        return "its name or extra data have an impossible length";
    if (!(entry->flags & FLAG_IN_USE) && !covers_disk(header, entry))
        return "it is too short for the disk";
    return NULL;
}

static void report(struct reader *reader, uint64_t place, const char *problem)
{
    char where[64];

    reader->bitmaps->whole = false;
    snprintf(where, sizeof(where), "bitmap[%" PRIu32 "]", reader->index);
    format_findings_add(reader->findings, FORMAT_FINDING_BITMAPS, where, &place,
                        "%s; QEMU refuses such an image", problem);
}

static void check_table_entry(struct reader *reader, uint64_t place, uint64_t raw)
{
    const char *problem =
        format_bitmap_entry_of(reader->header->cluster_bytes, reader->file_bytes, raw).problem;
    char where[64];

    if (problem == NULL || !format_findings_wants(reader->findings, FORMAT_FINDING_BITMAP_TABLE)) {
        format_findings_count(reader->findings, FORMAT_FINDING_BITMAP_TABLE, problem != NULL);
        return;
    }
    snprintf(where, sizeof(where), "bitmap[%" PRIu32 "] table", reader->index);
    format_findings_add(reader->findings, FORMAT_FINDING_BITMAP_TABLE, where, &place,
                        "entry 0x%016" PRIx64 " %s", raw, problem);
}

static int check_table(struct reader *reader, const struct entry *entry)
{
    unsigned char window[8 * WINDOW_ENTRIES];

    for (uint32_t first = 0; first < entry->n_entries; first += WINDOW_ENTRIES) {
        uint32_t left = entry->n_entries - first;
        uint32_t n = left < WINDOW_ENTRIES ? left : WINDOW_ENTRIES;
        uint64_t off = entry->table_off + 8 * (uint64_t)first;
        int ret = io_read(reader->io, off, window, 8 * (size_t)n, reader->err);

        if (ret < 0)
            return ret;
        for (uint32_t i = 0; i < n; i++)
            check_table_entry(reader, off + 8 * (uint64_t)i, be64_load(window + 8 * (size_t)i));
    }
    return 0;
}

/* The name stands behind the entry at @place, and nothing else, since extra data is refused. */
static int take_in_use(struct reader *reader, const struct entry *entry, uint64_t place,
                       struct format_bitmaps *bitmaps)
{
    struct format_name *name = &bitmaps->in_use[bitmaps->n_named];

    bitmaps->n_in_use++;
    if (bitmaps->n_named == FORMAT_BITMAPS_NAMED_MAX)
        return 0;
    name->len = entry->name_bytes;
    name->bytes = calloc(1, name->len + (size_t)1);
    if (name->bytes == NULL)
        return err_no_memory(reader->err);
    bitmaps->n_named++;
    return io_read(reader->io, place + ENTRY_BYTES, name->bytes, name->len, reader->err);
}

/* 1: the directory goes on; 0: it is not worth reading on; or an error. */
static int take_entry(struct reader *reader, const struct entry *entry, uint64_t place,
                      struct format_bitmaps *bitmaps)
{
    uint64_t table_bytes = 8 * (uint64_t)entry->n_entries;
    const char *problem = problem_of(reader->header, entry);
    bool in_use = entry->flags & FLAG_IN_USE;
    int ret;

    if (problem == NULL && !checked_inside(entry->table_off, table_bytes, reader->file_bytes))
        problem = "its table reaches past the end of the file";
    reader->tables_bytes += problem == NULL ? table_bytes : 0;
    if (problem == NULL && reader->tables_bytes > FORMAT_BITMAP_TABLES_BYTES_MAX)
        problem = "the tables of the bitmaps are too large together";
    if (problem != NULL) {
        report(reader, place, problem);
        return 0;
    }
    if (vec_reserve(bitmaps, list) < 0)
        return err_no_memory(reader->err);
    bitmaps->list[bitmaps->n_list++] = (struct format_bitmap){place, entry->table_off, table_bytes};
    ret = in_use ? take_in_use(reader, entry, place, bitmaps) : check_table(reader, entry);
    return ret < 0 ? ret : 1;
}

int format_bitmaps_read(struct io *io, uint64_t file_bytes, const struct format_header *header,
                        struct format_bitmaps *bitmaps, struct format_findings *findings,
                        struct err *err)
{
    struct reader reader = {io, file_bytes, header, findings, bitmaps, err, 0, 0};
    uint64_t off = header->bitmaps_off;
    uint64_t left = header->bitmaps_bytes; /* of the directory */
    int ret = 1;

    *bitmaps = (struct format_bitmaps){.whole = !header->bitmaps_invalid};
    for (; reader.index < header->n_bitmaps && ret == 1; reader.index++) {
        unsigned char raw[ENTRY_BYTES];
        struct entry entry;
        uint64_t len;

        if (left < ENTRY_BYTES || !checked_inside(off, ENTRY_BYTES, file_bytes)) {
            report(&reader, off, "the directory ends before its entry");
            break;
        }
        ret = io_read(io, off, raw, sizeof(raw), err);
        if (ret < 0)
            return ret;
        entry = decode(raw);
        len = (ENTRY_BYTES + (uint64_t)entry.extra_bytes + entry.name_bytes + 7) & ~UINT64_C(7);
        ret = take_entry(&reader, &entry, off, bitmaps);
        if (ret == 1 && len > left) {
            report(&reader, off, "its entry reaches past the end of the directory");
            break;
        }
        off += len;
        left -= ret == 1 ? len : 0;
    }
    if (ret == 1 && reader.index == header->n_bitmaps && left > 0 && header->n_bitmaps > 0)
        report(&reader, off, "the directory is longer than its entries");
    return ret < 0 ? ret : 0;
}

void format_bitmaps_free(struct format_bitmaps *bitmaps)
{
    free(bitmaps->list);
    for (size_t i = 0; i < bitmaps->n_named; i++)
        free(bitmaps->in_use[i].bytes);
    memset(bitmaps, 0, sizeof(*bitmaps));
}
