// SPDX-License-Identifier: MIT
/*
 * Proves that a scan, whole or in parts, gives what each table gives that is read and walked for
 * itself: random tables, and cuts at every index. The rules by hand are in scan.c.
 */
#include "seen_tables.h"

#include "dice.h"
#include "l2.h"

/* ---- against a naive scan ---- */

#define N_L1 5
#define N_INDICES 40

/* The tables one after another, each L2 table read and walked for itself. */
static void naive_scan(struct small_image *small, struct tables_table *table, struct log *log)
{
    struct format_entry_rules entry = format_image_rules(&small->image);
    struct tables_l2_rules rules = tables_l2_rules_of(
        &small->image.header, &entry, small->image.header.virtual_bytes, TABLES_PIECES_MAPPED);
    struct piece_batch *batch = malloc(sizeof(*batch));
    uint64_t needed = (table->virtual_bytes + SPAN - 1) / SPAN;
    size_t own[] = {0};

    log->members = (struct tables_members){own, 1};
    for (uint32_t i = 0; i < table->l1_entries && (table->whole_l1 || i < needed); i++) {
        uint64_t word, l2_off, raw[64], mapped_before = table->counts.mapped_clusters;
        struct tables_l2_decoder walk;
        struct tables_l2_output output = {
            .sink = {take, log}, .counts = &table->counts, .table_name = ""};

        memcpy(&word, small->bytes + table->l1_off + 8 * i, 8);
        l2_off = __builtin_bswap64(word) & FORMAT_ENTRY_OFFSET;
        if (l2_off == 0)
            continue;
        table->counts.l2_tables++;
        memcpy(raw, small->bytes + l2_off, sizeof(raw));
        tables_l2_begin(&walk, &rules, output, batch, l2_off, i, table->virtual_bytes);
        assert_int_equal(tables_l2_chunk(&walk, raw, sizeof(raw)), 0);
        assert_int_equal(tables_l2_end(&walk), 0);
        table->counts.l2_mapped += table->counts.mapped_clusters > mapped_before;
    }
    free(batch);
}

static void random_image(struct small_image *small, struct tables_table tables[N_L1],
                         struct dice *dice)
{
    uint64_t first_l2 = 2 + N_L1, n_l2 = 3 * N_INDICES;

    small_image_init(small, 9, N_INDICES * SPAN, N_INDICES, first_l2 + n_l2);
    for (uint64_t l2 = first_l2; l2 < first_l2 + n_l2; l2++)
        for (uint32_t i = 0; i < 64 && !dice_once_in(dice, 100); i++)
            small_image_l2(
                small, l2, i,
                dice_once_in(dice, 5) ? 0 : COPIED | dice_below(dice, 1u << 20) * CLUSTER, 0);
    for (uint64_t t = 0; t < N_L1; t++) {
        for (uint32_t i = 0; i < N_INDICES; i++)
            if (!dice_once_in(dice, 4)) /* one of three of its own for each index */
                small_image_l1(small, 2 + t, i, first_l2 + 3 * i + dice_below(dice, 3));
        tables[t] = table_at(2 + t, N_INDICES - (uint32_t)dice_below(dice, 5));
        tables[t].virtual_bytes = N_INDICES * SPAN - dice_below(dice, 3) * 7 * CLUSTER;
        tables[t].whole_l1 = dice_once_in(dice, 2);
    }
    small_image_open(small, FAR);
}

static void random_tables_agree_with_a_naive_scan(void **state)
{
    struct dice dice = dice_of(50);

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct small_image small;
        struct tables_table tables[N_L1];
        struct log log = {.begun = 0};

        random_image(&small, tables, &dice);
        scan(&small, tables, N_L1, &log);
        for (size_t t = 0; t < N_L1; t++) {
            struct tables_table alone = tables[t];
            struct log naive = {.begun = 0};

            memset(&alone.counts, 0, sizeof(alone.counts));
            naive_scan(&small, &alone, &naive);
            assert_memory_equal(&alone.counts, &tables[t].counts, sizeof(alone.counts));
            assert_int_equal(log.pieces[t].n_list, naive.pieces[0].n_list);
            for (size_t i = 0; i < naive.pieces[0].n_list; i++) {
                assert_int_equal(log.pieces[t].list[i].guest_off,
                                 naive.pieces[0].list[i].guest_off);
                assert_int_equal(log.pieces[t].list[i].begin, naive.pieces[0].list[i].begin);
            }
            log_free(&naive);
        }
        tables_free(tables, N_L1);
        log_free(&log);
        small_image_free(&small);
    }
}

/* ---- parts ---- */

/* The L1 indices [0, cut) and [cut, end), one after the other. */
static void scan_in_two(struct small_image *small, struct tables_table *tables, size_t n,
                        uint32_t cut, struct log *log)
{
    struct tables_visitor visitor = {.context = log, .begin = begin, .end = end};
    struct err err = {0};
    struct tables_plan *plan;
    struct tables_scan *scan;

    assert_int_equal(tables_plan_new(&small->image, tables, n, TABLES_SPAN_ALL,
                                     TABLES_PIECES_MAPPED, &plan, &err),
                     0);
    assert_int_equal(tables_plan_end(plan), N_INDICES);
    assert_true(tables_plan_looked(plan));
    scan = tables_scan_new(plan);
    assert_non_null(scan);
    assert_int_equal(tables_scan_part(scan, 0, cut, tables, &visitor, &err), 0);
    assert_int_equal(tables_scan_part(scan, cut, tables_plan_end(plan), tables, &visitor, &err), 0);
    tables_scan_free(scan);
    tables_plan_free(plan);
}

static void a_scan_may_be_cut_at_every_index(void **state)
{
    struct dice dice = dice_of(51);
    struct small_image small;
    struct tables_table tables[N_L1];
    struct log whole = {.begun = 0};

    (void)state;
    random_image(&small, tables, &dice);
    tables[0].virtual_bytes = N_INDICES * SPAN;
    tables[0].l1_entries = N_INDICES;
    for (uint64_t t = 0; t < N_L1; t++) /* damage to find, and an L2 table named twice */
        small_image_put(&small, (2 + t) * CLUSTER + 8 * (10 + t), COPIED);
    small_image_l1(&small, 2, 5, 2 + N_L1);
    small_image_l1(&small, 2, 25, 2 + N_L1);
    scan(&small, tables, N_L1, &whole);
    for (uint32_t cut = 0; cut <= N_INDICES; cut++) {
        struct tables_table parts[N_L1];
        struct log log = {.begun = 0};

        memcpy(parts, tables, sizeof(parts));
        for (size_t t = 0; t < N_L1; t++) {
            memset(&parts[t].counts, 0, sizeof(parts[t].counts));
            memset(&parts[t].findings, 0, sizeof(parts[t].findings));
        }
        scan_in_two(&small, parts, N_L1, cut, &log);
        assert_string_equal(log.text, whole.text);
        for (size_t t = 0; t < N_L1; t++) {
            assert_memory_equal(&parts[t].counts, &tables[t].counts, sizeof(parts[t].counts));
            assert_int_equal(log.pieces[t].n_list, whole.pieces[t].n_list);
            assert_int_equal(parts[t].findings.n_list, tables[t].findings.n_list);
            for (size_t i = 0; i < parts[t].findings.n_list; i++)
                assert_string_equal(parts[t].findings.list[i].where,
                                    tables[t].findings.list[i].where);
        }
        tables_free(parts, N_L1);
        log_free(&log);
    }
    assert_true(tables[0].findings.total >= 3);
    tables_free(tables, N_L1);
    log_free(&whole);
    small_image_free(&small);
}

/*
 * Where a thread scanned another part before, it knows more holes, and reads ahead further. The
 * findings must come in the same order all the same: they are cut after the first 20 of a code.
 */
static void a_part_does_not_depend_on_the_part_before(void **state)
{
    const uint64_t cluster = 65536, hole = 1000;
    struct tables_visitor visitor;
    char first[2][64];

    (void)state;
    for (unsigned warm = 0; warm < 2; warm++) {
        struct small_image small;
        struct tables_table table;
        struct tables_plan *plan;
        struct tables_scan *scan;
        struct log log = {.begun = 0};
        struct err err = {0};

        small_image_init(&small, 16, 8 * 8192 * cluster, 8, 4);
        small_image_l1(&small, 2, 0, hole);
        small_image_l1(&small, 2, 1, 3);
        small_image_l2(&small, 3, 5, FAR, 0); /* found when the table has been read */
        for (uint32_t i = 2; i < 7; i++)
            small_image_l1(&small, 2, i, hole + i);
        small_image_put(&small, 2 * cluster + 8 * 7, COPIED); /* found at once */
        small_image_open(&small, FAR);
        table = small_image_table(&small);
        visitor = (struct tables_visitor){.context = &log, .begin = begin, .end = end};
        assert_int_equal(tables_plan_new(&small.image, &table, 1, TABLES_SPAN_ALL,
                                         TABLES_PIECES_MAPPED, &plan, &err),
                         0);
        scan = tables_scan_new(plan);
        if (warm)
            assert_int_equal(tables_scan_part(scan, 0, 1, &table, &visitor, &err), 0);
        assert_int_equal(tables_scan_part(scan, 1, 8, &table, &visitor, &err), 0);
        assert_int_equal(table.findings.n_list, 2);
        snprintf(first[warm], sizeof(first[warm]), "%s", table.findings.list[0].where);
        tables_scan_free(scan);
        tables_plan_free(plan);
        tables_free(&table, 1);
        small_image_free(&small);
    }
    assert_string_equal(first[0], first[1]);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_tables_agree_with_a_naive_scan),
        cmocka_unit_test(a_scan_may_be_cut_at_every_index),
        cmocka_unit_test(a_part_does_not_depend_on_the_part_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
