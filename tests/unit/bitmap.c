// SPDX-License-Identifier: MIT
/* Proves which bitmap directories are sound, to the last value, and what is told of the others. */
#include "bitmap.h"

#include "finding.h"
#include "header.h"
#include "io_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define CLUSTER 512
#define DIRECTORY CLUSTER
#define N_CLUSTERS 64

/* A disk of 4 MiB: with a granularity of 512 bytes, 8192 bits, two clusters of them. */
struct disk {
    unsigned char bytes[N_CLUSTERS * CLUSTER];
    struct format_header header;
    uint64_t file_bytes;
};

struct result {
    struct format_bitmaps bitmaps;
    struct format_findings findings;
};

static struct disk *disk_new(void)
{
    struct disk *disk = calloc(1, sizeof(*disk));

    assert_non_null(disk);
    disk->header = (struct format_header){.version = 3,
                                          .cluster_bits = 9,
                                          .cluster_bytes = CLUSTER,
                                          .virtual_bytes = 4 << 20,
                                          .bitmaps_off = DIRECTORY};
    disk->file_bytes = sizeof(disk->bytes);
    return disk;
}

/* A sound entry: its table at cluster @table, for a bitmap in two clusters, with a name of 8 bytes.
 */
static unsigned char *add_entry(struct disk *disk, uint64_t table)
{
    unsigned char *at = disk->bytes + DIRECTORY + disk->header.bitmaps_bytes;

    put_be64(at, table * CLUSTER);
    put_be32(at + 8, 2);
    put_be32(at + 12, 0);
    at[16] = 1;
    at[17] = 9;
    put_be16(at + 18, 8);
    memcpy(at + 24, "a bitmap", 8);
    disk->header.bitmaps_bytes += 32;
    disk->header.n_bitmaps++;
    return at;
}

static void read_it(struct disk *disk, struct result *result)
{
    struct io_memory memory = io_memory_of(disk->bytes, sizeof(disk->bytes));
    struct err err = {0};

    memset(result, 0, sizeof(*result));
    memory.file_bytes = disk->file_bytes;
    assert_int_equal(format_bitmaps_read(&memory.io, disk->file_bytes, &disk->header,
                                         &result->bitmaps, &result->findings, &err),
                     0);
}

static void release(struct disk *disk, struct result *result)
{
    format_bitmaps_free(&result->bitmaps);
    format_findings_free(&result->findings);
    free(disk);
}

/* @n bitmaps are listed, and nothing is told. */
static void sound(struct disk *disk, size_t n)
{
    struct result result;

    read_it(disk, &result);
    assert_int_equal(result.bitmaps.n_list, n);
    assert_int_equal(result.findings.total, 0);
    release(disk, &result);
}

/* @n are listed before the one that is told, with @text. */
static void refused(struct disk *disk, size_t n, const char *where, uint64_t place,
                    const char *text)
{
    struct result result;

    read_it(disk, &result);
    assert_int_equal(result.bitmaps.n_list, n);
    assert_int_equal(result.findings.total, 1);
    assert_int_equal(result.findings.list[0].code, FORMAT_FINDING_BITMAPS);
    assert_string_equal(result.findings.list[0].where, where);
    assert_int_equal(result.findings.list[0].host_off, place);
    if (strstr(result.findings.list[0].message, text) == NULL)
        fail_msg("\"%s\" does not say: %s", result.findings.list[0].message, text);
    release(disk, &result);
}

static void refused_first(struct disk *disk, const char *text)
{
    refused(disk, 0, "bitmap[0]", DIRECTORY, text);
}

static void none_is_sound(void **state)
{
    (void)state;
    sound(disk_new(), 0);
}

static void places_and_lengths_of_tables_are_kept(void **state)
{
    struct disk *disk = disk_new();
    struct result result;

    (void)state;
    add_entry(disk, 10);
    put_be32(add_entry(disk, 12) + 8, 5);
    read_it(disk, &result);
    assert_int_equal(result.findings.total, 0);
    assert_int_equal(result.bitmaps.n_list, 2);
    assert_int_equal(result.bitmaps.list[0].table_off, 10 * CLUSTER);
    assert_int_equal(result.bitmaps.list[0].table_bytes, 16);
    assert_int_equal(result.bitmaps.list[1].table_off, 12 * CLUSTER);
    assert_int_equal(result.bitmaps.list[1].table_bytes, 40);
    release(disk, &result);
}

static void a_table_begins_at_a_cluster(void **state)
{
    struct disk *disk = disk_new();

    (void)state;
    put_be64(add_entry(disk, 10), 0);
    refused_first(disk, "does not start at a cluster");
    disk = disk_new();
    put_be64(add_entry(disk, 10), 10 * CLUSTER + 8);
    refused_first(disk, "does not start at a cluster");
}

static void a_table_has_a_possible_size(void **state)
{
    struct disk *disk = disk_new();

    (void)state;
    put_be32(add_entry(disk, 10) + 8, 0);
    refused_first(disk, "impossible size");
    disk = disk_new();
    put_be32(add_entry(disk, 10) + 8, (512u << 20) / CLUSTER + 1);
    refused_first(disk, "impossible size");
    disk = disk_new();
    put_be32(add_entry(disk, 10) + 8, (512u << 20) / CLUSTER);
    refused_first(disk, "past the end of the file");
    disk = disk_new();
    put_be32(add_entry(disk, 10) + 8, UINT32_MAX);
    refused_first(disk, "impossible size");
}

static void the_granularity_has_limits(void **state)
{
    static const struct {
        uint8_t bits;
        bool good;
    } cases[] = {{0, false}, {8, false}, {9, true}, {10, true}, {31, true}, {32, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct disk *disk = disk_new();

        add_entry(disk, 10)[17] = cases[i].bits;
        if (cases[i].good)
            sound(disk, 1);
        else
            refused_first(disk, "granularity");
    }
}

static void types_and_flags_are_known_ones(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags <= 5; flags++) {
        struct disk *disk = disk_new();

        put_be32(add_entry(disk, 10) + 12, flags);
        if (flags <= 3)
            sound(disk, 1);
        else
            refused_first(disk, "type or flags");
    }
    for (unsigned type = 0; type <= 2; type++) {
        struct disk *disk = disk_new();

        add_entry(disk, 10)[16] = (unsigned char)type;
        if (type == 1)
            sound(disk, 1);
        else
            refused_first(disk, "type or flags");
    }
}

static void names_and_extra_data_have_limits(void **state)
{
    static const uint16_t lengths[] = {0, 1023, 1024};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct disk *disk = disk_new();

        put_be16(add_entry(disk, 10) + 18, lengths[i]);
        disk->header.bitmaps_bytes = (24u + lengths[i] + 7) / 8 * 8;
        if (lengths[i] == 1023)
            sound(disk, 1);
        else
            refused_first(disk, "impossible length");
    }
    struct disk *disk = disk_new();

    put_be32(add_entry(disk, 10) + 20, 8);
    refused_first(disk, "impossible length");
}

/* One cluster of bits covers 512 * 8 sectors, 2 MiB: half the disk. */
static void a_bitmap_covers_the_disk(void **state)
{
    struct disk *disk = disk_new();

    (void)state;
    put_be32(add_entry(disk, 10) + 8, 1);
    refused_first(disk, "too short for the disk");
    disk = disk_new();
    put_be32(add_entry(disk, 10) + 8, 1);
    disk->header.virtual_bytes = 2 << 20;
    sound(disk, 1);
    disk = disk_new();
    put_be32(add_entry(disk, 10) + 8, 1);
    disk->header.virtual_bytes = (2 << 20) + 512;
    refused_first(disk, "too short for the disk");
    disk = disk_new(); /* one in use is not looked at */
    put_be32(add_entry(disk, 10) + 8, 1);
    put_be32(disk->bytes + DIRECTORY + 12, 1);
    sound(disk, 1);
}

static void a_table_lies_inside_the_file(void **state)
{
    struct disk *disk = disk_new();

    (void)state;
    add_entry(disk, N_CLUSTERS - 1);
    disk->file_bytes = (N_CLUSTERS - 1) * CLUSTER + 16;
    sound(disk, 1);
    disk = disk_new();
    add_entry(disk, N_CLUSTERS - 1);
    disk->file_bytes = (N_CLUSTERS - 1) * CLUSTER + 15;
    refused_first(disk, "past the end of the file");
}

static void tables_are_not_read_without_end(void **state)
{
    const uint32_t n_entries = FORMAT_BITMAP_TABLES_BYTES_MAX / 8;
    struct disk *disk = disk_new();

    (void)state;
    /* With clusters of 4 KiB, so that the whole would hold 32 GiB: too much for QEMU, too. In use,
     * so that the entries themselves are not looked at. */
    disk->file_bytes = UINT64_C(1) << 40;
    for (unsigned i = 0; i < 9; i++) {
        unsigned char *at = add_entry(disk, 10);

        put_be32(at + 8, n_entries / 8);
        put_be32(at + 12, 1);
    }
    refused(disk, 8, "bitmap[8]", DIRECTORY + 8 * 32, "too large together");
}

static void the_directory_is_as_long_as_its_entries(void **state)
{
    struct disk *disk = disk_new();

    (void)state;
    add_entry(disk, 10);
    disk->header.bitmaps_bytes += 8;
    refused(disk, 1, "bitmap[1]", DIRECTORY + 32, "longer than its entries");
    disk = disk_new();
    add_entry(disk, 10);
    disk->header.bitmaps_bytes -= 1;
    refused(disk, 1, "bitmap[0]", DIRECTORY, "past the end of the directory");
    disk = disk_new();
    add_entry(disk, 10);
    disk->header.bitmaps_bytes = 23;
    refused_first(disk, "ends before its entry");
    disk = disk_new();
    add_entry(disk, 10);
    disk->header.n_bitmaps = 2;
    refused(disk, 1, "bitmap[1]", DIRECTORY + 32, "ends before its entry");
    disk = disk_new();
    add_entry(disk, 10);
    disk->file_bytes = DIRECTORY + 23;
    refused_first(disk, "ends before its entry");
}

/* A name of 1 byte takes 8: the next entry is aligned. */
static void entries_are_aligned(void **state)
{
    struct disk *disk = disk_new();

    (void)state;
    put_be16(add_entry(disk, 10) + 18, 1);
    add_entry(disk, 12);
    sound(disk, 2);
}

/* ---- the entries of a table ---- */

/* What is told of one entry @raw at @index of a table that is long enough for it. */
static void entry(unsigned index, uint64_t raw, const char *text)
{
    struct disk *disk = disk_new();
    struct result result;

    put_be32(add_entry(disk, 10) + 8, index + 1 > 2 ? index + 1 : 2);
    put_be64(disk->bytes + 10 * CLUSTER + 8 * index, raw);
    read_it(disk, &result);
    assert_int_equal(result.bitmaps.n_list, 1);
    assert_int_equal(result.findings.total, text != NULL);
    if (text != NULL) {
        assert_int_equal(result.findings.list[0].code, FORMAT_FINDING_BITMAP_TABLE);
        assert_string_equal(result.findings.list[0].where, "bitmap[0] table");
        assert_int_equal(result.findings.list[0].host_off, 10 * CLUSTER + 8 * index);
        assert_non_null(strstr(result.findings.list[0].message, text));
    }
    release(disk, &result);
}

static void entries_of_tables_are_judged(void **state)
{
    (void)state;
    entry(0, 0, NULL);
    entry(0, 1, NULL); /* all ones */
    entry(0, 20 * CLUSTER, NULL);
    entry(0, 20 * CLUSTER | 1, "reserved bits");
    entry(0, 20 * CLUSTER | 2, "reserved bits");
    entry(1, 20 * CLUSTER | 0x100, "reserved bits");
    entry(1, 20 * CLUSTER | UINT64_C(1) << 56, "reserved bits");
    entry(1, 20 * CLUSTER | UINT64_C(1) << 63, "reserved bits");
    entry(1, (N_CLUSTERS - 1) * CLUSTER, NULL);
    entry(1, N_CLUSTERS * CLUSTER, "past the end of the file");
}

static void clusters_of_bits_are_aligned(void **state)
{
    struct disk *disk = disk_new();
    struct result result;

    (void)state;
    disk->header.cluster_bytes = 1024;
    disk->header.cluster_bits = 10;
    add_entry(disk, 10);
    put_be64(disk->bytes + 10 * CLUSTER, 21 * CLUSTER);
    read_it(disk, &result);
    assert_int_equal(result.findings.total, 1);
    assert_non_null(strstr(result.findings.list[0].message, "not the start of a cluster"));
    release(disk, &result);
}

/* 512 entries are read at a time. */
static void long_tables_are_read_to_their_end(void **state)
{
    (void)state;
    entry(511, 2, "reserved bits");
    entry(512, 2, "reserved bits");
    entry(1030, 2, "reserved bits");
}

static void what_is_in_use_is_not_looked_at(void **state)
{
    struct disk *disk = disk_new();

    (void)state;
    put_be32(add_entry(disk, 10) + 12, 1);
    put_be64(disk->bytes + 10 * CLUSTER, 2);
    sound(disk, 1);
}

static void many_damaged_entries_are_counted(void **state)
{
    struct disk *disk = disk_new();
    struct result result;

    (void)state;
    put_be32(add_entry(disk, 10) + 8, 300);
    for (unsigned i = 0; i < 300; i++)
        put_be64(disk->bytes + 10 * CLUSTER + 8 * i, 2);
    read_it(disk, &result);
    assert_int_equal(result.findings.total, 300);
    assert_true(result.findings.n_list < 300);
    release(disk, &result);
}

static void a_failing_disk_is_an_error(void **state)
{
    (void)state;
    for (uint64_t request = 1; request <= 2; request++) {
        struct disk *disk = disk_new();
        struct io_memory memory = io_memory_of(disk->bytes, sizeof(disk->bytes));
        struct result result = {.findings = {0}};
        struct err err = {0};

        add_entry(disk, 10);
        memory.fail_at = request;
        assert_int_equal(format_bitmaps_read(&memory.io, disk->file_bytes, &disk->header,
                                             &result.bitmaps, &result.findings, &err),
                         -EIO);
        assert_string_equal(err.text, IO_MEMORY_FAILS);
        release(disk, &result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_is_sound),
        cmocka_unit_test(places_and_lengths_of_tables_are_kept),
        cmocka_unit_test(a_table_begins_at_a_cluster),
        cmocka_unit_test(a_table_has_a_possible_size),
        cmocka_unit_test(the_granularity_has_limits),
        cmocka_unit_test(types_and_flags_are_known_ones),
        cmocka_unit_test(names_and_extra_data_have_limits),
        cmocka_unit_test(a_bitmap_covers_the_disk),
        cmocka_unit_test(a_table_lies_inside_the_file),
        cmocka_unit_test(tables_are_not_read_without_end),
        cmocka_unit_test(the_directory_is_as_long_as_its_entries),
        cmocka_unit_test(entries_are_aligned),
        cmocka_unit_test(entries_of_tables_are_judged),
        cmocka_unit_test(clusters_of_bits_are_aligned),
        cmocka_unit_test(long_tables_are_read_to_their_end),
        cmocka_unit_test(what_is_in_use_is_not_looked_at),
        cmocka_unit_test(many_damaged_entries_are_counted),
        cmocka_unit_test(a_failing_disk_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
