// SPDX-License-Identifier: MIT
/*
 * Proves that 64 entries decoded at once mean what the classifier says of each; and that a block
 * with damage anywhere is never taken for a sound one.
 */
#include "block.h"

#include "dice.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define N TABLES_BLOCK_ENTRIES
#define MIB (UINT64_C(1) << 20)

static struct format_entry_rules rules_of(unsigned cluster_bits, bool extended_l2)
{
    return (struct format_entry_rules){.cluster_bits = cluster_bits,
                                       .cluster_bytes = UINT64_C(1) << cluster_bits,
                                       .file_bytes = (UINT64_C(1000) << cluster_bits) + 1536,
                                       .extended_l2 = extended_l2};
}

/* 64 entries in host byte order. */
struct entries {
    uint64_t word[N], bitmap[N];
};

static bool decode(struct tables_block *block, const struct format_entry_rules *rules,
                   const struct entries *entries)
{
    uint64_t raw[2 * N];

    for (unsigned i = 0; i < N; i++) {
        raw[rules->extended_l2 ? 2 * i : i] = htobe64(entries->word[i]);
        if (rules->extended_l2)
            raw[2 * i + 1] = htobe64(entries->bitmap[i]);
    }
    memset(block, 0xa5, sizeof(*block)); /* what was there before must not matter */
    return tables_block_decode(block, rules, raw);
}

static struct format_entry classify(const struct format_entry_rules *rules,
                                    const struct entries *entries, unsigned i)
{
    return format_entry_of(rules, entries->word[i], entries->bitmap[i], 0);
}

static bool is_sound(const struct format_entry_rules *rules, const struct entries *entries)
{
    for (unsigned i = 0; i < N; i++)
        if (classify(rules, entries, i).damage != FORMAT_SOUND)
            return false;
    return true;
}

static bool is_in(uint64_t set, unsigned i)
{
    return set >> i & 1;
}

static void check_entry(const struct tables_block *block, unsigned i, struct format_entry entry,
                        uint64_t word)
{
    bool mapped = entry.kind == FORMAT_STANDARD || entry.kind == FORMAT_COMPRESSED;

    assert_int_equal(is_in(block->standard, i), entry.kind == FORMAT_STANDARD);
    assert_int_equal(is_in(block->compressed, i), entry.kind == FORMAT_COMPRESSED);
    assert_int_equal(is_in(block->zero, i),
                     entry.kind == FORMAT_ZERO_PLAIN || entry.kind == FORMAT_ZERO_ALLOCATED);
    assert_int_equal(is_in(block->host, i),
                     entry.kind != FORMAT_COMPRESSED && (word & FORMAT_ENTRY_OFFSET) != 0);
    if (mapped || entry.kind == FORMAT_ZERO_ALLOCATED) {
        assert_int_equal(block->begin[i], entry.begin);
        assert_int_equal(block->end[i], entry.end);
    }
    if (mapped)
        assert_int_equal(block->alloc[i], entry.alloc);
}

/* Decodes, and compares. Returns whether the block was sound. */
static bool check(const struct format_entry_rules *rules, const struct entries *entries)
{
    struct tables_block block;
    bool sound = is_sound(rules, entries), decoded = decode(&block, rules, entries);

    assert_int_equal(decoded, sound && !rules->external_data);
    if (!decoded)
        return sound;
    for (unsigned i = 0; i < N; i++) {
        check_entry(&block, i, classify(rules, entries, i), entries->word[i]);
        if (i > 0)
            assert_int_equal(is_in(block.touches, i), block.begin[i] == block.end[i - 1]);
    }
    assert_false(block.touches & 1);
    return true;
}

/* ---- at random ---- */

static uint64_t random_offset(struct dice *dice, const struct format_entry_rules *rules)
{
    return (1 + dice_below(dice, 1000)) << rules->cluster_bits;
}

static uint64_t random_blob(struct dice *dice, const struct format_entry_rules *rules)
{
    unsigned shift = 62 - (rules->cluster_bits - 8);
    uint64_t sectors = dice_below(dice, UINT64_C(1) << (rules->cluster_bits - 8));

    return FORMAT_ENTRY_COMPRESSED | sectors << shift |
           (random_offset(dice, rules) - dice_below(dice, 700));
}

static void fill_sound(struct dice *dice, const struct format_entry_rules *rules,
                       struct entries *entries)
{
    for (unsigned i = 0; i < N; i++) {
        uint64_t copied = dice_once_in(dice, 2) ? FORMAT_ENTRY_COPIED : 0, word = 0, bitmap = 0;
        uint32_t alloc = (uint32_t)(dice_u64(dice) | dice_u64(dice));

        switch (dice_below(dice, 6)) {
        case 0:
            word = copied | random_offset(dice, rules);
            bitmap = UINT32_MAX;
            break;
        case 1:
            word = copied | random_offset(dice, rules);
            bitmap = (uint64_t)(~alloc & (uint32_t)dice_u64(dice)) << 32 | alloc;
            break;
        case 2:
            word = random_blob(dice, rules);
            break;
        case 3:
            word = copied | (rules->extended_l2 ? 0 : FORMAT_ENTRY_ZERO);
            bitmap = dice_u64(dice) << 32;
            break;
        case 4:
            word = random_offset(dice, rules) | FORMAT_ENTRY_ZERO;
            bitmap = dice_once_in(dice, 2) ? 0 : dice_u64(dice) << 32;
            break;
        default:
            break;
        }
        entries->word[i] = word;
        entries->bitmap[i] = rules->extended_l2 ? bitmap : 0;
    }
}

static void check_random(bool extended_l2, unsigned n_damaged, uint64_t seed)
{
    struct dice dice = dice_of(seed);
    unsigned n_sound = 0, n_unsound = 0;

    for (unsigned bits = extended_l2 ? 14 : 9; bits <= 21; bits++) {
        struct format_entry_rules rules = rules_of(bits, extended_l2);

        for (unsigned round = 0; round < 400; round++) {
            struct entries entries;

            fill_sound(&dice, &rules, &entries);
            for (unsigned k = 0; k < n_damaged; k++) { /* not every bit makes damage */
                unsigned i = (unsigned)dice_below(&dice, N);

                entries.word[i] ^= UINT64_C(1) << dice_below(&dice, 64);
                if (extended_l2 && dice_once_in(&dice, 2))
                    entries.bitmap[i] ^= UINT64_C(1) << dice_below(&dice, 64);
            }
            if (check(&rules, &entries))
                n_sound++;
            else
                n_unsound++;
        }
    }
    assert_true(n_damaged > 1 || n_sound > 100);
    assert_true(n_damaged == 0 || n_unsound > 100);
}

static void sound_blocks_mean_what_each_entry_means(void **state)
{
    (void)state;
    check_random(false, 0, 80);
    check_random(true, 0, 81);
}

static void one_damaged_entry_is_enough(void **state)
{
    (void)state;
    check_random(false, 1, 82);
    check_random(true, 1, 83);
}

static void many_changed_bits(void **state)
{
    (void)state;
    check_random(false, 3, 84);
    check_random(true, 3, 85);
}

/* ---- borders ---- */

/* In an otherwise empty block, at each place. */
static void check_word(const struct format_entry_rules *rules, uint64_t word, uint64_t bitmap,
                       bool sound)
{
    for (unsigned i = 0; i < N; i++) {
        struct entries entries = {{0}, {0}};

        entries.word[i] = word;
        entries.bitmap[i] = bitmap;
        if (check(rules, &entries) != sound)
            fail_msg("0x%016" PRIx64 " 0x%016" PRIx64 " at %u", word, bitmap, i);
    }
}

/* The file ends 1,536 bytes into cluster 1,000, which may be there in part, as may a blob. */
static void the_end_of_the_file(void **state)
{
    (void)state;
    for (unsigned bits = 12; bits <= 21; bits++) {
        struct format_entry_rules rules = rules_of(bits, false);
        uint64_t cluster = rules.cluster_bytes, end = rules.file_bytes;
        uint64_t one_sector = UINT64_C(1) << (62 - (bits - 8));
        uint64_t full = (cluster / 512 - 1) * one_sector; /* a cluster's sectors */

        check_word(&rules, 999 * cluster, 0, true);
        check_word(&rules, 1000 * cluster, 0, true);
        check_word(&rules, 1001 * cluster, 0, false);
        check_word(&rules, FORMAT_ENTRY_COMPRESSED | (end - 1), 0, true);
        check_word(&rules, FORMAT_ENTRY_COMPRESSED | end, 0, false);
        check_word(&rules, FORMAT_ENTRY_COMPRESSED | full | (end - 512), 0, true);
        check_word(&rules, FORMAT_ENTRY_COMPRESSED | (full + one_sector) | (end - 512), 0, false);
    }
}

static void blobs_in_the_header(void **state)
{
    struct format_entry_rules rules = rules_of(16, false);

    (void)state;
    check_word(&rules, FORMAT_ENTRY_COMPRESSED | 65535, 0, false);
    check_word(&rules, FORMAT_ENTRY_COMPRESSED | 65536, 0, true);
    check_word(&rules, FORMAT_ENTRY_COMPRESSED, 0, false);
}

/* With clusters of 512 bytes to 8 KiB a blob's offset has more than 56 bits of room. */
static void blobs_beyond_56_bits(void **state)
{
    (void)state;
    for (unsigned bits = 9; bits <= 13; bits++) {
        struct format_entry_rules rules = rules_of(bits, false);

        rules.file_bytes = UINT64_C(1) << 62;
        check_word(&rules, FORMAT_ENTRY_COMPRESSED | ((UINT64_C(1) << 56) - 512), 0, true);
        check_word(&rules, FORMAT_ENTRY_COMPRESSED | UINT64_C(1) << 56, 0, false);
    }
}

static void each_bit_alone(void **state)
{
    (void)state;
    for (unsigned extended = 0; extended < 2; extended++)
        for (unsigned version_2 = 0; version_2 < 2 - extended; version_2++)
            for (unsigned bit = 0; bit < 64; bit++) {
                struct format_entry_rules rules = rules_of(16, extended);
                struct entries entries = {{0}, {0}};

                rules.version_2 = version_2;
                entries.word[bit] = UINT64_C(1) << bit;
                check(&rules, &entries);
                entries.word[63 - bit] = MIB | UINT64_C(1) << bit;
                check(&rules, &entries);
                entries.bitmap[63 - bit] = extended ? UINT64_C(1) << bit : 0;
                check(&rules, &entries);
            }
}

/* There an offset of 0 can be a cluster, and every other one has a place of its own. */
static void external_data_files_are_for_the_classifier(void **state)
{
    struct format_entry_rules rules = rules_of(16, false);
    struct entries entries = {{0}, {0}};
    struct tables_block block;

    (void)state;
    rules.external_data = true;
    assert_false(decode(&block, &rules, &entries));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_blocks_mean_what_each_entry_means),
        cmocka_unit_test(one_damaged_entry_is_enough),
        cmocka_unit_test(many_changed_bits),
        cmocka_unit_test(the_end_of_the_file),
        cmocka_unit_test(blobs_in_the_header),
        cmocka_unit_test(blobs_beyond_56_bits),
        cmocka_unit_test(each_bit_alone),
        cmocka_unit_test(external_data_files_are_for_the_classifier),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
