// SPDX-License-Identifier: MIT
/*
 * Proves what each L1 and L2 entry means, for every combination of its flags, offsets, bitmaps and
 * reserved bits, in images of both versions, with extended L2 entries and with a data file.
 */
#include "entry.h"

#include <inttypes.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COPIED FORMAT_ENTRY_COPIED
#define COMPRESSED FORMAT_ENTRY_COMPRESSED
#define ZERO FORMAT_ENTRY_ZERO

#define CLUSTER UINT64_C(0x10000)
#define FILE_BYTES (64 * CLUSTER)
#define OWN (9 * CLUSTER)   /* guest offset of the cluster in question */
#define VALID (5 * CLUSTER) /* a host offset, not the same */
#define UNALIGNED (VALID + 512)
#define PAST_END FILE_BYTES

#define ALLOC(bits) ((uint64_t)(bits))
#define ZEROS(bits) ((uint64_t)(bits) << 32)
#define ALL UINT32_MAX

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct format_entry_rules version_3 = {
    .cluster_bits = 16, .cluster_bytes = CLUSTER, .file_bytes = FILE_BYTES};
static const struct format_entry_rules version_2 = {
    .cluster_bits = 16, .cluster_bytes = CLUSTER, .file_bytes = FILE_BYTES, .version_2 = true};
static const struct format_entry_rules extended = {
    .cluster_bits = 16, .cluster_bytes = CLUSTER, .file_bytes = FILE_BYTES, .extended_l2 = true};
static const struct format_entry_rules data_file = {
    .cluster_bits = 16, .cluster_bytes = CLUSTER, .file_bytes = FILE_BYTES, .external_data = true};
static const struct format_entry_rules extended_data_file = {.cluster_bits = 16,
                                                             .cluster_bytes = CLUSTER,
                                                             .file_bytes = FILE_BYTES,
                                                             .extended_l2 = true,
                                                             .external_data = true};

struct entry_case {
    uint64_t entry, bitmap;
    enum format_entry_kind kind;
    enum format_finding_code damage;
};

static const char *damage_name(enum format_finding_code damage)
{
    return damage == FORMAT_SOUND ? "sound" : format_finding_name(damage);
}

static void check(const struct format_entry_rules *rules, const struct entry_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct format_entry entry = format_entry_of(rules, cases[i].entry, cases[i].bitmap, OWN);

        if (entry.kind != cases[i].kind || entry.damage != cases[i].damage)
            fail_msg("entry 0x%016" PRIx64 " bitmap 0x%016" PRIx64 ": kind %d (%s), not %d (%s)",
                     cases[i].entry, cases[i].bitmap, entry.kind, damage_name(entry.damage),
                     cases[i].kind, damage_name(cases[i].damage));
    }
}

/* ---- standard entries ---- */

static void standard_entries(void **state)
{
    static const struct entry_case cases[] = {
        {0, 0, FORMAT_UNALLOCATED, FORMAT_SOUND},
        {COPIED, 0, FORMAT_UNALLOCATED, FORMAT_SOUND},
        {VALID, 0, FORMAT_STANDARD, FORMAT_SOUND},
        {COPIED | VALID, 0, FORMAT_STANDARD, FORMAT_SOUND},
        {ZERO, 0, FORMAT_ZERO_PLAIN, FORMAT_SOUND},
        {COPIED | ZERO, 0, FORMAT_ZERO_PLAIN, FORMAT_SOUND},
        {ZERO | VALID, 0, FORMAT_ZERO_ALLOCATED, FORMAT_SOUND},
        {COPIED | ZERO | VALID, 0, FORMAT_ZERO_ALLOCATED, FORMAT_SOUND},
        {UNALIGNED, 0, FORMAT_INVALID, FORMAT_FINDING_L2_UNALIGNED},
        {ZERO | UNALIGNED, 0, FORMAT_INVALID, FORMAT_FINDING_L2_UNALIGNED},
        {PAST_END, 0, FORMAT_INVALID, FORMAT_FINDING_L2_PAST_END},
        {ZERO | PAST_END, 0, FORMAT_INVALID, FORMAT_FINDING_L2_PAST_END},
        {UINT64_C(1) << 45, 0, FORMAT_INVALID, FORMAT_FINDING_L2_PAST_END},
        {FORMAT_ENTRY_OFFSET & ~(CLUSTER - 1), 0, FORMAT_INVALID, FORMAT_FINDING_L2_PAST_END},
    };

    (void)state;
    check(&version_3, cases, COUNT(cases));
}

static void version_2_has_no_zero_flag(void **state)
{
    static const struct entry_case cases[] = {
        {0, 0, FORMAT_UNALLOCATED, FORMAT_SOUND},
        {COPIED | VALID, 0, FORMAT_STANDARD, FORMAT_SOUND},
        {ZERO, 0, FORMAT_INVALID, FORMAT_FINDING_L2_ZERO_V2},
        {ZERO | VALID, 0, FORMAT_INVALID, FORMAT_FINDING_L2_ZERO_V2},
        {COPIED | ZERO | VALID, 0, FORMAT_INVALID, FORMAT_FINDING_L2_ZERO_V2},
        {ZERO | UNALIGNED, 0, FORMAT_INVALID, FORMAT_FINDING_L2_ZERO_V2}, /* one cause only */
        {COMPRESSED | VALID, 0, FORMAT_COMPRESSED, FORMAT_SOUND},
        {COMPRESSED | VALID | ZERO, 0, FORMAT_COMPRESSED, FORMAT_SOUND}, /* bit 0 of the offset */
    };

    (void)state;
    check(&version_2, cases, COUNT(cases));
}

static void a_standard_entry_tells_where_its_cluster_is(void **state)
{
    struct format_entry entry = format_entry_of(&version_3, COPIED | VALID, 0, OWN);

    (void)state;
    assert_int_equal(entry.begin, VALID);
    assert_int_equal(entry.end, VALID + CLUSTER);
    assert_int_equal(entry.alloc, ALL);
    assert_int_equal(entry.zero, 0);

    entry = format_entry_of(&version_3, ZERO | VALID, 0, OWN);
    assert_int_equal(entry.begin, VALID);
    assert_int_equal(entry.end, VALID + CLUSTER);
}

static void reserved_bits_are_told_and_ignored(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t mask = UINT64_C(1) << bit;
        bool reserved = (bit >= 1 && bit <= 8) || (bit >= 56 && bit <= 61);
        struct format_entry entry = format_entry_of(&version_3, COPIED | VALID | mask, 0, OWN);

        assert_int_equal((FORMAT_L2_RESERVED & mask) != 0, reserved);
        assert_int_equal(entry.damage == FORMAT_FINDING_L2_RESERVED, reserved);
        if (!reserved)
            continue;
        assert_int_equal(entry.kind, FORMAT_STANDARD);
        assert_int_equal(entry.begin, VALID);
    }
}

static void reserved_bits_do_not_make_a_cluster(void **state)
{
    static const struct entry_case cases[] = {
        {UINT64_C(1) << 1, 0, FORMAT_UNALLOCATED, FORMAT_FINDING_L2_RESERVED},
        {UINT64_C(1) << 56, 0, FORMAT_UNALLOCATED, FORMAT_FINDING_L2_RESERVED},
        {UINT64_C(1) << 61 | ZERO, 0, FORMAT_ZERO_PLAIN, FORMAT_FINDING_L2_RESERVED},
        {UINT64_C(1) << 8 | ZERO | VALID, 0, FORMAT_ZERO_ALLOCATED, FORMAT_FINDING_L2_RESERVED},
        /* What leaves no meaning goes before what is only odd. */
        {UINT64_C(1) << 8 | UNALIGNED, 0, FORMAT_INVALID, FORMAT_FINDING_L2_UNALIGNED},
        {UINT64_C(1) << 8 | PAST_END, 0, FORMAT_INVALID, FORMAT_FINDING_L2_PAST_END},
    };

    (void)state;
    check(&version_3, cases, COUNT(cases));
}

/* ---- external data file ---- */

static void with_a_data_file_clusters_lie_at_their_guest_offset(void **state)
{
    static const struct entry_case cases[] = {
        {0, 0, FORMAT_UNALLOCATED, FORMAT_SOUND},
        {COPIED | OWN, 0, FORMAT_STANDARD, FORMAT_SOUND},
        {OWN, 0, FORMAT_STANDARD, FORMAT_SOUND},
        {ZERO, 0, FORMAT_ZERO_PLAIN, FORMAT_SOUND},
        {COPIED | ZERO, 0, FORMAT_ZERO_PLAIN, FORMAT_SOUND},
        {ZERO | OWN, 0, FORMAT_ZERO_ALLOCATED, FORMAT_SOUND},
        {COPIED | VALID, 0, FORMAT_INVALID, FORMAT_FINDING_L2_DATA_FILE_OFFSET},
        {ZERO | VALID, 0, FORMAT_INVALID, FORMAT_FINDING_L2_DATA_FILE_OFFSET},
        {COPIED, 0, FORMAT_INVALID, FORMAT_FINDING_L2_DATA_FILE_OFFSET}, /* offset 0, not its own */
        {UNALIGNED, 0, FORMAT_INVALID, FORMAT_FINDING_L2_UNALIGNED},
        {COMPRESSED | VALID, 0, FORMAT_INVALID, FORMAT_FINDING_L2_COMPRESSED_DATA_FILE},
        {COMPRESSED | COPIED, 0, FORMAT_INVALID, FORMAT_FINDING_L2_COMPRESSED_DATA_FILE},
    };

    (void)state;
    check(&data_file, cases, COUNT(cases));
}

static void in_a_data_file_offset_0_is_a_place(void **state)
{
    struct format_entry entry = format_entry_of(&data_file, COPIED, 0, 0);

    (void)state;
    assert_int_equal(entry.kind, FORMAT_STANDARD);
    assert_int_equal(entry.damage, FORMAT_SOUND);
    assert_int_equal(entry.begin, 0);
    assert_int_equal(entry.end, CLUSTER);

    assert_int_equal(format_entry_of(&data_file, 0, 0, 0).kind, FORMAT_UNALLOCATED);
    assert_int_equal(format_entry_of(&data_file, COPIED | ZERO, 0, 0).kind, FORMAT_ZERO_PLAIN);
    assert_int_equal(format_entry_of(&version_3, COPIED, 0, 0).kind, FORMAT_UNALLOCATED);
    assert_int_equal(format_entry_of(&extended_data_file, COPIED, ALLOC(1), 0).kind,
                     FORMAT_STANDARD);
    assert_int_equal(format_entry_of(&extended_data_file, COPIED, ZEROS(1), 0).kind,
                     FORMAT_ZERO_ALLOCATED);
}

/* The length of the qcow2 file says nothing about the data file. */
static void in_a_data_file_nothing_is_past_the_end(void **state)
{
    struct format_entry entry =
        format_entry_of(&data_file, COPIED | 100 * CLUSTER, 0, 100 * CLUSTER);

    (void)state;
    assert_int_equal(entry.kind, FORMAT_STANDARD);
    assert_int_equal(entry.damage, FORMAT_SOUND);
}

/* ---- extended L2 entries ---- */

static void extended_entries(void **state)
{
    static const struct entry_case cases[] = {
        {0, 0, FORMAT_UNALLOCATED, FORMAT_SOUND},
        {COPIED | VALID, ALLOC(ALL), FORMAT_STANDARD, FORMAT_SOUND},
        {VALID, ALLOC(1), FORMAT_STANDARD, FORMAT_SOUND},
        {VALID, ALLOC(1) | ZEROS(2), FORMAT_STANDARD, FORMAT_SOUND},
        {VALID, ALLOC(0x0000ffff) | ZEROS(0xffff0000), FORMAT_STANDARD, FORMAT_SOUND},
        {VALID, ZEROS(ALL), FORMAT_ZERO_ALLOCATED, FORMAT_SOUND},
        {VALID, ZEROS(1), FORMAT_ZERO_ALLOCATED, FORMAT_SOUND},
        {0, ZEROS(1), FORMAT_ZERO_PLAIN, FORMAT_SOUND},
        {COPIED, ZEROS(ALL), FORMAT_ZERO_PLAIN, FORMAT_SOUND},
        {VALID, 0, FORMAT_RESERVED, FORMAT_SOUND},
        {COPIED | VALID, 0, FORMAT_RESERVED, FORMAT_SOUND},
        {0, ALLOC(1), FORMAT_INVALID, FORMAT_FINDING_L2_BITMAP},
        {COPIED, ALLOC(1) | ZEROS(2), FORMAT_INVALID, FORMAT_FINDING_L2_BITMAP},
        {VALID, ALLOC(1) | ZEROS(1), FORMAT_INVALID, FORMAT_FINDING_L2_BITMAP},
        {VALID, ALLOC(ALL) | ZEROS(ALL), FORMAT_INVALID, FORMAT_FINDING_L2_BITMAP},
        {0, ALLOC(1) | ZEROS(1), FORMAT_INVALID, FORMAT_FINDING_L2_BITMAP},
        {UNALIGNED, ALLOC(1), FORMAT_INVALID, FORMAT_FINDING_L2_UNALIGNED},
        {PAST_END, ALLOC(1), FORMAT_INVALID, FORMAT_FINDING_L2_PAST_END},
        {PAST_END, 0, FORMAT_INVALID, FORMAT_FINDING_L2_PAST_END},
        {UINT64_C(1) << 57 | VALID, ALLOC(1), FORMAT_STANDARD, FORMAT_FINDING_L2_RESERVED},
    };

    (void)state;
    check(&extended, cases, COUNT(cases));
}

/* The zero flag of a standard entry has no meaning here, and is no reserved bit either. */
static void extended_entries_ignore_bit_0(void **state)
{
    static const struct entry_case cases[] = {
        {ZERO, 0, FORMAT_UNALLOCATED, FORMAT_SOUND},
        {ZERO | VALID, ALLOC(1), FORMAT_STANDARD, FORMAT_SOUND},
        {ZERO | VALID, 0, FORMAT_RESERVED, FORMAT_SOUND},
        {ZERO | VALID, ZEROS(1), FORMAT_ZERO_ALLOCATED, FORMAT_SOUND},
    };

    (void)state;
    check(&extended, cases, COUNT(cases));
}

/* Each pair of subclusters, each in each of its four states. */
static void every_subcluster_bit_is_seen(void **state)
{
    (void)state;
    for (unsigned x = 0; x < 32; x++)
        for (unsigned y = 0; y < 32; y++)
            for (unsigned bits = 0; bits < 16; bits++) {
                uint32_t alloc = (uint32_t)(bits & 1) << x | (uint32_t)(bits >> 1 & 1) << y;
                uint32_t zero = (uint32_t)(bits >> 2 & 1) << x | (uint32_t)(bits >> 3 & 1) << y;
                struct format_entry entry =
                    format_entry_of(&extended, VALID, ALLOC(alloc) | ZEROS(zero), OWN);
                enum format_entry_kind expected = alloc & zero ? FORMAT_INVALID
                                                  : alloc != 0 ? FORMAT_STANDARD
                                                  : zero != 0  ? FORMAT_ZERO_ALLOCATED
                                                               : FORMAT_RESERVED;

                assert_int_equal(entry.kind, expected);
                if (expected == FORMAT_INVALID)
                    continue;
                assert_int_equal(entry.alloc, alloc);
                assert_int_equal(entry.zero, zero);
                assert_int_equal(entry.begin, VALID); /* the cluster, whichever subcluster */
                assert_int_equal(entry.end, VALID + CLUSTER);
            }
}

/* ---- compressed entries ---- */

static void compressed_entries(void **state)
{
    static const struct entry_case cases[] = {
        {COMPRESSED | VALID, 0, FORMAT_COMPRESSED, FORMAT_SOUND},
        {COMPRESSED | (VALID + 1), 0, FORMAT_COMPRESSED, FORMAT_SOUND},
        {COMPRESSED | COPIED | VALID, 0, FORMAT_COMPRESSED, FORMAT_FINDING_L2_COMPRESSED_COPIED},
        {COMPRESSED, 0, FORMAT_INVALID, FORMAT_FINDING_L2_COMPRESSED_HEADER},
        {COMPRESSED | 512, 0, FORMAT_INVALID, FORMAT_FINDING_L2_COMPRESSED_HEADER},
        {COMPRESSED | (CLUSTER - 1), 0, FORMAT_INVALID, FORMAT_FINDING_L2_COMPRESSED_HEADER},
        {COMPRESSED | CLUSTER, 0, FORMAT_COMPRESSED, FORMAT_SOUND},
        {COMPRESSED | (FILE_BYTES - 1), 0, FORMAT_COMPRESSED, FORMAT_SOUND},
        {COMPRESSED | FILE_BYTES, 0, FORMAT_INVALID, FORMAT_FINDING_L2_COMPRESSED_PAST_END},
        {COMPRESSED | COPIED | FILE_BYTES, 0, FORMAT_INVALID,
         FORMAT_FINDING_L2_COMPRESSED_PAST_END},
    };
    static const struct entry_case with_bitmap[] = {
        {COMPRESSED | VALID, 0, FORMAT_COMPRESSED, FORMAT_SOUND},
        {COMPRESSED | VALID, ALLOC(1), FORMAT_INVALID, FORMAT_FINDING_L2_COMPRESSED_BITMAP},
        {COMPRESSED | VALID, ZEROS(1), FORMAT_INVALID, FORMAT_FINDING_L2_COMPRESSED_BITMAP},
    };

    (void)state;
    check(&version_3, cases, COUNT(cases));
    check(&extended, with_bitmap, COUNT(with_bitmap));
}

/* An entry of the two fields that docs/interop/qcow2.txt defines. */
static uint64_t compressed_entry(unsigned cluster_bits, uint64_t off, uint64_t more_sectors)
{
    return COMPRESSED | more_sectors << (62 - (cluster_bits - 8)) | off;
}

static void compressed_fields_at_every_cluster_size(void **state)
{
    (void)state;
    for (unsigned bits = 9; bits <= 21; bits++) {
        uint64_t cluster_bytes = UINT64_C(1) << bits;
        unsigned off_bits = 62 - (bits - 8) < 56 ? 62 - (bits - 8) : 56;
        uint64_t most_sectors = (UINT64_C(1) << (bits - 8)) - 1;
        const uint64_t offs[] = {cluster_bytes,
                                 cluster_bytes + 1,
                                 cluster_bytes + 511,
                                 cluster_bytes + 512,
                                 UINT64_C(123456789),
                                 (UINT64_C(1) << (off_bits - 1)) + 777,
                                 (UINT64_C(1) << off_bits) - 1};
        const uint64_t sectors[] = {0, 1, most_sectors / 2, most_sectors - 1, most_sectors};
        struct format_entry_rules rules = {
            .cluster_bits = bits, .cluster_bytes = cluster_bytes, .file_bytes = UINT64_C(1) << 60};

        for (size_t i = 0; i < COUNT(offs); i++)
            for (size_t k = 0; k < COUNT(sectors); k++) {
                struct format_entry entry =
                    format_entry_of(&rules, compressed_entry(bits, offs[i], sectors[k]), 0, 0);

                assert_int_equal(entry.kind, FORMAT_COMPRESSED);
                assert_int_equal(entry.damage, FORMAT_SOUND);
                assert_int_equal(entry.begin, offs[i]);
                assert_int_equal(entry.end, offs[i] / 512 * 512 + 512 * (sectors[k] + 1));
            }
    }
}

/* The most that the field can say: twice a cluster. */
static void the_longest_blob_is_two_clusters(void **state)
{
    (void)state;
    for (unsigned bits = 9; bits <= 21; bits++) {
        uint64_t cluster_bytes = UINT64_C(1) << bits;
        struct format_entry_rules rules = {
            .cluster_bits = bits, .cluster_bytes = cluster_bytes, .file_bytes = UINT64_C(1) << 60};
        struct format_entry entry = format_entry_of(
            &rules, compressed_entry(bits, 8 * cluster_bytes, (UINT64_C(1) << (bits - 8)) - 1), 0,
            0);

        assert_int_equal(entry.end - entry.begin, 2 * cluster_bytes);
    }
}

/* For clusters of up to 8 KiB the offset field reaches past bit 55, where no offset may be. */
static void compressed_offsets_have_56_bits(void **state)
{
    (void)state;
    for (unsigned bits = 9; bits <= 13; bits++) {
        struct format_entry_rules rules = {.cluster_bits = bits,
                                           .cluster_bytes = UINT64_C(1) << bits,
                                           .file_bytes = UINT64_MAX / 2};

        for (unsigned bit = 56; bit < 62 - (bits - 8); bit++) {
            struct format_entry entry = format_entry_of(
                &rules, compressed_entry(bits, UINT64_C(1) << bit | 0x100000, 0), 0, 0);

            assert_int_equal(entry.kind, FORMAT_INVALID);
            assert_int_equal(entry.damage, FORMAT_FINDING_L2_COMPRESSED_RESERVED);
        }
    }
}

/* ---- the end of the file ---- */

static void the_last_cluster_may_be_partly_written(void **state)
{
    (void)state;
    for (unsigned bits = 9; bits <= 21; bits++) {
        uint64_t cluster_bytes = UINT64_C(1) << bits, off = 20 * cluster_bytes;
        const struct {
            uint64_t file_bytes;
            bool sound;       /* a data cluster */
            bool table_sound; /* an L2 table */
        } cases[] = {
            {off + 2 * cluster_bytes, true, true},
            {off + cluster_bytes, true, true},
            {off + cluster_bytes - 1, true, false},
            {off + 1, true, false},
            {off, false, false},
            {off - 1, false, false},
            {0, false, false},
        };

        for (size_t i = 0; i < COUNT(cases); i++) {
            struct format_entry_rules rules = {.cluster_bits = bits,
                                               .cluster_bytes = cluster_bytes,
                                               .file_bytes = cases[i].file_bytes};

            assert_int_equal(format_entry_of(&rules, off, 0, 0).kind,
                             cases[i].sound ? FORMAT_STANDARD : FORMAT_INVALID);
            assert_int_equal(format_l1_entry_of(&rules, off).damage,
                             cases[i].table_sound ? FORMAT_SOUND : FORMAT_FINDING_L1_PAST_END);
        }
    }
}

/* A blob may run over the end by less than a cluster; its begin must be inside. */
static void the_last_blob_may_be_cut_by_less_than_a_cluster(void **state)
{
    (void)state;
    for (unsigned bits = 9; bits <= 21; bits++) {
        uint64_t cluster_bytes = UINT64_C(1) << bits, off = 20 * cluster_bytes;
        uint64_t most = (UINT64_C(1) << (bits - 8)) - 1;
        uint64_t end = off + 2 * cluster_bytes; /* of a blob of two clusters */
        const struct {
            uint64_t more_sectors, file_bytes;
            bool sound;
        } cases[] = {
            {most, end, true},
            {most, end - 1, true},
            {most, end - cluster_bytes + 1, true},
            {most, end - cluster_bytes, false}, /* a whole cluster is missing */
            {most, off + 1, false},
            {0, off + 512, true},
            {0, off + 1, true},
            {0, off, false},
        };

        for (size_t i = 0; i < COUNT(cases); i++) {
            struct format_entry_rules rules = {.cluster_bits = bits,
                                               .cluster_bytes = cluster_bytes,
                                               .file_bytes = cases[i].file_bytes};
            struct format_entry entry =
                format_entry_of(&rules, compressed_entry(bits, off, cases[i].more_sectors), 0, 0);

            assert_int_equal(entry.kind, cases[i].sound ? FORMAT_COMPRESSED : FORMAT_INVALID);
            assert_int_equal(entry.damage,
                             cases[i].sound ? FORMAT_SOUND : FORMAT_FINDING_L2_COMPRESSED_PAST_END);
        }
    }
}

static void past_end_does_not_wrap_around(void **state)
{
    const struct format_entry_rules whole = {
        .cluster_bits = 16, .cluster_bytes = CLUSTER, .file_bytes = UINT64_MAX};
    const struct format_entry_rules none = {
        .cluster_bits = 16, .cluster_bytes = CLUSTER, .file_bytes = 0};

    (void)state;
    assert_false(format_past_end(&whole, UINT64_MAX - 1, UINT64_MAX));
    assert_true(format_past_end(&whole, UINT64_MAX, UINT64_MAX));
    assert_true(format_past_end(&none, 0, CLUSTER));
    assert_true(format_past_end(&none, 0, 0));
}

/* ---- every combination, against the words of the specification ---- */

/* What is true of any entry of a sound or damaged image, whatever its bits. */
static void check_promises(const struct format_entry_rules *rules, uint64_t word, uint64_t bitmap,
                           uint64_t guest_off)
{
    struct format_entry entry = format_entry_of(rules, word, bitmap, guest_off);
    bool mapped = entry.kind == FORMAT_STANDARD || entry.kind == FORMAT_COMPRESSED;
    bool places = mapped || entry.kind == FORMAT_ZERO_ALLOCATED || entry.kind == FORMAT_RESERVED;

    if (entry.kind == FORMAT_INVALID)
        assert_int_not_equal(entry.damage, FORMAT_SOUND);
    if (entry.kind == FORMAT_COMPRESSED)
        assert_true((word & COMPRESSED) && !rules->external_data);
    else if (entry.kind != FORMAT_INVALID)
        assert_false(word & COMPRESSED);
    if (entry.kind == FORMAT_RESERVED)
        assert_true(rules->extended_l2);
    if (mapped)
        assert_int_not_equal(entry.alloc, 0);
    if (rules->version_2)
        assert_false(entry.kind == FORMAT_ZERO_PLAIN || entry.kind == FORMAT_ZERO_ALLOCATED);
    if (!places)
        return;
    assert_true(entry.end > entry.begin);
    assert_int_equal(entry.alloc & entry.zero, 0);
    if (rules->external_data) {
        assert_int_equal(entry.begin, guest_off);
    } else {
        assert_true(entry.begin >= rules->cluster_bytes);
        assert_true(entry.begin < rules->file_bytes);
        assert_true(entry.end < rules->file_bytes + rules->cluster_bytes);
    }
    if (entry.kind != FORMAT_COMPRESSED) {
        assert_int_equal(entry.begin % rules->cluster_bytes, 0);
        assert_int_equal(entry.end - entry.begin, rules->cluster_bytes);
    }
}

static void every_combination_keeps_the_promises(void **state)
{
    static const uint64_t offs[] = {0,        CLUSTER,           VALID,
                                    OWN,      UNALIGNED,         FILE_BYTES - CLUSTER,
                                    PAST_END, UINT64_C(1) << 45, FORMAT_ENTRY_OFFSET};
    static const uint64_t flags[] = {0, COPIED, COMPRESSED, COPIED | COMPRESSED};
    static const uint64_t bits[] = {
        0, 1, 2, 0x100, UINT64_C(1) << 56, UINT64_C(1) << 61, 3, 0x1ff, UINT64_C(0x3f) << 56};
    static const uint64_t bitmaps[] = {0,
                                       ALLOC(1),
                                       ALLOC(ALL),
                                       ZEROS(1),
                                       ZEROS(ALL),
                                       ALLOC(1) | ZEROS(1),
                                       ALLOC(1) | ZEROS(2),
                                       UINT64_MAX,
                                       ALLOC(UINT64_C(1) << 31),
                                       ZEROS(UINT64_C(1) << 31)};

    (void)state;
    for (unsigned kind = 0; kind < 8; kind++) {
        struct format_entry_rules rules = {.cluster_bits = 16,
                                           .cluster_bytes = CLUSTER,
                                           .file_bytes = FILE_BYTES,
                                           .version_2 = kind & 1,
                                           .extended_l2 = kind & 2,
                                           .external_data = kind & 4};

        if (rules.version_2 && (rules.extended_l2 || rules.external_data))
            continue; /* features of version 3 */
        for (size_t o = 0; o < COUNT(offs); o++)
            for (size_t f = 0; f < COUNT(flags); f++)
                for (size_t b = 0; b < COUNT(bits); b++)
                    for (size_t m = 0; m < (rules.extended_l2 ? COUNT(bitmaps) : 1); m++) {
                        uint64_t word = offs[o] | flags[f] | bits[b];

                        check_promises(&rules, word, bitmaps[m], OWN);
                        check_promises(&rules, word, bitmaps[m], 0);
                    }
    }
}

/* ---- L1 entries ---- */

static void l1_entries(void **state)
{
    static const struct {
        uint64_t entry, l2_off;
        enum format_finding_code damage;
    } cases[] = {
        {0, 0, FORMAT_SOUND},
        {VALID, VALID, FORMAT_SOUND},
        {COPIED | VALID, VALID, FORMAT_SOUND},
        {COPIED, 0, FORMAT_FINDING_L1_COPIED_EMPTY},
        {COPIED | 1, 0, FORMAT_FINDING_L1_COPIED_EMPTY}, /* one cause only */
        {1, 0, FORMAT_FINDING_L1_RESERVED},
        {UINT64_C(1) << 62, 0, FORMAT_FINDING_L1_RESERVED},
        {UNALIGNED, 0, FORMAT_FINDING_L1_UNALIGNED},
        {COPIED | UNALIGNED, 0, FORMAT_FINDING_L1_UNALIGNED},
        {FILE_BYTES - CLUSTER, FILE_BYTES - CLUSTER, FORMAT_SOUND},
        {PAST_END, 0, FORMAT_FINDING_L1_PAST_END},
        {UINT64_C(1) << 50, 0, FORMAT_FINDING_L1_PAST_END},
        {FORMAT_ENTRY_OFFSET & ~(CLUSTER - 1), 0, FORMAT_FINDING_L1_PAST_END},
        {UNALIGNED | 1, 0, FORMAT_FINDING_L1_UNALIGNED},
        {PAST_END | 1, 0, FORMAT_FINDING_L1_PAST_END},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct format_l1_entry entry = format_l1_entry_of(&version_3, cases[i].entry);

        if (entry.l2_off != cases[i].l2_off || entry.damage != cases[i].damage)
            fail_msg("entry 0x%016" PRIx64 ": table at 0x%" PRIx64 " (%s)", cases[i].entry,
                     entry.l2_off, damage_name(entry.damage));
    }
}

static void l1_reserved_bits_are_told_and_ignored(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t mask = UINT64_C(1) << bit;
        bool reserved = bit <= 8 || (bit >= 56 && bit <= 62);
        struct format_l1_entry entry = format_l1_entry_of(&version_3, COPIED | VALID | mask);

        assert_int_equal(entry.damage == FORMAT_FINDING_L1_RESERVED, reserved);
        if (reserved)
            assert_int_equal(entry.l2_off, VALID);
    }
}

/* The tables of an image with a data file lie in the image itself. */
static void l1_entries_with_a_data_file_must_lie_in_the_image(void **state)
{
    (void)state;
    assert_int_equal(format_l1_entry_of(&data_file, VALID).l2_off, VALID);
    assert_int_equal(format_l1_entry_of(&data_file, PAST_END).damage, FORMAT_FINDING_L1_PAST_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_entries),
        cmocka_unit_test(version_2_has_no_zero_flag),
        cmocka_unit_test(a_standard_entry_tells_where_its_cluster_is),
        cmocka_unit_test(reserved_bits_are_told_and_ignored),
        cmocka_unit_test(reserved_bits_do_not_make_a_cluster),
        cmocka_unit_test(with_a_data_file_clusters_lie_at_their_guest_offset),
        cmocka_unit_test(in_a_data_file_offset_0_is_a_place),
        cmocka_unit_test(in_a_data_file_nothing_is_past_the_end),
        cmocka_unit_test(extended_entries),
        cmocka_unit_test(extended_entries_ignore_bit_0),
        cmocka_unit_test(every_subcluster_bit_is_seen),
        cmocka_unit_test(compressed_entries),
        cmocka_unit_test(compressed_fields_at_every_cluster_size),
        cmocka_unit_test(the_longest_blob_is_two_clusters),
        cmocka_unit_test(compressed_offsets_have_56_bits),
        cmocka_unit_test(the_last_cluster_may_be_partly_written),
        cmocka_unit_test(the_last_blob_may_be_cut_by_less_than_a_cluster),
        cmocka_unit_test(past_end_does_not_wrap_around),
        cmocka_unit_test(every_combination_keeps_the_promises),
        cmocka_unit_test(l1_entries),
        cmocka_unit_test(l1_reserved_bits_are_told_and_ignored),
        cmocka_unit_test(l1_entries_with_a_data_file_must_lie_in_the_image),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
