// SPDX-License-Identifier: MIT
/* Proves that what is encoded is decoded to the same, and what does not fit is refused. */
#include "encode.h"

#include "dice.h"
#include "refcount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void only_the_offset_of_an_entry_changes(void **state)
{
    uint64_t rest = ~FORMAT_ENTRY_OFFSET;

    (void)state;
    assert_int_equal(store_entry_at(UINT64_MAX, 0x10000), rest | 0x10000);
    assert_int_equal(store_entry_at(0x20000, 0x10000), 0x10000);
    assert_int_equal(store_entry_copied(0x20000, true), FORMAT_ENTRY_COPIED | 0x20000);
    assert_int_equal(store_entry_copied(UINT64_MAX, false), ~FORMAT_ENTRY_COPIED);
}

/* The most sectors that an entry can tell are 2^(bits - 8): two clusters. */
static void blobs_that_do_not_fit_are_refused(void **state)
{
    uint64_t entry = 0;

    (void)state;
    assert_true(store_compressed_at(9, 512, 1024, &entry));
    assert_false(store_compressed_at(9, 512, 1025, &entry));
    assert_false(store_compressed_at(9, 513, 1024, &entry));
    assert_false(store_compressed_at(9, 512, 0, &entry));
    assert_false(store_compressed_at(21, UINT64_C(1) << 49, 512, &entry));
    assert_true(store_compressed_at(21, (UINT64_C(1) << 49) - 1, 1, &entry));
    assert_false(store_compressed_at(9, UINT64_C(1) << 56, 512, &entry));
}

static void blobs_come_back_as_they_went(void **state)
{
    struct dice dice = dice_of(5);

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        unsigned bits = 9 + (unsigned)dice_below(&dice, 13);
        struct format_entry_rules rules = {.cluster_bits = bits,
                                           .cluster_bytes = UINT64_C(1) << bits,
                                           .file_bytes = UINT64_C(1) << 48};
        uint64_t begin = rules.cluster_bytes + dice_below(&dice, UINT64_C(1) << 40);
        uint64_t len = 1 + dice_below(&dice, 2 * rules.cluster_bytes - 512);
        uint64_t word = 0;
        struct format_entry entry;

        if (!store_compressed_at(bits, begin, len, &word))
            continue; /* begins so late in a sector that it needs one more */
        entry = format_entry_of(&rules, word, 0, 0);
        assert_int_equal(entry.kind, FORMAT_COMPRESSED);
        assert_int_equal(entry.damage, FORMAT_SOUND);
        assert_int_equal(entry.begin, begin);
        assert_int_equal(entry.end, (begin + len + 511) & ~UINT64_C(511));
    }
}

static void refcounts_of_every_width(void **state)
{
    struct dice dice = dice_of(6);

    (void)state;
    for (unsigned order = 0; order <= 6; order++) {
        uint16_t counts[512], decoded[512];
        unsigned char bytes[512 * 8] = {0};
        uint64_t most = order < 4 ? (UINT64_C(1) << (1u << order)) - 1 : 65534;

        for (size_t i = 0; i < 512; i++)
            counts[i] = (uint16_t)dice_below(&dice, most + 1);
        assert_true(store_refcounts(order, counts, 512, bytes));
        format_refcounts_decode(order, bytes, 0, 512, decoded);
        assert_memory_equal(counts, decoded, sizeof(counts));
    }
}

static void refcounts_that_do_not_fit_are_refused(void **state)
{
    const uint16_t counts[] = {1, 2, 4, 16, 256};
    unsigned char bytes[64] = {0};

    (void)state;
    for (unsigned order = 0; order < 4; order++) {
        assert_true(store_refcounts(order, counts, order + 1, bytes));
        memset(bytes, 0, sizeof(bytes));
        assert_false(store_refcounts(order, counts, order + 2, bytes));
        memset(bytes, 0, sizeof(bytes));
    }
    assert_true(store_refcounts(4, counts, 5, bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_offset_of_an_entry_changes),
        cmocka_unit_test(blobs_that_do_not_fit_are_refused),
        cmocka_unit_test(blobs_come_back_as_they_went),
        cmocka_unit_test(refcounts_of_every_width),
        cmocka_unit_test(refcounts_that_do_not_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
