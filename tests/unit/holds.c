// SPDX-License-Identifier: MIT
/*
 * Proves what an L2 entry holds, for entries of every kind; and that a table gives the clusters of
 * its entries one by one, however plain and odd ones are mixed.
 */
#include "holds.h"

#include "dice.h"
#include "holding.h"

#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BITS 12
#define CLUSTER (UINT64_C(1) << BITS)
#define FILE_BYTES (1000 * CLUSTER + 5)
#define COPIED FORMAT_ENTRY_COPIED
#define COMPRESSED FORMAT_ENTRY_COMPRESSED
#define SECTORS(n) ((uint64_t)((n)-1) << (62 - (BITS - 8)))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct format_entry_rules plain_rules = {
    .cluster_bits = BITS, .cluster_bytes = CLUSTER, .file_bytes = FILE_BYTES};

/* ---- one entry ---- */

struct holding_case {
    uint64_t entry, bitmap;
    bool extended, data_file, v2;
    uint64_t begin, end; /* in bytes */
    bool left_out;
};

static void entries_of_every_kind(void **state)
{
    static const struct holding_case cases[] = {
        {0, 0, false, false, false, 0, 0, false},
        {COPIED, 0, false, false, false, 0, 0, false},
        {1, 0, false, false, false, 0, 0, false}, /* zero */
        {5 * CLUSTER, 0, false, false, false, 5 * CLUSTER, 6 * CLUSTER, false},
        {COPIED | 5 * CLUSTER | 1, 0, false, false, false, 5 * CLUSTER, 6 * CLUSTER, false},
        {5 * CLUSTER | 1, 0, false, false, true, 5 * CLUSTER, 6 * CLUSTER, false},
        {5 * CLUSTER | UINT64_C(1) << 56, 0, false, false, false, 5 * CLUSTER, 6 * CLUSTER, false},
        /* damaged offsets */
        {5 * CLUSTER + 512, 0, false, false, false, 5 * CLUSTER, 6 * CLUSTER, true},
        {1000 * CLUSTER, 0, false, false, false, 1000 * CLUSTER, 1001 * CLUSTER, false},
        {1001 * CLUSTER, 0, false, false, false, 0, 0, true},
        {UINT64_C(1) << 50, 0, false, false, false, 0, 0, true},
        /* extended: by the offset alone */
        {5 * CLUSTER, 0, true, false, false, 5 * CLUSTER, 6 * CLUSTER, false},
        {5 * CLUSTER, UINT64_MAX, true, false, false, 5 * CLUSTER, 6 * CLUSTER, false},
        {5 * CLUSTER, UINT64_C(1) << 32, true, false, false, 5 * CLUSTER, 6 * CLUSTER, false},
        {0, 1, true, false, false, 0, 0, false},
        {0, UINT64_C(1) << 32, true, false, false, 0, 0, false},
        /* compressed */
        {COMPRESSED | 5 * CLUSTER, 0, false, false, false, 5 * CLUSTER, 5 * CLUSTER + 512, false},
        {COMPRESSED | SECTORS(3) | (5 * CLUSTER + 700), 0, false, false, false, 5 * CLUSTER + 700,
         5 * CLUSTER + 512 + 3 * 512, false},
        {COPIED | COMPRESSED | 5 * CLUSTER, 0, false, false, false, 5 * CLUSTER, 5 * CLUSTER + 512,
         false},
        {COMPRESSED | 100, 0, false, false, false, 0, 0, true},
        {COMPRESSED | 1002 * CLUSTER, 0, false, false, false, 0, 0, true},
        {COMPRESSED | 5 * CLUSTER, 1, true, false, false, 0, 0, true},
        /* what is in another file */
        {COPIED | 5 * CLUSTER, 0, false, true, false, 0, 0, false},
        {COMPRESSED | 5 * CLUSTER, 0, false, true, false, 0, 0, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct holding_case *c = &cases[i];
        struct format_entry_rules rules = plain_rules;
        struct format_holding holding;

        rules.extended_l2 = c->extended;
        rules.external_data = c->data_file;
        rules.version_2 = c->v2;
        holding = format_holding_of(&rules, c->entry, c->bitmap);
        if (holding.begin != c->begin || holding.end != c->end || holding.left_out != c->left_out)
            fail_msg("case %zu: 0x%" PRIx64 " to 0x%" PRIx64 ", left out %d", i, holding.begin,
                     holding.end, holding.left_out);
    }
}

static uint64_t random_entry(struct dice *dice, unsigned oddity)
{
    uint64_t plain = COPIED | (1 + dice_below(dice, 1000)) * CLUSTER;

    if (oddity == 0 || !dice_once_in(dice, oddity))
        return plain;
    switch (dice_below(dice, 8)) {
    case 0:
        return 0;
    case 1:
        return plain | 1;
    case 2: /* the longest blob there is, from anywhere */
        return COMPRESSED | SECTORS(16) | (CLUSTER + dice_below(dice, 900 * CLUSTER));
    case 3:
        return COMPRESSED | SECTORS(1 + dice_below(dice, 16)) | dice_below(dice, 1002 * CLUSTER);
    case 4:
        return plain | 512;
    case 5:
        return (1000 + dice_below(dice, 3)) * CLUSTER;
    case 6:
        return UINT64_C(1) << (9 + dice_below(dice, 55));
    default:
        return COPIED;
    }
}

/* Where an entry means something to the guest, it holds what the guest's data are read from. */
static void entries_hold_what_they_map(void **state)
{
    struct dice dice = dice_of(2);
    unsigned n_meant = 0;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        struct format_entry_rules rules = plain_rules;
        uint64_t raw = random_entry(&dice, 2), bitmap;
        struct format_holding holding;
        struct format_entry entry;
        bool none;

        rules.extended_l2 = i % 2;
        bitmap = rules.extended_l2 && !dice_once_in(&dice, 4) ? dice_u64(&dice) & UINT32_MAX : 0;
        holding = format_holding_of(&rules, raw, bitmap);
        entry = format_entry_of(&rules, raw, bitmap, 0);
        if (entry.kind == FORMAT_INVALID)
            continue;
        none = entry.kind == FORMAT_UNALLOCATED || entry.kind == FORMAT_ZERO_PLAIN;
        n_meant += !none;
        if (holding.begin != (none ? 0 : entry.begin) || holding.end != (none ? 0 : entry.end) ||
            holding.left_out)
            fail_msg("0x%" PRIx64 " 0x%" PRIx64, raw, bitmap);
    }
    assert_in_range(n_meant, 50000, 99000);
}

/* ---- a table ---- */

#define ENTRIES 512

struct list {
    size_t n;
    uint64_t clusters[4 * ENTRIES];
    uint32_t entries[4 * ENTRIES];
};

static void take(void *context, const struct space_holds_batch *batch)
{
    struct list *list = context;

    assert_in_range(batch->n, 1, SPACE_HOLDS_BATCH);
    for (size_t i = 0; i < batch->n; i++) {
        list->clusters[list->n] = batch->clusters[i];
        list->entries[list->n++] = space_holds_entry(batch, i);
    }
}

/* The same, an entry at a time. */
static uint64_t expect(const struct format_entry_rules *rules, const uint64_t *raw, size_t n,
                       uint32_t first, struct list *list)
{
    size_t words = rules->extended_l2 ? 2 : 1;
    uint64_t left_out = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t bitmap = words == 2 ? be64toh(raw[2 * i + 1]) : 0;
        struct format_holding holding = format_holding_of(rules, be64toh(raw[words * i]), bitmap);

        left_out += holding.left_out;
        for (uint64_t at = holding.begin; at < holding.end; at = (at / CLUSTER + 1) * CLUSTER) {
            list->clusters[list->n] = at / CLUSTER;
            list->entries[list->n++] = first + (uint32_t)i;
        }
    }
    return left_out;
}

static void compare(struct dice *dice, bool extended, unsigned oddity)
{
    struct format_entry_rules rules = plain_rules;
    struct list found = {0}, expected = {0};
    struct space_holds holds = {&rules, take, &found};
    uint64_t raw[2 * ENTRIES], left_out = 0;
    size_t words = extended ? 2 : 1, n = ENTRIES / words;

    rules.extended_l2 = extended;
    for (size_t i = 0; i < n; i++) {
        raw[words * i] = htobe64(random_entry(dice, i / 64 % 2 == 0 ? oddity : 0));
        if (extended)
            raw[2 * i + 1] = htobe64(dice_once_in(dice, 4) ? dice_u64(dice) : 0);
    }
    if (dice_once_in(dice, 4))
        memset(raw + 64, 0, 64 * sizeof(*raw));
    for (size_t at = 0; at < n; at += n / 2) /* in two chunks */
        left_out += space_holds_chunk(&holds, raw + words * at, words * 8 * (n / 2), (uint32_t)at);
    assert_int_equal(left_out, expect(&rules, raw, n, 0, &expected));
    assert_int_equal(found.n, expected.n);
    assert_memory_equal(found.clusters, expected.clusters, found.n * sizeof(found.clusters[0]));
    assert_memory_equal(found.entries, expected.entries, found.n * sizeof(found.entries[0]));
}

static void tables_at_random(void **state)
{
    struct dice dice = dice_of(1);

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        static const unsigned oddities[] = {0, 1, 2, 10, 100};

        compare(&dice, round % 2 == 1, oddities[round / 2 % COUNT(oddities)]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_of_every_kind),
        cmocka_unit_test(entries_hold_what_they_map),
        cmocka_unit_test(tables_at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
