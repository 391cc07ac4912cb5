// SPDX-License-Identifier: MIT
/* L2 tables by hand: what they are read as, in which slices and pieces, and what is told of damage.
 */
#include "made_l2.h"

/* ---- slices and sizes ---- */

static void slices_shrink_when_the_cache_does_not_cover_the_disk(void **state)
{
    static const struct {
        unsigned cluster_bits;
        bool extended_l2;
        uint64_t virtual_bytes;
        uint32_t slice_bytes;
    } cases[] = {
        {16, false, 1, 65536},
        {16, false, 256 * GIB, 65536}, /* 4 Mi entries of 8 bytes: just 32 MiB */
        {16, false, 256 * GIB + 512, 4096},
        {16, true, 128 * GIB, 65536},
        {16, true, 128 * GIB + 512, 4096},
        {9, false, 2 * GIB, 512},
        {9, false, 2 * GIB + 512, 512}, /* never more than a cluster */
        {11, false, 100 * GIB, 2048},
        {12, false, 100 * GIB, 4096},
        {13, false, 32 * GIB, 8192},
        {13, false, 32 * GIB + 512, 4096},
        {21, false, 8 * TIB, 2 << 20},
        {21, false, 8 * TIB + 512, 4096},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tables_table table = table_of(cases[i].cluster_bits, cases[i].extended_l2);
        struct tables_l2_rules rules;

        assert_int_equal(tables_l2_slice_bytes(&table.header, cases[i].virtual_bytes),
                         cases[i].slice_bytes);
        rules = tables_l2_rules_of(&table.header, &table.entry_rules, cases[i].virtual_bytes, TABLES_PIECES_DETAIL);
        assert_int_equal(rules.slice_entries,
                         cases[i].slice_bytes / (cases[i].extended_l2 ? 16 : 8));
        assert_int_equal(rules.entries, table.header.l2_entries);
        assert_int_equal(rules.entry_bytes, cases[i].extended_l2 ? 16 : 8);
        assert_int_equal(rules.pieces, TABLES_PIECES_DETAIL);
        table_free(&table);
    }
}

static void clusters_and_cache_are_rounded_up(void **state)
{
    struct tables_table table = table_of(16, false), extended = table_of(16, true);

    (void)state;
    assert_int_equal(tables_l2_clusters(&table.header, 0), 0);
    assert_int_equal(tables_l2_clusters(&table.header, 512), 1);
    assert_int_equal(tables_l2_clusters(&table.header, 65536), 1);
    assert_int_equal(tables_l2_clusters(&table.header, 65536 + 512), 2);
    assert_int_equal(tables_l2_cache_bytes(&table.header, 0), 0);
    assert_int_equal(tables_l2_cache_bytes(&table.header, 512), 65536);
    assert_int_equal(tables_l2_cache_bytes(&table.header, 512 * MIB), 65536);
    assert_int_equal(tables_l2_cache_bytes(&table.header, 512 * MIB + 512), 2 * 65536);
    assert_int_equal(tables_l2_cache_bytes(&extended.header, 512 * MIB), 2 * 65536);
    assert_int_equal(tables_l2_cache_bytes(&table.header, UINT64_C(1) << 61), UINT64_C(1) << 48);
    table_free(&extended);
    table_free(&table);
}

/* ---- by hand ---- */

static void an_empty_table_gives_nothing(void **state)
{
    struct tables_table table = table_of(16, false);
    struct outcome outcome = walk_whole(&table);
    const struct piece_counts none = {0};

    (void)state;
    assert_same_counts(&outcome.counts, &none);
    assert_int_equal(outcome.n_pieces, 0);
    outcome_free(&outcome);
    table_free(&table);
}

static void a_table_in_order_is_one_read_a_mebibyte(void **state)
{
    struct tables_table table = table_of(16, false);
    struct outcome outcome;

    (void)state;
    fill_in_order(&table, 5);
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.mapped_clusters, 8192);
    assert_int_equal(outcome.counts.mapped_bytes, 512 * MIB);
    assert_int_equal(outcome.counts.reads, 512);
    assert_int_equal(outcome.counts.reads_unbroken, 512);
    assert_int_equal(outcome.counts.check_allocated, 8192);
    assert_int_equal(outcome.counts.check_fragmented, 0);
    assert_int_equal(outcome.n_pieces, 8192);
    assert_int_equal(outcome.n_uniform, 8192 / PIECE_BATCH_MAX);
    assert_int_equal(outcome.n_general, 0);
    outcome_free(&outcome);
    table_free(&table);
}

static void a_reversed_table_is_one_read_a_cluster(void **state)
{
    struct tables_table table = table_of(16, false);
    struct outcome outcome;

    (void)state;
    for (uint32_t i = 0; i < 8192; i++)
        table.words[i] = COPIED | cluster(&table, 9000 - i);
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.reads, 8192);
    assert_int_equal(outcome.counts.reads_unbroken, 512);
    assert_int_equal(outcome.counts.check_fragmented, 8191);
    outcome_free(&outcome);
    table_free(&table);
}

/* A request of 1 MiB begins in the middle of each. */
static void a_cluster_of_2_mib_is_two_reads(void **state)
{
    struct tables_table table = table_of(21, false);
    struct outcome outcome;

    (void)state;
    table.virtual_bytes = cluster(&table, 200);
    for (uint32_t i = 0; i < 200; i++)
        table.words[i] = COPIED | cluster(&table, 1000 - i);
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.mapped_clusters, 200);
    assert_int_equal(outcome.counts.reads, 400);
    assert_int_equal(outcome.counts.reads_unbroken, 400);
    assert_true(outcome.n_uniform > 0 && outcome.n_general > 0); /* 3 blocks of 64, and a rest */
    outcome_free(&outcome);
    table_free(&table);
}

/* 32 clusters of 4 KiB at a time, from where each read begins; of 32 KiB a whole request. */
static void encrypted_clusters_are_read_32_at_a_time(void **state)
{
    static const struct {
        unsigned cluster_bits;
        uint32_t first, jump; /* entry; there is a break before it */
        uint64_t reads, unbroken;
    } cases[] = {
        {12, 0, 0, 8, 8},     {12, 1, 0, 8, 8}, /* a request: 256 clusters */
        {12, 31, 0, 8, 8},    {12, 32, 0, 7, 7}, {12, 0, 64, 8, 8}, {12, 0, 65, 9, 8},
        {12, 240, 250, 2, 1}, {14, 0, 0, 2, 2},  {15, 0, 0, 1, 1},  {15, 0, 5, 2, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tables_table table = table_of(cases[i].cluster_bits, false);
        struct outcome outcome;

        table.header.crypt = i % 2 ? FORMAT_CRYPT_LUKS : FORMAT_CRYPT_AES;
        for (uint32_t j = cases[i].first; j < MIB >> cases[i].cluster_bits; j++)
            table.words[j] =
                COPIED | cluster(&table, j + (cases[i].jump > 0 && j >= cases[i].jump ? 1000 : 5));
        outcome = walk_whole(&table);
        assert_int_equal(outcome.counts.reads, cases[i].reads);
        assert_int_equal(outcome.counts.reads_unbroken, cases[i].unbroken);
        outcome_free(&outcome);
        table_free(&table);
    }
}

/* 1 MiB or less of it on the disk: nobody asks for the second half. */
static void the_last_cluster_of_2_mib_may_be_one_read(void **state)
{
    static const struct {
        uint64_t last_bytes, reads;
    } cases[] = {{512, 1}, {MIB - 512, 1}, {MIB, 1}, {MIB + 512, 2}, {2 * MIB, 2}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tables_table table = table_of(21, false);
        struct outcome outcome;

        table.words[0] = COPIED | cluster(&table, 5);
        table.words[1] = COPIED | cluster(&table, 6);
        table.words[2] = COPIED | cluster(&table, 7); /* not on the disk */
        table.virtual_bytes = 2 * MIB + cases[i].last_bytes;
        outcome = walk_whole(&table);
        assert_int_equal(outcome.counts.reads, 2 + cases[i].reads);
        assert_int_equal(outcome.counts.mapped_clusters, 2);
        assert_int_equal(outcome.counts.mapped_bytes, 4 * MIB); /* the last one counts whole */
        assert_int_equal(outcome.n_pieces, 2);
        assert_int_equal(outcome.pieces[1].guest_bytes, 2 * MIB);
        assert_int_equal(outcome.counts.check_allocated, 3);
        outcome_free(&outcome);
        table_free(&table);
    }
}

/* The same of compressed ones. */
static void a_blob_is_read_for_each_request_that_touches_it(void **state)
{
    static const struct {
        unsigned cluster_bits;
        uint64_t last_bytes, reads; /* of the last cluster */
    } cases[] = {{20, 512, 1}, {20, MIB, 1},       {21, 512, 1},
                 {21, MIB, 1}, {21, MIB + 512, 2}, {21, 2 * MIB, 2}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tables_table table = table_of(cases[i].cluster_bits, false);
        uint64_t reads = cases[i].cluster_bits == 21 ? 2 : 1; /* of the 70 others */
        unsigned shift = 62 - (cases[i].cluster_bits - 8);
        struct outcome outcome;

        for (uint64_t j = 0; j <= 70; j++)
            table.words[j] = COMPRESSED | UINT64_C(9) << shift | (cluster(&table, 5) + j * 4700);
        table.virtual_bytes = cluster(&table, 70) + cases[i].last_bytes;
        outcome = walk_whole(&table);
        assert_int_equal(outcome.counts.compressed_clusters, 71);
        assert_int_equal(outcome.counts.reads, 70 * reads + cases[i].reads);
        assert_int_equal(outcome.counts.reads_unbroken, outcome.counts.reads);
        assert_int_equal(outcome.n_pieces, outcome.counts.reads);
        if (reads == 2) {
            assert_int_equal(outcome.pieces[1].guest_bytes, 0);
            assert_int_equal(outcome.pieces[1].begin, cluster(&table, 5));
            assert_int_equal(outcome.pieces[1].end, cluster(&table, 5) + 5120);
            assert_int_equal(outcome.pieces[2].guest_bytes, 2 * MIB);
        }
        outcome_free(&outcome);
        table_free(&table);
    }
}

/* Also where the 63 before it lie in the same block. */
static void the_last_cluster_of_a_block_may_be_one_read(void **state)
{
    struct tables_table table = table_of(21, false);
    struct outcome outcome;

    (void)state;
    fill_in_order(&table, 5);
    table.virtual_bytes = cluster(&table, 127) + MIB;
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.mapped_clusters, 128);
    assert_int_equal(outcome.counts.reads, 2 * 127 + 1);
    outcome_free(&outcome);
    table.virtual_bytes += 512;
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.reads, 2 * 128);
    outcome_free(&outcome);
    table_free(&table);
}

/* Subclusters of 2 KiB: those that begin behind the end of the disk are mapped, but not read. */
static void the_last_extended_cluster_is_read_up_to_the_end(void **state)
{
    static const struct {
        uint64_t last_bytes;
        uint32_t alloc;
        uint64_t reads;
    } cases[] = {
        {512, 1, 1},
        {512, 2, 0},
        {2048, 2, 0},
        {2048 + 512, 2, 1},
        {65536, 2, 1},
        {4096, 0x0000ffff, 1},
        {4096, 0xfffffffc, 0},
        {65536, 0x55555555, 16},
        {32768, 0x55555555, 8},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tables_table table = table_of(16, true);
        struct outcome outcome;

        table.words[0] = COPIED | cluster(&table, 5);
        table.bitmaps[0] = cases[i].alloc;
        table.virtual_bytes = cases[i].last_bytes;
        outcome = walk_whole(&table);
        assert_int_equal(outcome.counts.reads, cases[i].reads);
        assert_int_equal(outcome.counts.reads_unbroken, cases[i].reads);
        assert_int_equal(outcome.counts.mapped_clusters, 1);
        assert_int_equal(outcome.counts.mapped_bytes,
                         2048 * (uint64_t)__builtin_popcount(cases[i].alloc));
        outcome_free(&outcome);
        table_free(&table);
    }
}

/* One cluster goes on in the next only where both touch, in the guest and in the file. */
static void a_read_goes_on_from_subcluster_31_to_0(void **state)
{
    static const struct {
        uint32_t first, second;
        uint64_t second_host, reads, unbroken;
    } cases[] = {
        {UINT32_MAX, UINT32_MAX, 6, 1, 1}, {UINT32_MAX, UINT32_MAX, 8, 2, 1},
        {0x80000000, 0x00000001, 6, 1, 1}, {0x40000000, 0x00000001, 6, 2, 2},
        {0x80000000, 0x00000002, 6, 2, 2}, {0x80000001, 0x80000001, 6, 3, 3},
        {0x80000001, 0x80000001, 9, 4, 3},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tables_table table = table_of(16, true);
        struct outcome outcome;

        table.words[0] = COPIED | cluster(&table, 5);
        table.words[1] = COPIED | cluster(&table, cases[i].second_host);
        table.bitmaps[0] = cases[i].first;
        table.bitmaps[1] = cases[i].second;
        outcome = walk_whole(&table);
        assert_int_equal(outcome.counts.reads, cases[i].reads);
        assert_int_equal(outcome.counts.reads_unbroken, cases[i].unbroken);
        outcome_free(&outcome);
        table_free(&table);
    }
}

/* 512 bytes a cluster, 64 entries a table and a slice; a request is 32 slices. */
static void a_slice_border_ends_a_read(void **state)
{
    struct tables_table table = table_of(13, false);
    struct outcome outcome;

    (void)state;
    fill_in_order(&table, 5);
    outcome = walk_whole(&table); /* 1,024 entries, 8 MiB */
    assert_int_equal(outcome.counts.reads, 8);
    outcome_free(&outcome);

    table.slices_for_bytes = TIB; /* slices of 512 entries, 4 MiB: each a request border as well */
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.reads, 8);
    outcome_free(&outcome);
    table_free(&table);

    table = table_of(9, false);
    fill_in_order(&table, 5);
    table.l1_index = 1; /* 32 KiB into the request */
    table.virtual_bytes = MIB;
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.reads, 1);
    assert_int_equal(outcome.counts.reads_unbroken, 1);
    outcome_free(&outcome);
    table_free(&table);
}

/* The formula of qemu-img check, by hand: see "What qemu-img check counts". */
static void check_counts_as_qemu_img_does(void **state)
{
    struct tables_table table = table_of(16, false);
    struct outcome outcome;

    (void)state;
    table.virtual_bytes = cluster(&table, 6);
    table.words[0] = COPIED | cluster(&table, 5);
    table.words[1] = COMPRESSED | cluster(&table, 20); /* fragmented; next stays */
    table.words[2] = COPIED | cluster(&table, 6);      /* is next */
    table.words[3] = ZERO | cluster(&table, 9);        /* allocated, and not next */
    table.words[4] = ZERO;                             /* nothing */
    table.words[5] = 0;                                /* nothing */
    table.words[6] = COPIED | cluster(&table, 10);     /* behind the end of the disk: next */
    table.words[7000] = COPIED | cluster(&table, 12);  /* a hole in step is no excuse */
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.check_allocated, 6);
    assert_int_equal(outcome.counts.check_compressed, 1);
    assert_int_equal(outcome.counts.check_fragmented, 1 + 1 + 1);
    assert_int_equal(outcome.counts.mapped_clusters, 3);
    assert_int_equal(outcome.counts.zero_clusters, 2);
    assert_int_equal(outcome.counts.zero_allocated_clusters, 1);
    outcome_free(&outcome);
    table_free(&table);
}

static void detail_adds_pieces_of_zeros(void **state)
{
    struct tables_table table = table_of(16, false);
    struct outcome plain, detail;

    (void)state;
    table.words[0] = COPIED | cluster(&table, 5);
    table.words[1] = ZERO;
    table.words[2] = ZERO | cluster(&table, 7);
    plain = walk(&table, TABLES_PIECES_MAPPED, 65536);
    detail = walk(&table, TABLES_PIECES_DETAIL, 65536);
    assert_same_counts(&plain.counts, &detail.counts);
    assert_int_equal(plain.n_pieces, 1);
    assert_int_equal(detail.n_pieces, 3);
    assert_int_equal(detail.pieces[1].kind, PIECE_ZERO);
    assert_int_equal(detail.pieces[1].begin, 0);
    assert_int_equal(detail.pieces[1].end, 0);
    assert_int_equal(detail.pieces[1].mapped_bytes, 0);
    assert_int_equal(detail.pieces[2].kind, PIECE_ZERO_ALLOCATED);
    assert_int_equal(detail.pieces[2].begin, cluster(&table, 7));
    assert_int_equal(detail.pieces[2].end, cluster(&table, 8));
    assert_int_equal(detail.pieces[2].mapped_bytes, 0);
    outcome_free(&detail);
    outcome_free(&plain);
    table_free(&table);
}

static void detail_cuts_clusters_into_stretches(void **state)
{
    struct tables_table table = table_of(16, true);
    struct outcome plain, detail;

    (void)state;
    table.words[0] = COPIED | cluster(&table, 5);
    table.bitmaps[0] = UINT64_C(0x000000f0) << 32 | 0x8000000f; /* data, zero, nothing, data */
    plain = walk(&table, TABLES_PIECES_MAPPED, 65536);
    assert_int_equal(plain.n_pieces, 1);
    assert_int_equal(plain.pieces[0].begin, cluster(&table, 5));
    assert_int_equal(plain.pieces[0].end, cluster(&table, 6));
    assert_int_equal(plain.pieces[0].guest_bytes, 65536);
    assert_int_equal(plain.pieces[0].mapped_bytes, 5 * 2048);

    detail = walk(&table, TABLES_PIECES_DETAIL, 65536);
    assert_int_equal(detail.n_pieces, 3);
    assert_int_equal(detail.pieces[0].kind, PIECE_DATA);
    assert_int_equal(detail.pieces[0].guest_bytes, 4 * 2048);
    assert_int_equal(detail.pieces[1].kind, PIECE_ZERO_ALLOCATED);
    assert_int_equal(detail.pieces[1].guest_off, 4 * 2048);
    assert_int_equal(detail.pieces[1].guest_bytes, 4 * 2048);
    assert_int_equal(detail.pieces[2].kind, PIECE_DATA);
    assert_int_equal(detail.pieces[2].guest_off, 31 * 2048);
    assert_int_equal(detail.pieces[2].begin, cluster(&table, 5) + 31 * 2048);
    assert_int_equal(detail.pieces[2].end, cluster(&table, 6));
    outcome_free(&detail);
    outcome_free(&plain);
    table_free(&table);
}

/* ---- damage ---- */

static void damage_is_told_with_its_place(void **state)
{
    struct tables_table table = table_of(16, false);
    struct outcome outcome;

    (void)state;
    table.l1_index = 5;
    table.virtual_bytes = 6 * format_l2_span(&table.header);
    table.words[17] = COPIED | (cluster(&table, 7) + 512);
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.corrupt_entries, 1);
    assert_int_equal(outcome.findings.total, 1);
    assert_int_equal(outcome.findings.list[0].code, FORMAT_FINDING_L2_UNALIGNED);
    assert_string_equal(outcome.findings.list[0].where, "l2[5][17]");
    assert_true(outcome.findings.list[0].has_host_off);
    assert_int_equal(outcome.findings.list[0].host_off, L2_OFF + 8 * 17);
    assert_non_null(strstr(outcome.findings.list[0].message, "0x8000000000070200"));
    outcome_free(&outcome);
    table_free(&table);

    table = table_of(16, true);
    table.words[17] = cluster(&table, 7);
    table.bitmaps[17] = UINT64_MAX;
    outcome = walk_whole(&table);
    assert_int_equal(outcome.findings.list[0].code, FORMAT_FINDING_L2_BITMAP);
    assert_int_equal(outcome.findings.list[0].host_off, L2_OFF + 16 * 17);
    outcome_free(&outcome);
    table_free(&table);
}

static void every_kind_of_damage_has_words_of_its_own(void **state)
{
    static const struct {
        bool extended_l2, version_2, external_data;
        uint64_t word, bitmap;
        enum format_finding_code code;
    } cases[] = {
        {false, false, false, 0x70002, 0, FORMAT_FINDING_L2_RESERVED},
        {false, false, false, 0x70200, 0, FORMAT_FINDING_L2_UNALIGNED},
        {false, false, false, TIB, 0, FORMAT_FINDING_L2_PAST_END},
        {false, true, false, ZERO, 0, FORMAT_FINDING_L2_ZERO_V2},
        {false, false, false, COMPRESSED | COPIED | 0x70000, 0,
         FORMAT_FINDING_L2_COMPRESSED_COPIED},
        {false, false, false, COMPRESSED | TIB, 0, FORMAT_FINDING_L2_COMPRESSED_PAST_END},
        {false, false, false, COMPRESSED, 0, FORMAT_FINDING_L2_COMPRESSED_HEADER},
        {false, false, true, COMPRESSED | 0x70000, 0, FORMAT_FINDING_L2_COMPRESSED_DATA_FILE},
        {true, false, false, COMPRESSED | 0x70000, 1, FORMAT_FINDING_L2_COMPRESSED_BITMAP},
        {true, false, false, 0x70000, UINT64_MAX, FORMAT_FINDING_L2_BITMAP},
        {false, false, true, 0x70000, 0, FORMAT_FINDING_L2_DATA_FILE_OFFSET},
    };
    char messages[COUNT(cases)][256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tables_table table = table_of(16, cases[i].extended_l2);
        struct outcome outcome;
        const char *words;

        table.entry_rules.version_2 = cases[i].version_2;
        table.entry_rules.external_data = cases[i].external_data;
        table.words[3] = cases[i].word;
        table.bitmaps[3] = cases[i].bitmap;
        outcome = walk_whole(&table);
        assert_int_equal(outcome.findings.total, 1);
        assert_string_equal(format_finding_name(outcome.findings.list[0].code),
                            format_finding_name(cases[i].code));
        words = outcome.findings.list[0].message + strlen("entry 0x0123456789abcdef");
        snprintf(messages[i], sizeof(messages[i]), "%s", words);
        assert_null(strstr(words, "is damaged"));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(messages[i], messages[k]);
        outcome_free(&outcome);
        table_free(&table);
    }
}

static void damage_behind_the_disk_is_not_told(void **state)
{
    struct tables_table table = table_of(16, false);
    struct outcome outcome;

    (void)state;
    table.virtual_bytes = cluster(&table, 10) - 512;
    table.words[9] = cluster(&table, 7) + 512;  /* the last one, partly on the disk */
    table.words[10] = cluster(&table, 7) + 512; /* not on the disk */
    table.words[8191] = COMPRESSED;
    outcome = walk_whole(&table);
    assert_int_equal(outcome.counts.corrupt_entries, 1);
    assert_int_equal(outcome.findings.total, 1);
    assert_string_equal(outcome.findings.list[0].where, "l2[0][9]");
    assert_int_equal(outcome.counts.check_allocated, 3); /* check goes by the type alone */
    outcome_free(&outcome);
    table_free(&table);
}

static void a_snapshot_is_named_and_no_list_is_needed(void **state)
{
    struct tables_table table = table_of(9, false);
    struct tables_l2_rules rules =
        tables_l2_rules_of(&table.header, &table.entry_rules, table.virtual_bytes, TABLES_PIECES_MAPPED);
    struct outcome outcome = {0};
    struct tables_l2_output output = {.sink = {collect, &outcome},
                                      .counts = &outcome.counts,
                                      .findings = &outcome.findings,
                                      .table_name = "snapshot 2 "};
    struct piece_batch *batch = calloc(1, sizeof(*batch));
    struct tables_l2_decoder walk;
    uint64_t *raw;

    (void)state;
    table.words[3] = TIB;
    raw = raw_of(&table);
    tables_l2_begin(&walk, &rules, output, batch, L2_OFF, 0, table.virtual_bytes);
    assert_int_equal(tables_l2_chunk(&walk, raw, 512), 0);
    assert_int_equal(tables_l2_end(&walk), 0);
    assert_string_equal(outcome.findings.list[0].where, "snapshot 2 l2[0][3]");

    output.findings = NULL;
    tables_l2_begin(&walk, &rules, output, batch, L2_OFF, 0, table.virtual_bytes);
    assert_int_equal(tables_l2_chunk(&walk, raw, 512), 0);
    assert_int_equal(tables_l2_end(&walk), 0);
    assert_int_equal(outcome.findings.total, 1);
    assert_int_equal(outcome.counts.corrupt_entries, 2);
    free(raw);
    free(batch);
    outcome_free(&outcome);
    table_free(&table);
}

/* ---- a file that grows meanwhile ---- */

struct growth {
    struct tables_l2_rules *rules;
    uint64_t file_bytes; /* what it has grown to */
    unsigned n_asked;
};

static bool ask(void *context)
{
    struct growth *growth = context;
    bool grown = growth->file_bytes > growth->rules->entry.file_bytes;

    growth->n_asked++;
    growth->rules->entry.file_bytes = growth->file_bytes;
    return grown;
}

/* One entry in each of 16 chunks lies behind the end as it was first known. */
static struct outcome walk_growing(uint64_t file_bytes, uint64_t word, unsigned *n_asked)
{
    struct tables_table table = table_of(16, false);
    struct tables_l2_rules rules =
        tables_l2_rules_of(&table.header, &table.entry_rules, table.virtual_bytes, TABLES_PIECES_MAPPED);
    struct growth growth = {&rules, file_bytes, 0};
    struct outcome outcome = {0};
    struct tables_l2_output output = {.sink = {collect, &outcome},
                                      .counts = &outcome.counts,
                                      .findings = &outcome.findings,
                                      .table_name = "",
                                      .file_has_grown = ask,
                                      .context = &growth};
    struct piece_batch *batch = calloc(1, sizeof(*batch));
    struct tables_l2_decoder walk;
    uint64_t *raw;

    fill_in_order(&table, 5);
    for (uint32_t i = 100; i < 8192; i += 512)
        table.words[i] = table.words[i + 1] = word;
    raw = raw_of(&table);
    tables_l2_begin(&walk, &rules, output, batch, L2_OFF, 0, table.virtual_bytes);
    for (size_t at = 0; at < 65536; at += 4096)
        assert_int_equal(tables_l2_chunk(&walk, raw + at / 8, 4096), 0);
    assert_int_equal(tables_l2_end(&walk), 0);
    *n_asked = growth.n_asked;
    free(raw);
    free(batch);
    table_free(&table);
    return outcome;
}

static void what_a_grown_file_holds_is_not_past_its_end(void **state)
{
    unsigned n_asked;
    struct outcome outcome = walk_growing(2 * TIB, TIB, &n_asked);

    (void)state;
    assert_int_equal(outcome.counts.mapped_clusters, 8192);
    assert_int_equal(outcome.counts.corrupt_entries, 0);
    assert_int_equal(outcome.findings.total, 0);
    assert_int_equal(n_asked, 1);
    outcome_free(&outcome);

    outcome = walk_growing(2 * TIB, COMPRESSED | TIB, &n_asked);
    assert_int_equal(outcome.counts.compressed_clusters, 32);
    assert_int_equal(outcome.counts.corrupt_entries, 0);
    assert_int_equal(n_asked, 1);
    outcome_free(&outcome);
}

static void the_size_is_asked_once_a_chunk(void **state)
{
    unsigned n_asked;
    struct outcome outcome = walk_growing(TIB, TIB, &n_asked);

    (void)state;
    assert_int_equal(outcome.counts.corrupt_entries, 32);
    assert_int_equal(outcome.findings.total, 32);
    assert_int_equal(n_asked, 16);
    outcome_free(&outcome);
}

static void the_size_is_not_asked_for_other_damage(void **state)
{
    unsigned n_asked;
    struct outcome outcome = walk_growing(2 * TIB, 0x70200, &n_asked);

    (void)state;
    assert_int_equal(outcome.counts.corrupt_entries, 32);
    assert_int_equal(n_asked, 0);
    outcome_free(&outcome);
}

/* ---- a sink that stops ---- */

struct stopper {
    unsigned calls, stop_at;
};

static int stop(void *context, const struct piece_batch *batch)
{
    struct stopper *stopper = context;

    (void)batch;
    return ++stopper->calls == stopper->stop_at ? -77 : 0;
}

static void what_the_sink_returns_stops_the_walk(void **state)
{
    struct tables_table table = table_of(16, false);
    struct tables_l2_rules rules =
        tables_l2_rules_of(&table.header, &table.entry_rules, table.virtual_bytes, TABLES_PIECES_MAPPED);
    struct piece_batch *batch = calloc(1, sizeof(*batch));
    unsigned n = 0;
    uint64_t *raw;

    (void)state;
    fill_in_order(&table, 5);
    for (uint32_t i = 4000; i < 6000; i += 70)
        table.words[i] = 0; /* batches of both shapes */
    raw = raw_of(&table);
    for (int ret = -77; ret != 0;) {
        struct stopper stopper = {.stop_at = ++n};
        struct piece_counts counts = {0};
        struct tables_l2_output output = {
            .sink = {stop, &stopper}, .counts = &counts, .table_name = ""};
        struct tables_l2_decoder walk;

        tables_l2_begin(&walk, &rules, output, batch, L2_OFF, 0, table.virtual_bytes);
        ret = tables_l2_chunk(&walk, raw, 65536);
        if (ret == 0)
            ret = tables_l2_end(&walk);
        assert_true(ret == 0 || ret == -77);
        if (ret != 0)
            assert_int_equal(stopper.calls, n); /* and not called again */
    }
    assert_true(n > 16);
    free(raw);
    free(batch);
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_shrink_when_the_cache_does_not_cover_the_disk),
        cmocka_unit_test(clusters_and_cache_are_rounded_up),
        cmocka_unit_test(an_empty_table_gives_nothing),
        cmocka_unit_test(a_table_in_order_is_one_read_a_mebibyte),
        cmocka_unit_test(a_reversed_table_is_one_read_a_cluster),
        cmocka_unit_test(a_cluster_of_2_mib_is_two_reads),
        cmocka_unit_test(encrypted_clusters_are_read_32_at_a_time),
        cmocka_unit_test(the_last_cluster_of_2_mib_may_be_one_read),
        cmocka_unit_test(a_blob_is_read_for_each_request_that_touches_it),
        cmocka_unit_test(the_last_cluster_of_a_block_may_be_one_read),
        cmocka_unit_test(the_last_extended_cluster_is_read_up_to_the_end),
        cmocka_unit_test(a_read_goes_on_from_subcluster_31_to_0),
        cmocka_unit_test(a_slice_border_ends_a_read),
        cmocka_unit_test(check_counts_as_qemu_img_does),
        cmocka_unit_test(detail_adds_pieces_of_zeros),
        cmocka_unit_test(detail_cuts_clusters_into_stretches),
        cmocka_unit_test(damage_is_told_with_its_place),
        cmocka_unit_test(every_kind_of_damage_has_words_of_its_own),
        cmocka_unit_test(damage_behind_the_disk_is_not_told),
        cmocka_unit_test(a_snapshot_is_named_and_no_list_is_needed),
        cmocka_unit_test(what_a_grown_file_holds_is_not_past_its_end),
        cmocka_unit_test(the_size_is_asked_once_a_chunk),
        cmocka_unit_test(the_size_is_not_asked_for_other_damage),
        cmocka_unit_test(what_the_sink_returns_stops_the_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
