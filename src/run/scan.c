// SPDX-License-Identifier: MIT
/*
 * Owns the order of a scan: windows of the L1 tables, then the L2 tables that they name, read in
 * batches a little ahead. Holds a window of each L1 table and one buffer of L2 tables, whatever
 * the image.
 */
#include "scan.h"

#include "be.h"
#include "err.h"
#include "image.h"
#include "io.h"
#include "l2.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (64u << 10)   /* of an L2 table, per read */
#define BUFFER_BYTES (256u << 10) /* of reads in one batch: stays in the processor's cache */
#define BATCH_READS 64
#define WINDOW_ENTRIES_MAX 2048u /* of each L1 table */
#define WINDOW_BYTES (1u << 20)  /* of all L1 tables together, as far as possible */

/* A read under way: one chunk of an L2 table, and for whom. */
struct chunk {
    uint64_t l2_off;
    uint64_t virtual_bytes; /* of the disks in question; alike for all members */
    uint32_t l1_index;
    uint32_t table_at; /* offset of the chunk in the table */
    uint32_t len_bytes;
    size_t first_member, n_members; /* in scan.members */
};

struct scan {
    struct format_image *image;
    struct format_entry_rules entry_rules;
    struct run_l2_rules rules;
    const struct run_visitor *visitor;
    struct run_table *tables;
    size_t n_tables;
    struct err *err;

    /* A window of each L1 table. */
    uint32_t window_first, window_entries;
    unsigned char *windows; /* n_tables times window_entries entries, big endian */

    /* The batch of reads. */
    struct chunk chunks[BATCH_READS];
    struct io_request requests[BATCH_READS];
    size_t n_chunks;
    size_t filled_bytes;
    unsigned char *buffer;
    size_t *members; /* tables that share an L2 table, for all chunks */
    size_t n_members, room_members;
    size_t *group, *waiting; /* scratch of add_index: n_tables each */
    uint64_t *l2_off;        /* likewise: by table */

    /* The table being walked. */
    struct run_batch batch;
    struct run_l2_walk l2;
    struct run_counts counts; /* of that table alone */
};

/* ---- L2 tables ---- */

static void begin_table(struct scan *scan, const struct chunk *chunk)
{
    const size_t *members = &scan->members[chunk->first_member];
    struct run_table *table = &scan->tables[members[0]];
    struct run_l2_output output = {
        .sink = scan->visitor->begin(scan->visitor->context, members, chunk->n_members),
        .counts = &scan->counts,
        .findings = &table->findings, /* of the first of those that share it: one cause, once */
        .table_name = table->name,
    };

    memset(&scan->counts, 0, sizeof(scan->counts));
    run_l2_begin(&scan->l2, &scan->rules, output, &scan->batch, chunk->l2_off, chunk->l1_index,
                 chunk->virtual_bytes);
}

static void end_table(struct scan *scan, const struct chunk *chunk)
{
    const size_t *members = &scan->members[chunk->first_member];

    for (size_t i = 0; i < chunk->n_members; i++)
        run_counts_add(&scan->tables[members[i]].counts, &scan->counts);
    if (scan->visitor->end != NULL)
        scan->visitor->end(scan->visitor->context, members, chunk->n_members);
}

static int scan_chunk(struct scan *scan, const struct chunk *chunk, const void *bytes)
{
    int ret;

    if (chunk->table_at == 0)
        begin_table(scan, chunk);
    ret = run_l2_chunk(&scan->l2, bytes, chunk->len_bytes);
    if (ret < 0 || chunk->table_at + chunk->len_bytes < scan->entry_rules.cluster_bytes)
        return ret;
    ret = run_l2_end(&scan->l2);
    if (ret == 0)
        end_table(scan, chunk);
    return ret;
}

static int drain(struct scan *scan)
{
    int ret = io_read_batch(scan->image->io, scan->requests, scan->n_chunks, scan->err);

    for (size_t i = 0; i < scan->n_chunks && ret == 0; i++)
        ret = scan_chunk(scan, &scan->chunks[i], scan->requests[i].buf);
    scan->n_chunks = scan->n_members = scan->filled_bytes = 0;
    return ret;
}

static void add_chunk(struct scan *scan, const struct chunk *chunk)
{
    size_t i = scan->n_chunks++;

    scan->chunks[i] = *chunk;
    scan->requests[i] = (struct io_request){.off = chunk->l2_off + chunk->table_at,
                                            .len = chunk->len_bytes,
                                            .buf = scan->buffer + scan->filled_bytes};
    scan->filled_bytes += chunk->len_bytes;
}

/* Queues the reads of one L2 table for the @n tables in @members. */
static int add_table(struct scan *scan, uint32_t l1_index, uint64_t l2_off, const size_t *members,
                     size_t n)
{
    uint32_t table_bytes = (uint32_t)scan->entry_rules.cluster_bytes;
    struct chunk chunk = {
        .l2_off = l2_off,
        .virtual_bytes = scan->tables[members[0]].virtual_bytes,
        .l1_index = l1_index,
        .len_bytes = table_bytes < CHUNK_BYTES ? table_bytes : CHUNK_BYTES,
        .n_members = n,
    };

    for (; chunk.table_at < table_bytes; chunk.table_at += chunk.len_bytes) {
        if (scan->n_chunks == BATCH_READS || scan->n_members + n > scan->room_members ||
            scan->filled_bytes + chunk.len_bytes > BUFFER_BYTES) {
            int ret = drain(scan);

            if (ret < 0)
                return ret;
        }
        /* Draining forgets the members, so each chunk brings its own. */
        chunk.first_member = scan->n_members;
        memcpy(scan->members + scan->n_members, members, n * sizeof(*members));
        scan->n_members += n;
        add_chunk(scan, &chunk);
    }
    return 0;
}

/* ---- L1 tables ---- */

/* L1 entries of @table that the walk looks at. */
static uint32_t entries_of(const struct scan *scan, const struct run_table *table)
{
    uint64_t needed = format_l1_needed(&scan->image->header, table->virtual_bytes);

    if (table->whole_l1 || needed > table->l1_entries)
        return table->l1_entries;
    return (uint32_t)needed;
}

static void report_l1_damage(struct scan *scan, struct run_table *table, uint32_t index,
                             uint64_t entry, enum format_finding_code damage)
{
    uint64_t place = table->l1_off + (uint64_t)index * 8;
    const char *meaning = damage == FORMAT_FINDING_L1_UNALIGNED
                              ? "points to an offset that is not the begin of a cluster"
                          : damage == FORMAT_FINDING_L1_PAST_END ? "points past the end of the file"
                          : damage == FORMAT_FINDING_L1_COPIED_EMPTY
                              ? "has the flag \"copied\", but points nowhere"
                              : "has reserved bits set";
    char where[64];

    if (index >= format_l1_needed(&scan->image->header, table->virtual_bytes))
        return; /* beyond the disk: not part of the figures */
    table->counts.corrupt_entries++;
    snprintf(where, sizeof(where), "%sl1[%" PRIu32 "]", table->name, index);
    format_findings_add(
        &table->findings, damage, where, &place, "entry 0x%016" PRIx64 " %s%s", entry, meaning,
        damage == FORMAT_FINDING_L1_RESERVED ? "; it is read without them"
                                             : "; the guest range that it maps is left out");
}

/* The L2 table of @table at @index: its host offset, or 0. */
static uint64_t l2_off_of(struct scan *scan, size_t t, uint32_t index)
{
    struct run_table *table = &scan->tables[t];
    uint64_t raw, at = (uint64_t)t * scan->window_entries + (index - scan->window_first);
    struct format_l1_entry entry;

    if (index >= entries_of(scan, table))
        return 0;
    raw = be64_load(scan->windows + 8 * at);
    if (raw == 0)
        return 0;
    entry = format_l1_entry_of(&scan->entry_rules, raw);
    if (entry.damage != FORMAT_SOUND)
        report_l1_damage(scan, table, index, raw, entry.damage);
    table->counts.l2_tables += entry.l2_off != 0;
    return entry.l2_off;
}

/*
 * Queues the L2 tables that the L1 tables name at @index, each once for all that share it. A
 * table of another disk size is taken as another one: fewer of its entries may lie on the disk.
 */
static int add_index(struct scan *scan, uint32_t index)
{
    size_t *group = scan->group, *waiting = scan->waiting;
    uint64_t *l2_off = scan->l2_off;
    size_t n_waiting = 0;

    for (size_t t = 0; t < scan->n_tables; t++) {
        l2_off[t] = l2_off_of(scan, t, index);
        if (l2_off[t] != 0)
            waiting[n_waiting++] = t;
    }
    while (n_waiting > 0) {
        size_t first = waiting[0], n_group = 0, n_left = 0;
        int ret;

        for (size_t i = 0; i < n_waiting; i++) {
            size_t t = waiting[i];

            if (l2_off[t] == l2_off[first] &&
                scan->tables[t].virtual_bytes == scan->tables[first].virtual_bytes)
                group[n_group++] = t;
            else
                waiting[n_left++] = t;
        }
        n_waiting = n_left;
        ret = add_table(scan, index, l2_off[first], group, n_group);
        if (ret < 0)
            return ret;
    }
    return 0;
}

static int read_windows(struct scan *scan, uint32_t first)
{
    size_t len = 8 * (size_t)scan->window_entries;

    scan->window_first = first;
    for (size_t t = 0; t < scan->n_tables; t++) {
        uint32_t entries = entries_of(scan, &scan->tables[t]);
        uint32_t left = first < entries ? entries - first : 0;
        size_t want = left < scan->window_entries ? 8 * (size_t)left : len;
        int ret = io_read(scan->image->io, scan->tables[t].l1_off + 8 * (uint64_t)first,
                          scan->windows + t * len, want, scan->err);

        if (ret < 0)
            return ret;
    }
    return 0;
}

static int scan_all(struct scan *scan, const struct run_progress *progress)
{
    uint32_t end = 0;
    int ret = 0;

    for (size_t t = 0; t < scan->n_tables; t++) {
        uint32_t entries = entries_of(scan, &scan->tables[t]);

        end = entries > end ? entries : end;
    }
    for (uint32_t first = 0; first < end && ret == 0; first += scan->window_entries) {
        uint32_t stop = end - first < scan->window_entries ? end : first + scan->window_entries;

        ret = read_windows(scan, first);
        for (uint32_t index = first; index < stop && ret == 0; index++)
            ret = add_index(scan, index);
        if (progress->report != NULL)
            progress->report(progress->context, (double)stop / end);
    }
    return ret < 0 ? ret : drain(scan);
}

/* ---- setting up ---- */

static int allocate(struct scan *scan)
{
    size_t n = scan->n_tables;
    size_t fair = WINDOW_BYTES / 8 / n;

    scan->window_entries = fair > WINDOW_ENTRIES_MAX ? WINDOW_ENTRIES_MAX
                           : fair < 8                ? 8
                                                     : (uint32_t)fair;
    scan->windows = calloc(n, 8 * (size_t)scan->window_entries);
    scan->buffer = malloc(BUFFER_BYTES);
    scan->room_members = n < BATCH_READS ? BATCH_READS * n : BATCH_READS * BATCH_READS + n;
    scan->members = calloc(scan->room_members, sizeof(*scan->members));
    scan->group = calloc(n, sizeof(*scan->group));
    scan->waiting = calloc(n, sizeof(*scan->waiting));
    scan->l2_off = calloc(n, sizeof(*scan->l2_off));
    if (scan->windows == NULL || scan->buffer == NULL || scan->members == NULL ||
        scan->group == NULL || scan->waiting == NULL || scan->l2_off == NULL)
        return err_no_memory(scan->err);
    return 0;
}

static void release(struct scan *scan)
{
    free(scan->l2_off);
    free(scan->waiting);
    free(scan->group);
    free(scan->members);
    free(scan->buffer);
    free(scan->windows);
    free(scan);
}

int run_scan(struct format_image *image, struct run_table *tables, size_t n_tables,
             const struct run_visitor *visitor, const struct run_progress *progress,
             struct err *err)
{
    struct scan *scan;
    int ret;

    if (n_tables == 0)
        return 0;
    scan = calloc(1, sizeof(*scan));
    if (scan == NULL)
        return err_no_memory(err);
    scan->image = image;
    scan->entry_rules = format_image_rules(image);
    scan->rules = run_l2_rules_of(&image->header, &scan->entry_rules, image->header.virtual_bytes,
                                  visitor->detail);
    scan->visitor = visitor;
    scan->tables = tables;
    scan->n_tables = n_tables;
    scan->err = err;

    ret = allocate(scan);
    if (ret == 0)
        ret = scan_all(scan, progress);
    release(scan);
    return ret;
}
