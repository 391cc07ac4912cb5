// SPDX-License-Identifier: MIT
/*
 * Proves that any L2 table gives the same counts and pieces as the plain words of the definitions,
 * read one entry after the other, in whatever chunks it comes, with pieces for whatever is asked
 * for, on the way of 64 entries at a time and on the way of one.
 */
#include "dice.h"
#include "made_l2.h"

/* ---- random tables ---- */

enum style { IN_ORDER, IN_STEP, SHUFFLED, HOLE, ZEROS, PACKED, NOISE, DAMAGED, N_STYLES };

/* An entry, and, in @at, the host cluster that a sequence goes on with. */
static uint64_t random_word(const struct tables_table *table, struct dice *dice, enum style style,
                            uint32_t index, uint64_t *at)
{
    uint64_t n_host = table->entry_rules.file_bytes / table->header.cluster_bytes;
    uint64_t copied = dice_once_in(dice, 2) ? COPIED : 0;
    uint64_t own = guest_off_of(table, index);
    uint64_t host = cluster(table, 1 + dice_below(dice, n_host - 1));
    unsigned shift = 62 - (table->header.cluster_bits - 8);
    uint64_t sectors = dice_below(dice, UINT64_C(1) << (table->header.cluster_bits - 8));

    if (table->entry_rules.external_data && style != NOISE && style != DAMAGED)
        return style == HOLE ? 0 : style == ZEROS ? ZERO | own : COPIED | own;
    switch (style) {
    case IN_ORDER:
        *at = *at % (n_host - 1) + 1;
        return COPIED | cluster(table, *at);
    case IN_STEP:
        *at = *at % (n_host - 1) + 1;
        return index % 5 == 0 ? 0 : COPIED | cluster(table, *at);
    case SHUFFLED:
        return copied | host;
    case ZEROS:
        return dice_once_in(dice, 2) ? ZERO : ZERO | copied | host;
    case PACKED:
        return COMPRESSED | sectors << shift | (host + dice_below(dice, 4096));
    case NOISE:
        return dice_u64(dice);
    case DAMAGED:
        return dice_once_in(dice, 2)   ? host | UINT64_C(1) << (1 + dice_below(dice, 8))
               : dice_once_in(dice, 2) ? copied | (host + 512)
               : dice_once_in(dice, 2) ? table->entry_rules.file_bytes
                                       : COMPRESSED | COPIED | host;
    default:
        return 0;
    }
}

static uint64_t random_bitmap(struct dice *dice)
{
    uint64_t noise = dice_u64(dice), other = dice_u64(dice);

    switch (dice_below(dice, 8)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX << 32; /* all zero */
    case 2:
        return noise; /* mostly contradictory */
    case 3:
        return (noise & UINT32_MAX) | (other & ~noise) << 32;
    case 4:
        return UINT32_MAX << dice_below(dice, 32) & UINT32_MAX;
    case 5:
        return UINT32_MAX >> dice_below(dice, 32);
    default:
        return UINT32_MAX; /* all data */
    }
}

/* Stretches of one style, some of many blocks, some shorter than one. */
static void fill_at_random(struct tables_table *table, struct dice *dice, unsigned n_styles)
{
    uint64_t at = 4;

    for (uint32_t i = 0; i < table->header.l2_entries;) {
        enum style style = (enum style)dice_below(dice, n_styles);
        uint64_t len = dice_below(dice, dice_once_in(dice, 3) ? 700 : 40) + 1;

        if (dice_once_in(dice, 3)) /* go on elsewhere */
            at = dice_below(dice, 100000);
        for (uint64_t k = 0; k < len && i < table->header.l2_entries; k++, i++) {
            table->words[i] = random_word(table, dice, style, i, &at);
            if (table->header.extended_l2 && style != HOLE)
                table->bitmaps[i] =
                    style == PACKED && !dice_once_in(dice, 9) ? 0 : random_bitmap(dice);
        }
    }
}

/* The disk ends somewhere in this table, at its end, or behind it. */
static void choose_size(struct tables_table *table, struct dice *dice)
{
    uint64_t span = format_l2_span(&table->header), inside;

    table->l1_index = (uint32_t)dice_below(dice, 4);
    inside = dice_once_in(dice, 3)   ? span
             : dice_once_in(dice, 2) ? cluster(table, dice_below(dice, table->header.l2_entries))
                                     : dice_below(dice, span / 512) * 512;
    if (inside > cluster(table, 3000) && table->header.l2_entries > 8192)
        inside = cluster(table, 3000) + inside % table->header.cluster_bytes; /* to save time */
    table->virtual_bytes = table->l1_index * span + inside;
    if (inside == span && dice_once_in(dice, 2))
        table->virtual_bytes += span;
    table->slices_for_bytes = dice_once_in(dice, 2) ? UINT64_C(1) << 52 : 0;
}

static void check_against_naive(const struct tables_table *table)
{
    static const size_t chunks[] = {4096, 3 * 4096, 64 << 10, SIZE_MAX / 2};

    for (unsigned pieces = TABLES_PIECES_MAPPED; pieces <= TABLES_PIECES_DETAIL; pieces++) {
        struct outcome expected = walk_naive(table, (enum tables_pieces)pieces);

        for (size_t i = 0; i < COUNT(chunks); i++) {
            struct outcome outcome;

            if (chunks[i] != SIZE_MAX / 2 && chunks[i] >= table->header.cluster_bytes)
                continue;
            outcome = walk(table, (enum tables_pieces)pieces, chunks[i]);
            assert_same(&outcome, &expected);
            assert_int_equal(outcome.findings.total, outcome.counts.corrupt_entries);
            outcome_free(&outcome);
        }
        outcome_free(&expected);
    }
}

#define FIRST_ENCRYPTED_SEED 100

static void check_random_tables(unsigned n_rounds, unsigned n_styles, bool version_2,
                                bool external_data, bool extended_l2, uint64_t seed)
{
    bool encrypted = seed >= FIRST_ENCRYPTED_SEED;
    struct dice dice = dice_of(seed);

    for (unsigned bits = extended_l2 ? 14 : 9; bits <= 21; bits++)
        for (unsigned round = 0; round < (bits < 18 ? n_rounds : 1); round++) {
            struct tables_table table = table_of(bits, extended_l2);

            table.header.crypt = encrypted ? FORMAT_CRYPT_LUKS : FORMAT_CRYPT_NONE;
            table.entry_rules.version_2 = version_2;
            table.entry_rules.external_data = external_data;
            choose_size(&table, &dice);
            fill_at_random(&table, &dice, n_styles);
            check_against_naive(&table);
            table_free(&table);
        }
}

static void random_tables_of_data_and_holes(void **state)
{
    (void)state;
    check_random_tables(20, HOLE + 1, false, false, false, 11);
}

static void random_tables_of_all_sound_kinds(void **state)
{
    (void)state;
    check_random_tables(20, PACKED + 1, false, false, false, 12);
}

static void random_tables_with_noise_and_damage(void **state)
{
    (void)state;
    check_random_tables(20, N_STYLES, false, false, false, 13);
}

static void random_tables_of_version_2(void **state)
{
    (void)state;
    check_random_tables(5, N_STYLES, true, false, false, 14);
}

static void random_tables_of_encrypted_images(void **state)
{
    (void)state;
    check_random_tables(15, HOLE + 1, false, false, false, FIRST_ENCRYPTED_SEED);
    check_random_tables(5, N_STYLES, false, false, false, FIRST_ENCRYPTED_SEED + 1);
    check_random_tables(10, N_STYLES, false, false, true, FIRST_ENCRYPTED_SEED + 2);
}

static void random_tables_with_a_data_file(void **state)
{
    (void)state;
    check_random_tables(10, PACKED, false, true, false, 15);
    check_random_tables(5, N_STYLES, false, true, false, 16);
}

static void random_extended_tables(void **state)
{
    (void)state;
    check_random_tables(10, PACKED + 1, false, false, true, 17);
    check_random_tables(5, N_STYLES, false, false, true, 18);
    check_random_tables(5, N_STYLES, false, true, true, 19);
}

/* ---- 64 at a time, and one at a time ---- */

/*
 * A reserved bit in one entry sends its block the long way and changes nothing else: the entry is
 * read without it, and counted as corrupt.
 */
static void both_ways_give_the_same(void **state)
{
    struct dice dice = dice_of(20);

    (void)state;
    for (unsigned bits = 9; bits <= 21; bits++) {
        struct tables_table table = table_of(bits, false);
        uint64_t n_host = table.entry_rules.file_bytes / table.header.cluster_bytes, at = 4;
        uint32_t n_blocks = table.header.l2_entries / 64;
        struct outcome fast, slow;

        for (uint32_t i = 0; i < table.header.l2_entries; i++) {
            at = dice_once_in(&dice, 1 + (i / 64) % 80) ? 1 + dice_below(&dice, n_host - 1)
                                                        : at % (n_host - 1) + 1;
            table.words[i] = COPIED | cluster(&table, at);
        }
        fast = walk_whole(&table);
        assert_int_equal(fast.n_general, 0);
        for (uint32_t block = 0; block < n_blocks; block++)
            table.words[64 * block + dice_below(&dice, 64)] |= 2;
        slow = walk_whole(&table);
        assert_int_equal(slow.n_uniform, 0);
        assert_int_equal(slow.counts.corrupt_entries, n_blocks);
        slow.counts.corrupt_entries = 0;
        assert_same(&fast, &slow);
        outcome_free(&slow);
        outcome_free(&fast);
        table_free(&table);
    }
}

/* Sound bits of subclusters. */
static uint64_t sound_bitmap(struct dice *dice, uint64_t word)
{
    uint64_t alloc = dice_u64(dice) & dice_u64(dice) & UINT32_MAX;

    if (word & COMPRESSED)
        return 0;
    switch (dice_below(dice, 4)) {
    case 0:
        return word & FORMAT_ENTRY_OFFSET ? UINT32_MAX : 0;
    case 1:
        return word & FORMAT_ENTRY_OFFSET ? alloc : alloc << 32;
    case 2:
        return dice_u64(dice) << 32;
    default:
        return word & FORMAT_ENTRY_OFFSET ? alloc | (~alloc & dice_u64(dice)) << 32 : 0;
    }
}

static void fill_soundly(struct tables_table *table, struct dice *dice)
{
    uint64_t at = 4;

    for (uint32_t i = 0; i < table->header.l2_entries; i++) {
        enum style style = (enum style)dice_below(dice, dice_once_in(dice, 2) ? 1 : PACKED + 1);

        table->words[i] = random_word(table, dice, style, i, &at);
        if (table->header.extended_l2) {
            table->words[i] &= ~ZERO;
            table->bitmaps[i] = sound_bitmap(dice, table->words[i]);
        }
    }
}

/* What is damage, but changes the meaning of no entry. */
static uint64_t blemish(uint64_t word)
{
    return word & COMPRESSED ? word | COPIED : word | 2;
}

/* The same for blocks of sound entries of every kind, whole clusters or not. */
static void both_ways_give_the_same_of_every_kind(void **state)
{
    struct dice dice = dice_of(21);

    (void)state;
    for (unsigned extended = 0; extended < 2; extended++)
        for (unsigned bits = extended ? 14 : 9; bits <= 21; bits++) {
            struct tables_table table = table_of(bits, extended);
            uint32_t n_blocks = table.header.l2_entries / 64;
            struct outcome fast, slow;

            fill_soundly(&table, &dice);
            table.slices_for_bytes = bits % 2 == 0 ? UINT64_C(1) << 52 : 0;
            fast = walk_whole(&table);
            assert_int_equal(fast.counts.corrupt_entries, 0);
            assert_true(fast.n_general > 0);
            for (uint32_t block = 0; block < n_blocks; block++) {
                uint32_t odd = 64 * block + (uint32_t)dice_below(&dice, 64);

                table.words[odd] = blemish(table.words[odd]);
            }
            slow = walk_whole(&table);
            assert_int_equal(slow.counts.corrupt_entries, n_blocks);
            slow.counts.corrupt_entries = 0;
            assert_same(&fast, &slow);
            outcome_free(&slow);
            outcome_free(&fast);
            if (bits < 18)
                check_against_naive(&table);
            table_free(&table);
        }
}

/* The same table without the blemishes, against the plain words. */
static void random_tables_without_damage(void **state)
{
    struct dice dice = dice_of(22);

    (void)state;
    for (unsigned extended = 0; extended < 2; extended++)
        for (unsigned bits = extended ? 14 : 9; bits <= 17; bits++)
            for (unsigned round = 0; round < 6; round++) {
                struct tables_table table = table_of(bits, extended);

                choose_size(&table, &dice);
                fill_soundly(&table, &dice);
                check_against_naive(&table);
                table_free(&table);
            }
}

/* One odd entry, at each place of a block in the middle of a table in order. */
static void one_odd_entry_anywhere_in_a_block(void **state)
{
    static const uint64_t odd[] = {
        0, ZERO, COPIED, COMPRESSED | 0x123456, 0x7200, TIB, UINT64_C(1) << 61 | 0x5000};
    struct tables_table table = table_of(12, false);

    (void)state;
    fill_in_order(&table, 5);
    table.virtual_bytes = cluster(&table, 320);
    for (size_t k = 0; k < COUNT(odd); k++)
        for (uint32_t i = 126; i < 194; i++) {
            uint64_t before = table.words[i];

            table.words[i] = odd[k];
            check_against_naive(&table);
            table.words[i] = before;
        }
    table_free(&table);
}

/* What lies behind the end of the disk, in the same block as the last entry or not, is no piece. */
static void the_disk_ends_anywhere_in_a_block(void **state)
{
    struct tables_table table = table_of(12, false);

    (void)state;
    fill_in_order(&table, 5);
    table.words[300] = 0x7200;
    for (uint64_t end = 126; end < 194; end++)
        for (uint64_t part = 0; part < 4096; part += 1536) {
            struct outcome outcome;

            table.virtual_bytes = cluster(&table, end) + part;
            check_against_naive(&table);
            outcome = walk_whole(&table);
            assert_int_equal(outcome.n_pieces, end + (part > 0));
            assert_int_equal(outcome.counts.check_allocated, 512);
            assert_int_equal(outcome.findings.total, 0);
            outcome_free(&outcome);
        }
    table_free(&table);
}

/* The fast way must not take a cluster that begins at or behind the end of the file. */
static void the_file_ends_anywhere_in_a_block(void **state)
{
    struct tables_table table = table_of(12, false);

    (void)state;
    fill_in_order(&table, 5);
    table.virtual_bytes = cluster(&table, 256);
    for (uint64_t n = 64; n < 140; n++)
        for (int more = -1; more <= 1; more++) {
            struct outcome outcome;

            table.entry_rules.file_bytes = cluster(&table, 5 + n) + (uint64_t)(int64_t)more;
            check_against_naive(&table);
            outcome = walk_whole(&table);
            assert_int_equal(outcome.n_pieces, more > 0 ? n + 1 : n);
            outcome_free(&outcome);
        }
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_tables_of_data_and_holes),
        cmocka_unit_test(random_tables_of_all_sound_kinds),
        cmocka_unit_test(random_tables_with_noise_and_damage),
        cmocka_unit_test(random_tables_of_version_2),
        cmocka_unit_test(random_tables_of_encrypted_images),
        cmocka_unit_test(random_tables_with_a_data_file),
        cmocka_unit_test(random_extended_tables),
        cmocka_unit_test(both_ways_give_the_same),
        cmocka_unit_test(both_ways_give_the_same_of_every_kind),
        cmocka_unit_test(random_tables_without_damage),
        cmocka_unit_test(one_odd_entry_anywhere_in_a_block),
        cmocka_unit_test(the_disk_ends_anywhere_in_a_block),
        cmocka_unit_test(the_file_ends_anywhere_in_a_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
