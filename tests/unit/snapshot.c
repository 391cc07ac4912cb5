// SPDX-License-Identifier: MIT
/*
 * Proves how the snapshot table is read: lengths of every kind, extra data of every age, tables
 * that end where they must not, and snapshots whose own L1 table cannot be read.
 */
#include "snapshot.h"

#include "finding.h"
#include "io_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CLUSTER 65536u
#define FILE_BYTES (8 * CLUSTER)
#define TABLE CLUSTER
#define FIELD_SNAPSHOTS_OFF 64 /* of the header */
#define L1 (4 * CLUSTER)
#define VIRTUAL (UINT64_C(1) << 30)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned char image[FILE_BYTES];

struct entry {
    uint64_t l1_off;
    uint32_t l1_entries;
    const char *id, *name;
    uint32_t extra_bytes;
    uint64_t disk_bytes, vm_state_bytes; /* told if there is room in the extra data */
};

static const struct entry plain = {L1, 2, "1", "first", 24, VIRTUAL, 0};
static const struct entry other = {L1 + CLUSTER, 2, "3", "third", 24, VIRTUAL, 0};

/* Returns where the next entry belongs. */
static size_t put_entry(size_t at, const struct entry *entry)
{
    size_t id_len = strlen(entry->id), name_len = strlen(entry->name);
    unsigned char *p = image + at;

    put_be64(p, entry->l1_off);
    put_be32(p + 8, entry->l1_entries);
    put_be16(p + 12, (uint16_t)id_len);
    put_be16(p + 14, (uint16_t)name_len);
    put_be32(p + 36, entry->extra_bytes);
    memset(p + 40, 0xee, entry->extra_bytes);
    if (entry->extra_bytes >= 16) {
        put_be64(p + 40, entry->vm_state_bytes);
        put_be64(p + 48, entry->disk_bytes);
    }
    memcpy(p + 40 + entry->extra_bytes, entry->id, id_len);
    memcpy(p + 40 + entry->extra_bytes + id_len, entry->name, name_len);
    return (at + 40 + entry->extra_bytes + id_len + name_len + 7) / 8 * 8;
}

struct tables_table {
    struct format_snapshots snapshots;
    struct format_findings findings;
    struct err err;
    int ret;
};

static struct format_header header_of(uint32_t version, uint32_t n_snapshots)
{
    return (struct format_header){.version = version,
                                  .cluster_bits = 16,
                                  .cluster_bytes = CLUSTER,
                                  .l2_bits = 13,
                                  .l2_entries = 8192,
                                  .l2_entry_bytes = 8,
                                  .virtual_bytes = VIRTUAL,
                                  .snapshots_off = TABLE,
                                  .n_snapshots = n_snapshots};
}

static struct tables_table read_table(uint32_t version, uint32_t n_snapshots, uint64_t file_bytes)
{
    struct format_header header = header_of(version, n_snapshots);
    struct io_memory memory = io_memory_of(image, sizeof(image));
    struct tables_table table = {.ret = 0};

    memory.file_bytes = file_bytes;
    table.ret = format_snapshots_read(&memory.io, file_bytes, &header, &table.snapshots,
                                      &table.findings, &table.err);
    return table;
}

static struct tables_table read_one(uint32_t version, const struct entry *entry)
{
    memset(image, 0, sizeof(image));
    put_entry(TABLE, entry);
    return read_table(version, 1, FILE_BYTES);
}

static void release(struct tables_table *table)
{
    format_snapshots_free(&table->snapshots);
    format_findings_free(&table->findings);
}

/* It was read up to @n_kept entries, and one finding, with these words, tells why not further. */
static void assert_ends(struct tables_table *table, size_t n_kept, const char *where,
                        const char *words)
{
    const struct format_finding *finding = table->findings.list;

    assert_int_equal(table->ret, 0);
    assert_false(table->snapshots.whole);
    assert_int_equal(table->snapshots.n_list, n_kept);
    assert_int_equal(table->findings.per_code[FORMAT_FINDING_SNAPSHOT_TABLE], 1);
    while (finding->code != FORMAT_FINDING_SNAPSHOT_TABLE)
        finding++;
    assert_string_equal(finding->where, where);
    assert_int_equal(finding->host_off,
                     n_kept > 0 ? TABLE + table->snapshots.table_bytes : FIELD_SNAPSHOTS_OFF);
    if (strstr(finding->message, words) == NULL)
        fail_msg("\"%s\" does not say: %s", finding->message, words);
    release(table);
}

static void assert_name(const struct format_name *name, const char *text)
{
    assert_int_equal(name->len, strlen(text));
    assert_string_equal(name->bytes, text);
}

/* ---- sound tables ---- */

static void no_snapshots(void **state)
{
    struct tables_table table = read_table(3, 0, FILE_BYTES);

    (void)state;
    assert_int_equal(table.ret, 0);
    assert_int_equal(table.snapshots.n_list, 0);
    assert_int_equal(table.findings.total, 0);
    release(&table);
}

static void one_snapshot(void **state)
{
    static const struct entry entry = {L1, 2, "1", "before update", 24, VIRTUAL / 2, 0};
    struct tables_table table = read_one(3, &entry);

    (void)state;
    assert_int_equal(table.ret, 0);
    assert_int_equal(table.findings.total, 0);
    assert_int_equal(table.snapshots.n_list, 1);
    assert_name(&table.snapshots.list[0].id, "1");
    assert_name(&table.snapshots.list[0].name, "before update");
    assert_int_equal(table.snapshots.list[0].l1_off, L1);
    assert_int_equal(table.snapshots.list[0].l1_entries, 2);
    assert_int_equal(table.snapshots.list[0].virtual_bytes, VIRTUAL / 2);
    assert_true(table.snapshots.list[0].readable);
    release(&table);
}

/* Ids and names of every length: the entry after begins at the next multiple of eight. */
static void entries_are_aligned_to_eight(void **state)
{
    enum { N = 40 };
    char ids[N][16], names[N][64];
    size_t at = TABLE;
    struct tables_table table;

    (void)state;
    memset(image, 0, sizeof(image));
    for (int i = 0; i < N; i++) {
        struct entry entry = plain;

        snprintf(ids[i], sizeof(ids[i]), "%d", i + 1);
        snprintf(names[i], sizeof(names[i]), "%.*s", i,
                 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP");
        entry.id = ids[i];
        entry.name = names[i];
        entry.extra_bytes = 16 + (uint32_t)i;
        at = put_entry(at, &entry);
    }
    table = read_table(3, N, FILE_BYTES);
    assert_int_equal(table.ret, 0);
    assert_int_equal(table.snapshots.n_list, N);
    for (int i = 0; i < N; i++) {
        assert_name(&table.snapshots.list[i].id, ids[i]);
        assert_name(&table.snapshots.list[i].name, names[i]);
        assert_int_equal(table.snapshots.list[i].virtual_bytes, VIRTUAL);
    }
    release(&table);
}

static void names_are_kept_byte_by_byte(void **state)
{
    static const struct entry entry = {L1, 2, "\x1b[2J", "%s%n\xff\n", 24, VIRTUAL, 0};
    struct tables_table table = read_one(3, &entry);

    (void)state;
    assert_int_equal(table.ret, 0);
    assert_name(&table.snapshots.list[0].id, "\x1b[2J");
    assert_name(&table.snapshots.list[0].name, "%s%n\xff\n");
    release(&table);
}

/* QEMU has 127 bytes for an id and 255 for a name; the table has room for 65,535. */
static void long_names_are_cut_and_told(void **state)
{
    static const struct {
        size_t id_len, name_len, id_kept, name_kept;
        uint64_t n_findings;
    } cases[] = {
        {127, 255, 127, 255, 0},
        {128, 255, 127, 255, 1},
        {127, 256, 127, 255, 1},
        {65535, 65535, 127, 255, 2},
    };
    static char id[65536], name[65536];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static const struct entry entry = {L1, 2, id, name, 24, VIRTUAL, 0};
        struct tables_table table;

        memset(id, 'i', 65535);
        memset(name, 'n', 65535);
        id[cases[i].id_len] = name[cases[i].name_len] = '\0';
        memset(image, 0, sizeof(image));
        put_entry(put_entry(TABLE, &entry), &other);
        table = read_table(3, 2, FILE_BYTES);
        assert_int_equal(table.ret, 0);
        assert_int_equal(table.snapshots.list[0].id.len, cases[i].id_kept);
        assert_memory_equal(table.snapshots.list[0].id.bytes, id, cases[i].id_kept);
        assert_int_equal(table.snapshots.list[0].name.len, cases[i].name_kept);
        assert_memory_equal(table.snapshots.list[0].name.bytes, name, cases[i].name_kept);
        assert_name(&table.snapshots.list[1].name, "third"); /* found behind all of it */
        assert_int_equal(table.findings.total, cases[i].n_findings);
        assert_int_equal(table.findings.per_code[FORMAT_FINDING_SNAPSHOT_NAME],
                         cases[i].n_findings);
        release(&table);
    }
}

static void the_length_of_the_table_is_told(void **state)
{
    size_t end;
    struct tables_table table;

    (void)state;
    memset(image, 0, sizeof(image));
    end = put_entry(put_entry(TABLE, &plain), &other);
    table = read_table(3, 2, FILE_BYTES);
    assert_int_equal(table.ret, 0);
    assert_int_equal(table.snapshots.table_bytes, end - TABLE);
    release(&table);
}

/* ---- the disk size in the extra data ---- */

/* Older QEMUs wrote none or only the VM state's size: the image's own size then counts. */
static void short_extra_data_has_no_disk_size(void **state)
{
    static const struct {
        uint32_t version, extra_bytes;
        uint64_t virtual_bytes;
    } cases[] = {
        {2, 0, VIRTUAL},      {2, 8, VIRTUAL},        {2, 15, VIRTUAL}, {2, 16, VIRTUAL / 4},
        {2, 24, VIRTUAL / 4}, {3, 0, VIRTUAL},        {3, 8, VIRTUAL},  {3, 15, VIRTUAL},
        {3, 16, VIRTUAL / 4}, {3, 17, VIRTUAL / 4},   {3, 1024, VIRTUAL / 4},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct entry entry = {L1, 2, "7", "name", cases[i].extra_bytes, VIRTUAL / 4, 0};
        struct tables_table table = read_one(cases[i].version, &entry);

        assert_int_equal(table.ret, 0);
        assert_int_equal(table.findings.total,
                         cases[i].version >= 3 && cases[i].extra_bytes < 16 ? 1 : 0);
        assert_int_equal(table.snapshots.list[0].virtual_bytes, cases[i].virtual_bytes);
        assert_name(&table.snapshots.list[0].id, "7");
        assert_name(&table.snapshots.list[0].name, "name");
        release(&table);
    }
}

static void a_disk_size_is_rounded_down_to_sectors(void **state)
{
    static const struct entry entry = {L1, 2, "1", "odd", 24, VIRTUAL - 1, 0};
    struct tables_table table = read_one(3, &entry);

    (void)state;
    assert_int_equal(table.snapshots.list[0].virtual_bytes, VIRTUAL - 512);
    release(&table);
}

static void an_impossible_disk_size_is_told(void **state)
{
    static const uint64_t sizes[] = {UINT64_C(1) << 63, UINT64_MAX, (UINT64_C(1) << 51) + 512};

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct entry entry = {L1, 2, "1", "huge", 24, sizes[i], 0};
        struct tables_table table = read_one(3, &entry);

        assert_int_equal(table.ret, 0);
        assert_int_equal(table.snapshots.list[0].virtual_bytes, VIRTUAL);
        assert_true(table.snapshots.list[0].readable);
        assert_int_equal(table.findings.total, 1);
        assert_int_equal(table.findings.list[0].code, FORMAT_FINDING_SNAPSHOT_SIZE);
        assert_string_equal(table.findings.list[0].where, "snapshot[0]");
        assert_non_null(strstr(table.findings.list[0].message, "disk size"));
        assert_int_equal(table.findings.list[0].host_off, TABLE + 48);
        release(&table);
    }
}

static void an_impossible_vm_state_size_is_told(void **state)
{
    static const struct entry entry = {L1, 2, "1", "huge", 24, VIRTUAL / 2, UINT64_C(1) << 63};
    struct tables_table table = read_one(3, &entry);

    (void)state;
    assert_int_equal(table.ret, 0);
    assert_int_equal(table.snapshots.list[0].virtual_bytes, VIRTUAL / 2);
    assert_int_equal(table.findings.total, 1);
    assert_int_equal(table.findings.list[0].code, FORMAT_FINDING_SNAPSHOT_SIZE);
    assert_non_null(strstr(table.findings.list[0].message, "VM state of 9223372036854775808"));
    assert_int_equal(table.findings.list[0].host_off, TABLE + 40);
    release(&table);
}

static void the_largest_disk_size_is_taken(void **state)
{
    static const struct entry entry = {L1, 2, "1", "large", 24, UINT64_C(1) << 51, 0};
    struct tables_table table = read_one(3, &entry);

    (void)state;
    assert_int_equal(table.findings.total, 0);
    assert_int_equal(table.snapshots.list[0].virtual_bytes, UINT64_C(1) << 51);
    release(&table);
}

/* ---- extra data that QEMU mends ---- */

/* The entry behind it is found, and what the finding names mends it. */
static void assert_extra(uint32_t extra_bytes, enum format_finding_code code, const char *words)
{
    struct entry entry = plain;
    struct tables_table table;

    entry.extra_bytes = extra_bytes;
    memset(image, 0, sizeof(image));
    put_entry(put_entry(TABLE, &entry), &other);
    table = read_table(3, 2, FILE_BYTES);
    assert_int_equal(table.ret, 0);
    assert_true(table.snapshots.whole);
    assert_int_equal(table.snapshots.n_list, 2);
    assert_true(table.snapshots.list[0].readable && table.snapshots.list[1].readable);
    assert_name(&table.snapshots.list[0].name, "first");
    assert_name(&table.snapshots.list[1].name, "third");
    assert_int_equal(table.findings.total, 1);
    assert_int_equal(table.findings.list[0].code, code);
    assert_string_equal(table.findings.list[0].where, "snapshot[0]");
    assert_int_equal(table.findings.list[0].host_off, TABLE);
    assert_non_null(strstr(table.findings.list[0].message, words));
    assert_non_null(strstr(table.findings.list[0].message, "`qemu-img check -r all`"));
    release(&table);
}

static void short_extra_data_is_told_in_version_3(void **state)
{
    (void)state;
    assert_extra(0, FORMAT_FINDING_SNAPSHOT_EXTRA_SHORT, "0 bytes of extra data");
    assert_extra(8, FORMAT_FINDING_SNAPSHOT_EXTRA_SHORT, "8 bytes of extra data");
    assert_extra(15, FORMAT_FINDING_SNAPSHOT_EXTRA_SHORT, "15 bytes of extra data");
}

static void long_extra_data_is_told_and_passed_over(void **state)
{
    (void)state;
    assert_extra(1025, FORMAT_FINDING_SNAPSHOT_EXTRA_LONG, "1025 bytes of extra data");
    assert_extra(70000, FORMAT_FINDING_SNAPSHOT_EXTRA_LONG, "70000 bytes of extra data");
}

/* As QEMU writes it anew: with at least 24 bytes of extra data and at most 1,024. */
static void the_length_of_an_entry_is_that_of_a_new_one(void **state)
{
    static const struct {
        uint32_t extra_bytes, entry_bytes;
    } cases[] = {{0, 72}, {24, 72}, {100, 152}, {1024, 1072}, {2000, 1072}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct entry entry = plain;
        struct tables_table table;

        entry.extra_bytes = cases[i].extra_bytes;
        table = read_one(3, &entry);
        assert_int_equal(table.snapshots.list[0].entry_bytes, cases[i].entry_bytes);
        release(&table);
    }
}

/* ---- tables that cannot be followed ---- */

static void extra_data_past_the_end_ends_the_table(void **state)
{
    struct tables_table table;

    (void)state;
    memset(image, 0, sizeof(image));
    put_be32(image + put_entry(TABLE, &plain) + 36, 0xffffffff);
    table = read_table(3, 2, FILE_BYTES);
    assert_ends(&table, 1, "snapshot[1]", "reaches past the end of the file");
}

static void a_table_that_cannot_be_there_is_left_out(void **state)
{
    static const struct {
        uint64_t off;
        const char *words;
    } cases[] = {{0, "overlaps the header"},
                 {FILE_BYTES, "lies behind the end of the file"},
                 {UINT64_C(1) << 45, "lies behind the end of the file"}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct format_header header = header_of(3, 7);
        struct io_memory memory = io_memory_of(image, sizeof(image));
        struct tables_table table = {.ret = 0};

        header.snapshots_off = cases[i].off;
        table.ret = format_snapshots_read(&memory.io, FILE_BYTES, &header, &table.snapshots,
                                          &table.findings, &table.err);
        assert_int_equal(table.snapshots.table_bytes, 0);
        assert_non_null(strstr(table.findings.list[0].message, "its 7 snapshots are left out"));
        assert_ends(&table, 0, "header", cases[i].words);
    }
}

/* Cut at each byte of the second entry: only the whole one is read. */
static void an_entry_must_end_inside_the_file(void **state)
{
    size_t second, end;

    (void)state;
    memset(image, 0, sizeof(image));
    second = put_entry(TABLE, &plain);
    put_entry(second, &plain);
    end = second + 40 + 24 + strlen("1") + strlen("first");
    for (size_t cut = second; cut <= end; cut++) {
        struct tables_table table = read_table(3, 2, cut);

        if (cut == end) {
            assert_int_equal(table.ret, 0);
            assert_int_equal(table.snapshots.n_list, 2);
            release(&table);
        } else {
            assert_int_equal(table.snapshots.table_bytes, second - TABLE);
            assert_ends(&table, 1, "snapshot[1]", "reaches past the end of the file");
        }
    }
}

/* One entry too many in the header: what follows is no entry, and its lengths run out of the file.
 */
static void noise_after_the_table_ends_it(void **state)
{
    size_t next;
    struct tables_table table;

    (void)state;
    memset(image, 0xff, sizeof(image));
    next = put_entry(TABLE, &plain);
    put_be32(image + next + 36, 24);
    put_be16(image + next + 12, 0xffff);
    put_be16(image + next + 14, 0xffff);
    table = read_table(3, 5, 3 * CLUSTER);
    assert_ends(&table, 1, "snapshot[1]", "of 5 snapshots, those from this one on");
}

/* 64 MiB is the limit: entries of 128 KiB, most of them in the part of the file that is not stored.
 */
static void the_whole_table_has_a_limit(void **state)
{
    enum { ENTRY = 40 + 16 + 65535 + 65481 }; /* 131,072: 512 of them are 64 MiB */
    const size_t limit = (size_t)FORMAT_SNAPSHOT_TABLE_BYTES_MAX;
    const size_t file_bytes = TABLE + limit + 4 * ENTRY;
    unsigned char *large = calloc(1, file_bytes);
    struct io_memory memory;

    (void)state;
    assert_non_null(large);
    assert_int_equal(ENTRY, 128 << 10);
    for (size_t i = 0; i < 513; i++) {
        unsigned char *p = large + TABLE + i * ENTRY;

        put_be16(p + 12, 65535);
        put_be16(p + 14, 65481);
        put_be32(p + 36, 16);
    }
    memory = io_memory_of(large, file_bytes);
    for (uint32_t n = 512; n <= 513; n++) {
        struct format_header header = header_of(3, n);
        struct tables_table table = {.ret = 0};

        table.ret = format_snapshots_read(&memory.io, file_bytes, &header, &table.snapshots,
                                          &table.findings, &table.err);
        if (n == 512) {
            assert_int_equal(table.ret, 0);
            release(&table);
        } else {
            assert_ends(&table, 512, "snapshot[512]", "the limit of 64 MiB");
        }
    }
    free(large);
}

/* The table of one entry of 70 bytes, with the active L1 table before, in and after it. */
static void a_table_on_the_l1_table_is_left_out(void **state)
{
    static const struct {
        uint64_t l1_off;
        uint32_t l1_entries;
        bool overlaps;
    } cases[] = {
        {TABLE, 1, true},
        {TABLE - CLUSTER, CLUSTER / 8, false},
        {TABLE - CLUSTER, CLUSTER / 8 + 1, true},
        {TABLE + CLUSTER, 1, false},
        {TABLE, 0, false},
    };

    (void)state;
    memset(image, 0, sizeof(image));
    put_entry(TABLE, &plain);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct format_header header = header_of(3, 1);
        struct io_memory memory = io_memory_of(image, sizeof(image));
        struct tables_table table = {.ret = 0};

        header.l1_off = cases[i].l1_off;
        header.l1_entries = cases[i].l1_entries;
        table.ret = format_snapshots_read(&memory.io, FILE_BYTES, &header, &table.snapshots,
                                          &table.findings, &table.err);
        assert_int_equal(table.ret, 0);
        assert_int_equal(table.findings.total, cases[i].overlaps ? 1 : 0); /* none of its entries */
        assert_int_equal(table.snapshots.table_bytes, cases[i].overlaps ? 0 : 72);
        if (cases[i].overlaps)
            assert_ends(&table, 0, "header", "overlaps the L1 table");
        else
            release(&table);
    }
}

/* ---- L1 tables of snapshots ---- */

static void an_unreadable_l1_table_leaves_its_snapshot_out(void **state)
{
    static const struct {
        uint64_t l1_off;
        uint32_t l1_entries;
        const char *words;
    } cases[] = {
        {L1 + 512, 2, "does not start at a cluster"},
        {0, 2, "overlaps the header"},
        {FILE_BYTES, 1, "past the end of the file"},
        {FILE_BYTES - CLUSTER, CLUSTER / 8 + 1, "past the end of the file"},
        {UINT64_C(1) << 45, 2, "past the end of the file"},
        {UINT64_C(0xffffffffffff0000), 8192, "past the end of the file"},
        {L1, 4194304, "past the end of the file"},
        {L1, 4194305, "more entries than the format allows"},
        {L1, 0x10000000, "more entries than the format allows"},
        {L1, 0xffffffff, "more entries than the format allows"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct entry bad = {cases[i].l1_off, cases[i].l1_entries, "2", "bad", 24, VIRTUAL, 0};
        size_t at;
        struct tables_table table;

        memset(image, 0, sizeof(image));
        at = put_entry(TABLE, &plain);
        put_entry(put_entry(at, &bad), &other);
        table = read_table(3, 3, FILE_BYTES);
        assert_int_equal(table.ret, 0);
        assert_int_equal(table.snapshots.n_list, 3);
        assert_true(table.snapshots.list[0].readable);
        assert_false(table.snapshots.list[1].readable);
        assert_true(table.snapshots.list[2].readable);
        assert_name(&table.snapshots.list[1].name, "bad");
        assert_int_equal(table.findings.total, 1);
        assert_int_equal(table.findings.list[0].code, FORMAT_FINDING_SNAPSHOT_L1);
        assert_string_equal(table.findings.list[0].where, "snapshot[1]");
        assert_int_equal(table.findings.list[0].host_off, at);
        if (strstr(table.findings.list[0].message, cases[i].words) == NULL)
            fail_msg("\"%s\" does not say: %s", table.findings.list[0].message, cases[i].words);
        assert_non_null(strstr(table.findings.list[0].message, "L1 table"));
        release(&table);
    }
}

static void an_l1_table_may_end_with_the_file(void **state)
{
    static const struct entry entry = {
        FILE_BYTES - CLUSTER, CLUSTER / 8, "1", "last", 24, VIRTUAL, 0};
    struct tables_table table = read_one(3, &entry);

    (void)state;
    assert_true(table.snapshots.list[0].readable);
    assert_int_equal(table.findings.total, 0);
    release(&table);
}

/* Then it does not matter where it is. */
static void an_l1_table_may_be_empty(void **state)
{
    static const uint64_t offs[] = {0, 1, L1, FILE_BYTES, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(offs); i++) {
        struct entry entry = {offs[i], 0, "1", "empty", 24, VIRTUAL, 0};
        struct tables_table table = read_one(3, &entry);

        assert_int_equal(table.ret, 0);
        assert_true(table.snapshots.list[0].readable);
        assert_int_equal(table.snapshots.list[0].l1_entries, 0);
        assert_int_equal(table.findings.total, 0);
        release(&table);
    }
}

/* ---- several snapshots ---- */

static void an_id_given_twice_is_told(void **state)
{
    struct entry twin = other;
    struct tables_table table;

    (void)state;
    twin.id = plain.id;
    memset(image, 0, sizeof(image));
    put_entry(put_entry(TABLE, &plain), &twin);
    table = read_table(3, 2, FILE_BYTES);
    assert_int_equal(table.ret, 0);
    assert_int_equal(table.findings.total, 1);
    assert_int_equal(table.findings.list[0].code, FORMAT_FINDING_SNAPSHOT_DUPLICATE_ID);
    assert_non_null(strstr(table.findings.list[0].message, "same id"));
    assert_true(table.snapshots.list[0].readable && table.snapshots.list[1].readable);
    release(&table);
}

static void a_name_given_twice_is_no_damage(void **state)
{
    struct entry twin = other;
    struct tables_table table;

    (void)state;
    twin.name = plain.name;
    memset(image, 0, sizeof(image));
    put_entry(put_entry(TABLE, &plain), &twin);
    table = read_table(3, 2, FILE_BYTES);
    assert_int_equal(table.ret, 0);
    assert_int_equal(table.findings.total, 0);
    release(&table);
}

/* Snapshots with the L1 tables given, in an image whose active one is the first of them. */
static struct tables_table read_places(const struct entry *entries, uint32_t n)
{
    struct format_header header = header_of(3, n - 1);
    struct io_memory memory = io_memory_of(image, sizeof(image));
    struct tables_table table = {.ret = 0};
    size_t at = TABLE;

    memset(image, 0, sizeof(image));
    header.l1_off = entries[0].l1_off;
    header.l1_entries = entries[0].l1_entries;
    for (uint32_t i = 1; i < n; i++)
        at = put_entry(at, &entries[i]);
    table.ret = format_snapshots_read(&memory.io, FILE_BYTES, &header, &table.snapshots,
                                      &table.findings, &table.err);
    assert_int_equal(table.ret, 0);
    return table;
}

static void a_shared_l1_table_is_told_and_read(void **state)
{
    static const struct entry cases[][3] = {
        /* Two snapshots share one; one shares the active one. */
        {{7 * CLUSTER, 2, "", "", 16, 0, 0},
         {L1, 2, "1", "", 24, 0, 0},
         {L1, 2, "2", "", 24, 0, 0}},
        {{L1, 2, "", "", 16, 0, 0},
         {6 * CLUSTER, 2, "1", "", 24, 0, 0},
         {L1, 2, "2", "", 24, 0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tables_table table = read_places(cases[i], 3);

        assert_int_equal(table.findings.total, 1);
        assert_int_equal(table.findings.list[0].code, FORMAT_FINDING_SNAPSHOT_L1_SHARED);
        assert_string_equal(table.findings.list[0].where, "snapshot[1]");
        assert_non_null(strstr(table.findings.list[0].message, "L1 table is also"));
        assert_true(table.snapshots.list[0].readable);
        assert_true(table.snapshots.list[1].readable);
        release(&table);
    }
}

static void an_l1_table_on_another_is_left_out(void **state)
{
    static const struct entry cases[][3] = {
        /* Over the next cluster by one entry: with a snapshot, with the active one, and back. */
        {{7 * CLUSTER, 2, "", "", 16, 0, 0},
         {L1, CLUSTER / 8 + 1, "1", "", 24, 0, 0},
         {L1 + CLUSTER, 2, "2", "", 24, 0, 0}},
        {{L1, CLUSTER / 8 + 1, "", "", 16, 0, 0},
         {7 * CLUSTER, 2, "1", "", 24, 0, 0},
         {L1 + CLUSTER, 2, "2", "", 24, 0, 0}},
        {{L1 + CLUSTER, 2, "", "", 16, 0, 0},
         {7 * CLUSTER, 2, "1", "", 24, 0, 0},
         {L1, CLUSTER / 8 + 1, "2", "", 24, 0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tables_table table = read_places(cases[i], 3);

        assert_int_equal(table.findings.total, 1);
        assert_int_equal(table.findings.list[0].code, FORMAT_FINDING_SNAPSHOT_L1);
        assert_string_equal(table.findings.list[0].where, "snapshot[1]");
        assert_non_null(strstr(table.findings.list[0].message, "L1 table overlaps"));
        assert_true(table.snapshots.list[0].readable);
        assert_false(table.snapshots.list[1].readable);
        release(&table);
    }
}

static void l1_tables_side_by_side_are_sound(void **state)
{
    static const struct entry entries[] = {
        {L1, CLUSTER / 8, "", "", 16, 0, 0},
        {L1 + 2 * CLUSTER, CLUSTER / 8, "2", "", 24, 0, 0},
        {L1 + CLUSTER, CLUSTER / 8, "1", "", 24, 0, 0},
        {L1, 0, "4", "", 24, 0, 0}, /* empty: nowhere */
    };
    struct tables_table table = read_places(entries, 4);

    (void)state;
    assert_int_equal(table.findings.total, 0);
    for (size_t i = 0; i < 3; i++)
        assert_true(table.snapshots.list[i].readable);
    release(&table);
}

/* No sound image has more than one on a table, and each has to be walked. */
static void sixteen_snapshots_may_share_one_l1_table(void **state)
{
    struct entry entries[19];
    char ids[19][4];
    struct tables_table table;

    (void)state;
    for (unsigned i = 0; i < 19; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%u", i % 100);
        entries[i] = plain;
        entries[i].id = ids[i];
    }
    entries[0] = other;
    table = read_places(entries, 19);
    for (size_t i = 0; i < 18; i++)
        assert_int_equal(table.snapshots.list[i].readable, i < 16);
    assert_int_equal(table.findings.per_code[FORMAT_FINDING_SNAPSHOT_L1_SHARED], 15);
    assert_int_equal(table.findings.per_code[FORMAT_FINDING_SNAPSHOT_L1], 2);
    release(&table);
}

/* ---- reading ---- */

static void a_failing_read_is_passed_on_wherever_it_fails(void **state)
{
    struct format_header header = header_of(3, 3);
    const uint64_t begin = 4096 - 48; /* the extra data of the first lie in two pages */
    uint64_t n = 0;

    (void)state;
    memset(image, 0, sizeof(image));
    header.snapshots_off = begin;
    put_entry(put_entry(put_entry(begin, &plain), &plain), &other);
    for (bool failed = true; failed;) {
        struct io_memory memory = io_memory_of(image, sizeof(image));
        struct tables_table table = {.ret = 0};

        memory.fail_at = ++n;
        table.ret = format_snapshots_read(&memory.io, sizeof(image), &header, &table.snapshots,
                                          &table.findings, &table.err);
        failed = table.ret < 0;
        if (failed) {
            assert_int_equal(table.ret, -EIO);
            assert_string_equal(table.err.text, IO_MEMORY_FAILS);
        }
        release(&table);
    }
    assert_int_equal(n, 3 + 1); /* either page, and what lies in both */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_snapshots),
        cmocka_unit_test(one_snapshot),
        cmocka_unit_test(entries_are_aligned_to_eight),
        cmocka_unit_test(names_are_kept_byte_by_byte),
        cmocka_unit_test(long_names_are_cut_and_told),
        cmocka_unit_test(the_length_of_the_table_is_told),
        cmocka_unit_test(short_extra_data_has_no_disk_size),
        cmocka_unit_test(a_disk_size_is_rounded_down_to_sectors),
        cmocka_unit_test(an_impossible_disk_size_is_told),
        cmocka_unit_test(an_impossible_vm_state_size_is_told),
        cmocka_unit_test(the_largest_disk_size_is_taken),
        cmocka_unit_test(short_extra_data_is_told_in_version_3),
        cmocka_unit_test(long_extra_data_is_told_and_passed_over),
        cmocka_unit_test(the_length_of_an_entry_is_that_of_a_new_one),
        cmocka_unit_test(extra_data_past_the_end_ends_the_table),
        cmocka_unit_test(a_table_that_cannot_be_there_is_left_out),
        cmocka_unit_test(an_entry_must_end_inside_the_file),
        cmocka_unit_test(noise_after_the_table_ends_it),
        cmocka_unit_test(the_whole_table_has_a_limit),
        cmocka_unit_test(a_table_on_the_l1_table_is_left_out),
        cmocka_unit_test(an_unreadable_l1_table_leaves_its_snapshot_out),
        cmocka_unit_test(an_l1_table_may_end_with_the_file),
        cmocka_unit_test(an_l1_table_may_be_empty),
        cmocka_unit_test(an_id_given_twice_is_told),
        cmocka_unit_test(a_name_given_twice_is_no_damage),
        cmocka_unit_test(a_shared_l1_table_is_told_and_read),
        cmocka_unit_test(an_l1_table_on_another_is_left_out),
        cmocka_unit_test(l1_tables_side_by_side_are_sound),
        cmocka_unit_test(sixteen_snapshots_may_share_one_l1_table),
        cmocka_unit_test(a_failing_read_is_passed_on_wherever_it_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
