// SPDX-License-Identifier: MIT
/*
 * Proves that refcounts of every width are read as they stand in their blocks, wherever a reading
 * begins and ends; that what no block counts is 0; and which entries of the refcount table are not
 * believed.
 */
#include "refcount.h"

#include "dice.h"
#include "finding.h"
#include "image.h"
#include "io_memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CLUSTER_BITS 12
#define CLUSTER (UINT64_C(1) << CLUSTER_BITS)
#define STORED 40 /* clusters that are stored; the file is longer */
#define REFTABLE CLUSTER
#define L1 (2 * CLUSTER)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An image with two clusters of refcount table, an L1 table at cluster 3, and no data. */
struct fixture {
    unsigned char bytes[STORED * CLUSTER];
    unsigned order;
    uint64_t file_bytes;
    struct io_memory memory;
    struct format_image image;
    struct format_refcounts refcounts;
    struct format_findings findings;
};

static struct fixture *fixture_new(unsigned order)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    unsigned char *bytes = fixture->bytes;

    assert_non_null(fixture);
    memcpy(bytes, "QFI\xfb", 4);
    put_be32(bytes + 4, 3);
    put_be32(bytes + 20, CLUSTER_BITS);
    put_be64(bytes + 24, CLUSTER);
    put_be32(bytes + 36, 1);
    put_be64(bytes + 40, 3 * CLUSTER);
    put_be64(bytes + 48, REFTABLE);
    put_be32(bytes + 56, 2);
    put_be32(bytes + 96, order);
    put_be32(bytes + 100, 104);
    fixture->order = order;
    fixture->file_bytes = UINT64_C(1) << 40;
    return fixture;
}

static void put_entry(struct fixture *fixture, size_t index, uint64_t entry)
{
    put_be64(fixture->bytes + REFTABLE + 8 * index, entry);
}

/* Bit by bit, as the specification says it. */
static void put_count(struct fixture *fixture, uint64_t block, uint64_t index, uint64_t count)
{
    unsigned bits = 1u << fixture->order;
    unsigned char *at = fixture->bytes + block;

    for (unsigned bit = 0; bit < bits; bit++) {
        bool set = count >> bit & 1;
        uint64_t byte = bits < 8 ? index * bits / 8 : index * (bits / 8) + (bits - 1 - bit) / 8;
        unsigned shift = bits < 8 ? (unsigned)(index * bits % 8) + bit : bit % 8;

        at[byte] = (unsigned char)((at[byte] & ~(1u << shift)) | (unsigned)set << shift);
    }
}

static void fixture_open(struct fixture *fixture)
{
    struct err err = {0};

    fixture->memory = io_memory_of(fixture->bytes, sizeof(fixture->bytes));
    fixture->memory.file_bytes = fixture->file_bytes;
    if (format_image_open(&fixture->memory.io, &fixture->image, &err) < 0 ||
        format_refcounts_open(&fixture->image, &fixture->refcounts, &fixture->findings, &err) < 0)
        fail_msg("%s", err.text);
}

static void fixture_free(struct fixture *fixture)
{
    format_refcounts_close(&fixture->refcounts);
    format_findings_free(&fixture->findings);
    format_image_close(&fixture->image);
    free(fixture);
}

static uint16_t count_of(struct fixture *fixture, uint64_t cluster)
{
    struct err err = {0};
    uint16_t count = 12345;

    assert_int_equal(format_refcounts_read(&fixture->refcounts, cluster, 1, &count, &err), 0);
    return count;
}

/* ---- counts ---- */

static uint16_t expected(uint64_t count)
{
    return count < UINT16_MAX ? (uint16_t)count : UINT16_MAX;
}

/* Two blocks of random counts, the second in front of the first, and a gap between them. */
static void counts_of_a_width(unsigned order)
{
    struct fixture *fixture = fixture_new(order);
    uint64_t entries = CLUSTER * 8 >> order,
             most = order == 6 ? UINT64_MAX : (UINT64_C(1) << (1u << order)) - 1;
    uint64_t *counts = calloc(3 * entries, sizeof(*counts));
    uint16_t *read = calloc(3 * entries, sizeof(*read));
    struct dice dice = dice_of(order + 1);
    struct err err = {0};

    assert_true(counts != NULL && read != NULL);
    put_entry(fixture, 0, 20 * CLUSTER);
    put_entry(fixture, 2, 10 * CLUSTER);
    for (uint64_t i = 0; i < 3 * entries; i++) {
        uint64_t kind = dice_below(&dice, 4);

        if (i / entries == 1 || kind == 0)
            continue;
        counts[i] = kind == 1 ? 1 : kind == 2 ? most : dice_u64(&dice) & most;
        put_count(fixture, (i < entries ? 20 : 10) * CLUSTER, i % entries, counts[i]);
    }
    fixture_open(fixture);
    assert_true(fixture->refcounts.readable && fixture->refcounts.whole);
    assert_int_equal(fixture->findings.total, 0);

    assert_int_equal(format_refcounts_read(&fixture->refcounts, 0, 3 * entries, read, &err), 0);
    for (uint64_t i = 0; i < 3 * entries; i++)
        if (read[i] != expected(counts[i]))
            fail_msg("order %u: refcount %" PRIu64 " is %u, not %" PRIu64, order, i, read[i],
                     counts[i]);

    for (unsigned round = 0; round < 200; round++) { /* to and fro, over every border */
        uint64_t first = dice_below(&dice, 3 * entries),
                 n = dice_below(&dice, 3 * entries - first) + 1;

        assert_int_equal(format_refcounts_read(&fixture->refcounts, first, n, read, &err), 0);
        for (uint64_t i = 0; i < n; i++)
            assert_int_equal(read[i], expected(counts[first + i]));
    }
    free(counts);
    free(read);
    fixture_free(fixture);
}

static void counts_of_every_width(void **state)
{
    (void)state;
    for (unsigned order = 0; order <= 6; order++)
        counts_of_a_width(order);
}

static void bits_are_where_the_specification_says(void **state)
{
    const unsigned char bytes[] = {0xe4, 0x1b, 0x80, 0x01, 0x00, 0x01, 0x00, 0x00,
                                   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02};
    uint16_t counts[16];

    (void)state;
    format_refcounts_decode(0, bytes, 0, 16, counts); /* the lowest bit comes first */
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(counts[i], (0x1be4u >> i) & 1);
    format_refcounts_decode(1, bytes, 0, 8, counts);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(counts[i], ((const uint16_t[]){0, 1, 2, 3, 3, 2, 1, 0})[i]);
    format_refcounts_decode(2, bytes, 2, 2, counts);
    assert_int_equal(counts[0], 0xb);
    assert_int_equal(counts[1], 0x1);
    format_refcounts_decode(3, bytes, 1, 1, counts);
    assert_int_equal(counts[0], 0x1b);
    format_refcounts_decode(4, bytes, 1, 1, counts);
    assert_int_equal(counts[0], 0x8001);
    format_refcounts_decode(5, bytes, 1, 1, counts);
    assert_int_equal(counts[0], UINT16_MAX); /* 65536 */
    format_refcounts_decode(6, bytes, 1, 1, counts);
    assert_int_equal(counts[0], 0x102);
}

static void what_no_block_counts_is_zero(void **state)
{
    struct fixture *fixture = fixture_new(4);

    (void)state;
    put_entry(fixture, 3, 20 * CLUSTER);
    put_count(fixture, 20 * CLUSTER, 0, 7);
    fixture_open(fixture);
    assert_int_equal(count_of(fixture, 0), 0);
    assert_int_equal(count_of(fixture, 3 * 2048), 7);
    assert_int_equal(count_of(fixture, 3 * 2048 + 1), 0);
    assert_int_equal(count_of(fixture, 4 * 2048), 0);
    assert_int_equal(count_of(fixture, UINT64_C(1) << 50), 0); /* behind the table */
    assert_int_equal(format_refcounts_next(&fixture->refcounts, 0), 3 * 2048);
    assert_int_equal(format_refcounts_next(&fixture->refcounts, 3 * 2048 + 5), 3 * 2048 + 5);
    assert_true(format_refcounts_next(&fixture->refcounts, 4 * 2048) == UINT64_MAX);
    fixture_free(fixture);
}

/* The table has 1,024 entries; what lies behind it is the L1 table. */
static void what_lies_behind_the_table_is_no_entry(void **state)
{
    struct fixture *fixture = fixture_new(4);

    (void)state;
    put_entry(fixture, 1023, 20 * CLUSTER);
    put_entry(fixture, 1024, 21 * CLUSTER);
    put_count(fixture, 20 * CLUSTER, 0, 7);
    put_count(fixture, 21 * CLUSTER, 0, 9);
    fixture_open(fixture);
    assert_int_equal(count_of(fixture, 1023 * 2048), 7);
    assert_int_equal(count_of(fixture, 1024 * 2048), 0);
    fixture_free(fixture);
}

static void a_block_that_the_file_ends_in_reads_as_zeros(void **state)
{
    struct fixture *fixture = fixture_new(4);

    (void)state;
    put_entry(fixture, 0, 39 * CLUSTER);
    put_count(fixture, 39 * CLUSTER, 0, 7);
    put_count(fixture, 39 * CLUSTER, 300, 9);
    fixture->file_bytes = 39 * CLUSTER + 512; /* 256 counts */
    fixture_open(fixture);
    assert_true(fixture->refcounts.whole);
    assert_int_equal(count_of(fixture, 0), 7);
    assert_int_equal(count_of(fixture, 300), 0);
    fixture_free(fixture);
}

static void holes_are_read_once(void **state)
{
    struct fixture *fixture = fixture_new(4);
    uint16_t *counts = calloc(600 * 2048, sizeof(*counts));
    struct err err = {0};
    uint64_t before;

    (void)state;
    assert_non_null(counts);
    for (size_t i = 0; i < 600; i++) /* in the part of the file that is not stored */
        put_entry(fixture, i, (1000 + i) * CLUSTER);
    fixture_open(fixture);
    before = fixture->memory.n_requests;
    assert_int_equal(format_refcounts_read(&fixture->refcounts, 0, 600 * 2048, counts, &err), 0);
    for (size_t i = 0; i < 600 * 2048; i++)
        assert_int_equal(counts[i], 0);
    assert_in_range(fixture->memory.n_requests - before, 1, 64); /* one batch */
    free(counts);
    fixture_free(fixture);
}

static void places_of_counts(void **state)
{
    (void)state;
    for (unsigned order = 0; order <= 6; order++) {
        struct fixture *fixture = fixture_new(order);
        uint64_t entries = CLUSTER * 8 >> order, off = 0;

        put_entry(fixture, 1, 20 * CLUSTER);
        fixture_open(fixture);
        assert_false(format_refcounts_place(&fixture->refcounts, 5, &off));
        assert_true(format_refcounts_place(&fixture->refcounts, entries + 17, &off));
        assert_int_equal(off, 20 * CLUSTER + (17u << order) / 8);
        fixture_free(fixture);
    }
}

static void a_failing_disk_is_an_error(void **state)
{
    struct fixture *fixture = fixture_new(4);
    struct err err = {0};
    uint16_t count;

    (void)state;
    put_entry(fixture, 0, 20 * CLUSTER);
    put_count(fixture, 20 * CLUSTER, 0, 7);
    fixture_open(fixture);
    fixture->memory.fail_at = fixture->memory.n_requests + 1;
    assert_int_equal(format_refcounts_read(&fixture->refcounts, 0, 1, &count, &err), -EIO);
    assert_string_equal(err.text, IO_MEMORY_FAILS);
    assert_int_equal(count_of(fixture, 0), 7); /* nothing of the failure stays */
    fixture_free(fixture);
}

/* ---- the table ---- */

struct entry_case {
    size_t index;
    uint64_t entry;
    enum format_finding_code code; /* or FORMAT_SOUND */
    bool whole;
};

static void entries_that_are_not_believed(void **state)
{
    static const struct entry_case cases[] = {
        {0, 20 * CLUSTER, FORMAT_SOUND, true},
        {1, 20 * CLUSTER + 512, FORMAT_FINDING_REFBLOCK_UNALIGNED, false},
        {1, 20 * CLUSTER + 513, FORMAT_FINDING_REFBLOCK_UNALIGNED, false},
        {1, UINT64_C(1) << 40, FORMAT_FINDING_REFBLOCK_PAST_END, false},
        {1, UINT64_C(1) << 63, FORMAT_FINDING_REFBLOCK_PAST_END, false},
        {1, (UINT64_C(1) << 40) - CLUSTER, FORMAT_SOUND, true},
        {1, 20 * CLUSTER + 1, FORMAT_FINDING_REFBLOCK_RESERVED, true},
        {1, 511, FORMAT_FINDING_REFBLOCK_RESERVED, true},
        {1, 3 * CLUSTER, FORMAT_FINDING_REFBLOCK_OVERLAP, false}, /* the L1 table */
        {1, REFTABLE, FORMAT_FINDING_REFBLOCK_OVERLAP, false},
        {1, REFTABLE + CLUSTER, FORMAT_FINDING_REFBLOCK_OVERLAP, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct entry_case *c = &cases[i];
        struct fixture *fixture = fixture_new(4);

        put_entry(fixture, c->index, c->entry);
        fixture_open(fixture);
        assert_true(fixture->refcounts.readable);
        assert_int_equal(fixture->refcounts.whole, c->whole);
        assert_int_equal(fixture->findings.total, c->code != FORMAT_SOUND);
        if (c->code != FORMAT_SOUND) {
            assert_int_equal(fixture->findings.list[0].code, c->code);
            assert_string_equal(fixture->findings.list[0].where, "reftable[1]");
            assert_int_equal(fixture->findings.list[0].host_off, REFTABLE + 8);
        }
        if (!c->whole)
            assert_int_equal(count_of(fixture, 2048), 0);
        fixture_free(fixture);
    }
}

static void an_entry_beyond_the_file_does_no_harm(void **state)
{
    struct fixture *fixture = fixture_new(4);

    (void)state;
    fixture->file_bytes = sizeof(fixture->bytes);
    put_entry(fixture, 0, 20 * CLUSTER);
    put_entry(fixture, 1, 512);
    fixture_open(fixture);
    assert_true(fixture->refcounts.whole);
    assert_int_equal(fixture->findings.per_code[FORMAT_FINDING_REFBLOCK_UNALIGNED], 1);
    fixture_free(fixture);
}

static void the_first_block_can_be_named_twice_too(void **state)
{
    struct fixture *fixture = fixture_new(4);

    (void)state;
    put_entry(fixture, 0, 20 * CLUSTER);
    put_entry(fixture, 1, 20 * CLUSTER);
    put_count(fixture, 20 * CLUSTER, 1, 4);
    fixture_open(fixture);
    assert_false(fixture->refcounts.whole);
    assert_int_equal(fixture->findings.total, 1);
    assert_int_equal(count_of(fixture, 1), 0);
    assert_int_equal(count_of(fixture, 2049), 0);
    fixture_free(fixture);
}

static void a_block_named_twice_counts_for_none(void **state)
{
    struct fixture *fixture = fixture_new(4);

    (void)state;
    put_entry(fixture, 0, 30 * CLUSTER);
    put_entry(fixture, 1, 20 * CLUSTER);
    put_entry(fixture, 2, 20 * CLUSTER);
    put_entry(fixture, 5, 20 * CLUSTER);
    put_count(fixture, 30 * CLUSTER, 1, 3);
    put_count(fixture, 20 * CLUSTER, 1, 4);
    fixture_open(fixture);
    assert_false(fixture->refcounts.whole);
    assert_int_equal(fixture->findings.total, 2);
    assert_string_equal(fixture->findings.list[0].where, "reftable[2]");
    assert_string_equal(fixture->findings.list[1].where, "reftable[5]");
    assert_int_equal(count_of(fixture, 1), 3);
    assert_int_equal(count_of(fixture, 2049), 0);
    assert_int_equal(count_of(fixture, 2 * 2048 + 1), 0);
    fixture_free(fixture);
}

static void a_table_on_other_metadata_is_not_read(void **state)
{
    struct fixture *fixture = fixture_new(4);

    (void)state;
    put_be32(fixture->bytes + 56, 3); /* three clusters: over the L1 table */
    put_entry(fixture, 0, 20 * CLUSTER);
    put_count(fixture, 20 * CLUSTER, 1, 3);
    fixture_open(fixture);
    assert_false(fixture->refcounts.readable);
    assert_false(fixture->refcounts.whole);
    assert_int_equal(fixture->findings.total, 1);
    assert_int_equal(fixture->findings.list[0].code, FORMAT_FINDING_REFTABLE_OVERLAP);
    assert_int_equal(count_of(fixture, 1), 0);
    fixture_free(fixture);
}

static void a_missing_table_is_told_with_the_header_alone(void **state)
{
    static const struct {
        uint64_t off;
        uint32_t n_clusters;
    } cases[] = {{REFTABLE, 0}, {0, 1}, {UINT64_C(1) << 41, 1}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture *fixture = fixture_new(4);

        put_be64(fixture->bytes + 48, cases[i].off);
        put_be32(fixture->bytes + 56, cases[i].n_clusters);
        fixture_open(fixture);
        assert_false(fixture->refcounts.readable);
        assert_int_equal(fixture->findings.total, 0);
        assert_int_equal(fixture->image.findings.total, 1);
        assert_int_equal(count_of(fixture, 0), 0);
        fixture_free(fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_of_every_width),
        cmocka_unit_test(bits_are_where_the_specification_says),
        cmocka_unit_test(what_no_block_counts_is_zero),
        cmocka_unit_test(what_lies_behind_the_table_is_no_entry),
        cmocka_unit_test(a_block_that_the_file_ends_in_reads_as_zeros),
        cmocka_unit_test(holes_are_read_once),
        cmocka_unit_test(places_of_counts),
        cmocka_unit_test(a_failing_disk_is_an_error),
        cmocka_unit_test(entries_that_are_not_believed),
        cmocka_unit_test(an_entry_beyond_the_file_does_no_harm),
        cmocka_unit_test(the_first_block_can_be_named_twice_too),
        cmocka_unit_test(a_block_named_twice_counts_for_none),
        cmocka_unit_test(a_table_on_other_metadata_is_not_read),
        cmocka_unit_test(a_missing_table_is_told_with_the_header_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
