// SPDX-License-Identifier: MIT
/*
 * Owns the walk over the snapshot table, as far as it can be followed. It ends: the header limits
 * the number of entries, each entry goes forward, and the whole stays inside the file and below 64
 * MiB.
 */
#include "snapshot.h"

#include "be.h"
#include "checked.h"
#include "err.h"
#include "finding.h"
#include "io.h"
#include "size.h"
#include "vec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_BYTES 40
#define EXTRA_BYTES_NEEDED 16  /* in version 3: the sizes of VM state and disk */
#define EXTRA_BYTES_WRITTEN 24 /* by QEMU, at least: struct QCowSnapshotExtraData */

/* Of a page, which the kernel reads whole: what cannot be read beside the table does no harm. */
#define WINDOW_BYTES 4096

struct reader {
    struct io *io;
    uint64_t file_bytes;
    const struct format_header *header;
    struct arena *names;
    struct format_findings *findings;
    struct err *err;
    uint64_t off; /* of the next entry */
    size_t index; /* of that entry */
    /* What lies around the last place: there may be 65,536 entries of 72 bytes. */
    uint64_t window_off;
    size_t window_bytes;
    unsigned char window[WINDOW_BYTES];
};

struct entry_lengths {
    uint32_t extra, id, name;
};

/* What was looked for inside the file is there, or somebody has cut it off meanwhile. */
static int check_read(const struct reader *reader, bool whole)
{
    if (whole)
        return 0;
    return io_became_shorter("the file", "the snapshot table", reader->header->snapshots_off,
                             reader->err);
}

/* Moves the window to the one that holds @off. */
static int move_window(struct reader *reader, uint64_t off)
{
    struct io_request request = {
        .off = off - off % WINDOW_BYTES, .len = WINDOW_BYTES, .buf = reader->window};
    int ret;

    if (reader->window_bytes > 0 && reader->window_off == request.off)
        return 0;
    ret = io_read_batch(reader->io, &request, 1, reader->err);
    reader->window_off = request.off;
    reader->window_bytes = ret == 0 ? request.got : 0;
    return ret;
}

static int read_bytes(struct reader *reader, uint64_t off, void *buf, size_t len)
{
    struct io_request request = {.off = off, .len = len, .buf = buf};
    size_t at = off % WINDOW_BYTES;
    int ret;

    if (len == 0)
        return 0;
    if (at + len > WINDOW_BYTES) { /* it lies in two */
        ret = io_read_batch(reader->io, &request, 1, reader->err);
        return ret == 0 ? check_read(reader, request.got == len) : ret;
    }
    ret = move_window(reader, off);
    if (ret == 0)
        ret = check_read(reader, at + len <= reader->window_bytes);
    if (ret == 0)
        memcpy(buf, reader->window + at, len);
    return ret;
}

#define TABLE_ENDS 1 /* of read_entry: here the table can be followed no further */

/* The active state does not need the table: it is measured, and this tells what is not. */
static int end_table(const struct reader *reader, const char *problem)
{
    char where[64];

    snprintf(where, sizeof(where), "snapshot[%zu]", reader->index);
    format_findings_add(reader->findings, FORMAT_FINDING_SNAPSHOT_TABLE, where, &reader->off,
                        "its entry in the snapshot table %s; of %" PRIu32 " %s, those from this "
                        "one on are left out",
                        problem, reader->header->n_snapshots,
                        size_noun(reader->header->n_snapshots, "snapshot", "snapshots"));
    return TABLE_ENDS;
}

/* Are @len bytes behind the entry's begin still inside the file and the limit of the table? */
static bool fits(const struct reader *reader, uint64_t len)
{
    uint64_t used = reader->off - reader->header->snapshots_off;

    return checked_inside(reader->off, len, reader->file_bytes) &&
           checked_inside(used, len, FORMAT_SNAPSHOT_TABLE_BYTES_MAX);
}

/* Bytes 0 .. 7: VM state size, 8 .. 15: disk size; older images have fewer, or none. */
static int read_disk_size(struct reader *reader, uint32_t extra_bytes,
                          struct format_snapshot *snapshot)
{
    uint64_t size, vm_state_bytes, place = reader->off + ENTRY_BYTES;
    unsigned char raw[16];
    char where[64];
    int ret;

    snapshot->virtual_bytes = reader->header->virtual_bytes;
    if (extra_bytes < sizeof(raw))
        return 0;
    ret = read_bytes(reader, reader->off + ENTRY_BYTES, raw, sizeof(raw));
    if (ret < 0)
        return ret;
    vm_state_bytes = be64_load(raw);
    size = be64_load(raw + 8);
    snprintf(where, sizeof(where), "snapshot[%zu]", reader->index);
    if (format_l1_needed(reader->header, vm_state_bytes) > FORMAT_L1_ENTRIES_MAX)
        format_findings_add(reader->findings, FORMAT_FINDING_SNAPSHOT_SIZE, where, &place,
                            "its VM state of %" PRIu64 " bytes is beyond the format's limit",
                            vm_state_bytes);
    if (format_l1_needed(reader->header, size) > FORMAT_L1_ENTRIES_MAX) {
        place += 8;
        format_findings_add(reader->findings, FORMAT_FINDING_SNAPSHOT_SIZE, where, &place,
                            "its disk size, %" PRIu64 " bytes, is beyond the format's limit; the "
                            "disk size of the image is taken instead",
                            size);
        return 0;
    }
    snapshot->virtual_bytes = size & ~UINT64_C(511);
    return 0;
}

/* QEMU writes extra data that it knows, and keeps what it does not know, if that is not too much.
 */
static uint32_t rewritten_bytes(const struct entry_lengths *lengths)
{
    uint32_t extra = lengths->extra < EXTRA_BYTES_WRITTEN         ? EXTRA_BYTES_WRITTEN
                     : lengths->extra > FORMAT_SNAPSHOT_EXTRA_MAX ? FORMAT_SNAPSHOT_EXTRA_MAX
                                                                  : lengths->extra;

    return (ENTRY_BYTES + extra + lengths->id + lengths->name + 7) & ~UINT32_C(7);
}

/* At most @max bytes are kept: a hostile table of 64 MiB must not become as much memory. */
static size_t kept_bytes(struct reader *reader, size_t len, size_t max)
{
    char where[64];

    if (len <= max)
        return len;
    snprintf(where, sizeof(where), "snapshot[%zu]", reader->index);
    format_findings_add(reader->findings, FORMAT_FINDING_SNAPSHOT_NAME, where, &reader->off,
                        "its %s has %zu bytes, more than the %zu that QEMU can give it",
                        max == FORMAT_SNAPSHOT_ID_MAX ? "id" : "name", len, max);
    return max;
}

/* Both in one piece of memory. */
static int read_texts(struct reader *reader, uint64_t off, const struct entry_lengths *lengths,
                      struct format_snapshot *snapshot)
{
    size_t id = kept_bytes(reader, lengths->id, FORMAT_SNAPSHOT_ID_MAX);
    size_t name = kept_bytes(reader, lengths->name, FORMAT_SNAPSHOT_NAME_MAX);
    char *bytes = arena_alloc(reader->names, id + name + 2);
    int ret;

    if (bytes == NULL)
        return err_no_memory(reader->err);
    snapshot->id = (struct format_name){bytes, id};
    snapshot->name = (struct format_name){bytes + id + 1, name};
    bytes[id] = bytes[id + 1 + name] = '\0';
    ret = read_bytes(reader, off, snapshot->id.bytes, id);
    return ret == 0 ? read_bytes(reader, off + lengths->id, snapshot->name.bytes, name) : ret;
}

/* QEMU checks a snapshot's L1 table only when it is used. */
static void check_l1(struct reader *reader, struct format_snapshot *snapshot)
{
    uint64_t len_bytes = (uint64_t)snapshot->l1_entries * 8;
    const char *problem = NULL;
    char where[64];

    if (snapshot->l1_entries == 0)
        problem = NULL;
    else if (snapshot->l1_entries > FORMAT_L1_ENTRIES_MAX)
        problem = "has more entries than the format allows";
    else if (!is_aligned(snapshot->l1_off, reader->header->cluster_bytes))
        problem = "does not start at a cluster";
    else if (snapshot->l1_off == 0)
        problem = "overlaps the header";
    else if (!checked_inside(snapshot->l1_off, len_bytes, reader->file_bytes))
        problem = "reaches past the end of the file";

    snapshot->readable = problem == NULL;
    if (problem == NULL)
        return;
    snprintf(where, sizeof(where), "snapshot[%zu]", reader->index);
    format_findings_add(reader->findings, FORMAT_FINDING_SNAPSHOT_L1, where, &reader->off,
                        "its L1 table (%" PRIu32 " %s at offset 0x%" PRIx64 ") %s; this "
                        "snapshot is left out",
                        snapshot->l1_entries, size_noun(snapshot->l1_entries, "entry", "entries"),
                        snapshot->l1_off, problem);
}

/*
 * Neither keeps us from reading the entry. QEMU does not open an image whose entries have too much
 * (block/qcow2-snapshot.c, qcow2_do_read_snapshots); with too little it does, and its check tells.
 */
static void check_extra(struct reader *reader, uint32_t extra_bytes)
{
    char where[64];

    snprintf(where, sizeof(where), "snapshot[%zu]", reader->index);
    if (extra_bytes > FORMAT_SNAPSHOT_EXTRA_MAX)
        format_findings_add(reader->findings, FORMAT_FINDING_SNAPSHOT_EXTRA_LONG, where,
                            &reader->off,
                            "it has %" PRIu32 " bytes of extra data, more than the %u that QEMU "
                            "opens an image with; `qemu-img check -r all` removes the rest",
                            extra_bytes, FORMAT_SNAPSHOT_EXTRA_MAX);
    else if (extra_bytes < EXTRA_BYTES_NEEDED && reader->header->version >= 3)
        format_findings_add(
            reader->findings, FORMAT_FINDING_SNAPSHOT_EXTRA_SHORT, where, &reader->off,
            "it has %" PRIu32 " %s of extra data, where version 3 requires %d: "
            "its disk size is taken from the image; `qemu-img check -r all` adds "
            "the rest",
            extra_bytes, size_noun(extra_bytes, "byte", "bytes"), EXTRA_BYTES_NEEDED);
}

/* 0, TABLE_ENDS, or -errno. */
static int read_entry(struct reader *reader, struct format_snapshot *snapshot)
{
    const char *problem = "reaches past the end of the file or the limit of 64 MiB";
    unsigned char raw[ENTRY_BYTES];
    struct entry_lengths lengths;
    uint64_t text_off;
    int ret;

    if (!fits(reader, ENTRY_BYTES))
        return end_table(reader, problem);
    ret = read_bytes(reader, reader->off, raw, sizeof(raw));
    if (ret < 0)
        return ret;
    snapshot->entry_off = reader->off;
    snapshot->l1_off = be64_load(raw);
    snapshot->l1_entries = be32_load(raw + 8);
    lengths = (struct entry_lengths){be32_load(raw + 36), be16_load(raw + 12), be16_load(raw + 14)};
    if (!fits(reader, (uint64_t)ENTRY_BYTES + lengths.extra + lengths.id + lengths.name))
        return end_table(reader, problem);
    check_extra(reader, lengths.extra);
    ret = read_disk_size(reader, lengths.extra, snapshot);
    text_off = reader->off + ENTRY_BYTES + lengths.extra;
    if (ret == 0)
        ret = read_texts(reader, text_off, &lengths, snapshot);
    if (ret < 0)
        return ret;
    check_l1(reader, snapshot);
    snapshot->entry_bytes = rewritten_bytes(&lengths);
    /* Entries are aligned to 8 bytes; the end of one fits in the file, so this cannot overflow. */
    reader->off = (text_off + lengths.id + lengths.name + 7) & ~UINT64_C(7);
    return 0;
}

/* ---- L1 tables on top of one another ---- */

/* Sound snapshots have L1 tables of their own. More than this share one only in hostile images. */
#define L1_SHARERS_MAX 16

struct place {
    uint64_t begin, end; /* of an L1 table */
    size_t index;        /* of the snapshot */
};

static int by_place(const void *a, const void *b)
{
    const struct place *left = a, *right = b;

    if (left->begin != right->begin)
        return left->begin < right->begin ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

static bool same_place(const struct place *a, const struct place *b)
{
    return a->begin == b->begin && a->end == b->end;
}

static void report_overlap(struct format_snapshots *snapshots, const struct place *place,
                           bool shared, const char *with, struct format_findings *findings)
{
    char where[64];

    snapshots->list[place->index].readable = shared;
    snprintf(where, sizeof(where), "snapshot[%zu]", place->index);
    format_findings_add(
        findings, shared ? FORMAT_FINDING_SNAPSHOT_L1_SHARED : FORMAT_FINDING_SNAPSHOT_L1, where,
        &place->begin, "its L1 table %s %s%s", shared ? "is also" : "overlaps", with,
        shared ? "" : "; this snapshot is left out");
}

/* @list by rising begin. What overlaps the active L1 table or an earlier one is left out. */
static void judge_places(const struct format_header *header, struct format_snapshots *snapshots,
                         const struct place *list, size_t n, struct format_findings *findings)
{
    const struct place active = {header->l1_off, header->l1_off + 8 * (uint64_t)header->l1_entries,
                                 SIZE_MAX};
    const struct place *last = NULL;
    unsigned sharers = 0;

    for (size_t i = 0; i < n; i++) {
        const struct place *place = &list[i];
        bool same_as_last = last != NULL && same_place(place, last);

        sharers = same_as_last ? sharers + 1 : 0;
        if (place->begin < active.end && place->end > active.begin)
            report_overlap(snapshots, place, same_place(place, &active) && sharers < L1_SHARERS_MAX,
                           "the active one", findings);
        else if (last != NULL && place->begin < last->end)
            report_overlap(snapshots, place, same_as_last && sharers < L1_SHARERS_MAX,
                           "that of another snapshot", findings);
        if (last == NULL || place->end > last->end || place->begin >= last->end)
            last = place;
    }
}

static int check_l1_places(const struct format_header *header, struct format_snapshots *snapshots,
                           struct format_findings *findings, struct err *err)
{
    struct place *list = calloc(snapshots->n_list + 1, sizeof(*list));
    size_t n = 0;

    if (list == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < snapshots->n_list; i++) {
        const struct format_snapshot *snapshot = &snapshots->list[i];

        if (snapshot->readable && snapshot->l1_entries > 0)
            list[n++] = (struct place){snapshot->l1_off,
                                       snapshot->l1_off + 8 * (uint64_t)snapshot->l1_entries, i};
    }
    qsort(list, n, sizeof(*list), by_place);
    judge_places(header, snapshots, list, n, findings);
    free(list);
    return 0;
}

static int compare_names(const struct format_name *a, const struct format_name *b)
{
    int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* Two with one id are told apart by their place in the table alone. */
static int by_id(const void *a, const void *b)
{
    const struct format_snapshot *const *left = a, *const *right = b;

    return compare_names(&(*left)->id, &(*right)->id);
}

static int check_ids(struct format_snapshots *snapshots, struct format_findings *findings,
                     struct err *err)
{
    const struct format_snapshot **sorted = calloc(snapshots->n_list + 1, sizeof(*sorted));

    if (sorted == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < snapshots->n_list; i++)
        sorted[i] = &snapshots->list[i];
    qsort(sorted, snapshots->n_list, sizeof(*sorted), by_id);
    for (size_t i = 1; i < snapshots->n_list; i++) {
        char where[64];

        if (compare_names(&sorted[i]->id, &sorted[i - 1]->id) != 0)
            continue;
        snprintf(where, sizeof(where), "snapshot[%zu]", (size_t)(sorted[i] - snapshots->list));
        format_findings_add(findings, FORMAT_FINDING_SNAPSHOT_DUPLICATE_ID, where, NULL,
                            "another snapshot has the same id");
    }
    free(sorted);
    return 0;
}

/* ---- the whole table ---- */

/* Where no snapshot table can be; NULL: it can begin there. */
static const char *misplaced(const struct format_header *header, uint64_t file_bytes)
{
    if (header->snapshots_off == 0)
        return "overlaps the header";
    return header->snapshots_off >= file_bytes ? "lies behind the end of the file" : NULL;
}

/* QEMU would write the table and the L1 table over each other: its bytes mean nothing. */
static bool lies_on_l1(const struct format_header *header, uint64_t end)
{
    uint64_t l1_end = header->l1_off + 8 * (uint64_t)header->l1_entries;

    return header->l1_entries > 0 && header->snapshots_off < l1_end && header->l1_off < end;
}

static void tell_misplaced(const struct format_header *header, const char *problem,
                           struct format_findings *findings)
{
    const uint64_t place = FORMAT_FIELD_SNAPSHOTS_OFF;

    format_findings_add(findings, FORMAT_FINDING_SNAPSHOT_TABLE, "header", &place,
                        "the snapshot table at offset 0x%" PRIx64 " %s; its %" PRIu32
                        " %s left out",
                        header->snapshots_off, problem, header->n_snapshots,
                        size_noun(header->n_snapshots, "snapshot is", "snapshots are"));
}

/* To the last entry, or to the first that cannot be followed. */
static int read_entries(struct reader *reader, struct format_snapshots *snapshots)
{
    for (; reader->index < reader->header->n_snapshots; reader->index++) {
        struct format_snapshot *snapshot;
        int ret;

        if (vec_reserve(snapshots, list) < 0)
            return err_no_memory(reader->err);
        snapshot = &snapshots->list[snapshots->n_list++];
        memset(snapshot, 0, sizeof(*snapshot));
        ret = read_entry(reader, snapshot);
        if (ret == TABLE_ENDS) {
            snapshots->n_list--; /* it holds nothing yet */
            snapshots->whole = false;
            return 0;
        }
        if (ret < 0)
            return ret;
    }
    return 0;
}

int format_snapshots_read(struct io *io, uint64_t file_bytes, const struct format_header *header,
                          struct format_snapshots *snapshots, struct format_findings *findings,
                          struct err *err)
{
    struct format_findings of_entries = {0};
    struct reader reader = {.io = io,
                            .file_bytes = file_bytes,
                            .header = header,
                            .names = &snapshots->names,
                            .findings = &of_entries,
                            .err = err,
                            .off = header->snapshots_off};
    const char *problem = header->n_snapshots > 0 ? misplaced(header, file_bytes) : NULL;
    int ret = 0;

    *snapshots = (struct format_snapshots){.whole = problem == NULL};
    if (problem == NULL)
        ret = read_entries(&reader, snapshots);
    if (ret == 0 && problem == NULL && header->n_snapshots > 0 && lies_on_l1(header, reader.off)) {
        problem = "overlaps the L1 table";
        format_snapshots_free(snapshots); /* with what its entries seemed to be, and their damage */
        format_findings_free(&of_entries);
    }
    if (problem != NULL)
        tell_misplaced(header, problem, findings);
    else
        snapshots->table_bytes = reader.off - header->snapshots_off;
    format_findings_merge(findings, &of_entries);
    if (ret == 0)
        ret = check_l1_places(header, snapshots, findings, err);
    if (ret == 0)
        ret = check_ids(snapshots, findings, err);
    return ret;
}

void format_snapshots_free(struct format_snapshots *snapshots)
{
    arena_free(&snapshots->names);
    free(snapshots->list);
    memset(snapshots, 0, sizeof(*snapshots));
}
