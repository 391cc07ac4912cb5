// SPDX-License-Identifier: MIT
/*
 * Proves the order of a scan: which L2 tables are read, for which L1 tables, in which order,
 * whatever the lengths of the tables; which are left out, and why; and that trouble on the way is
 * passed on. Random tables, and scans in parts, are in scan_parts.c.
 */
#include "seen_tables.h"

/* ---- one table ---- */

static void l2_tables_come_in_guest_order(void **state)
{
    struct small_image small;
    struct tables_table table;
    struct log log = {.begun = 0};

    (void)state;
    small_image_init(&small, 9, 5 * SPAN, 5, 10);
    small_image_l1(&small, 2, 0, 7);
    small_image_l1(&small, 2, 2, 5); /* 1 is not there */
    small_image_l1(&small, 2, 4, 6);
    fill(&small, 7, 3, 100);
    fill(&small, 5, 64, 200);
    small_image_open(&small, FAR);
    table = small_image_table(&small);
    scan(&small, &table, 1, &log);
    assert_string_equal(log.text, "+0:3- +0:64- +0:0-");
    assert_int_equal(table.counts.l2_tables, 3);
    assert_int_equal(table.counts.mapped_clusters, 67);
    assert_int_equal(table.findings.total, 0);
    assert_int_equal(log.pieces[0].list[0].guest_off, 0);
    assert_int_equal(log.pieces[0].list[2].begin, 102 * CLUSTER);
    assert_int_equal(log.pieces[0].list[3].guest_off, 2 * SPAN);
    assert_int_equal(log.pieces[0].list[3].begin, 200 * CLUSTER);
    log_free(&log);
    small_image_free(&small);
}

static void no_tables_are_no_work(void **state)
{
    struct small_image small;
    struct log log = {.begun = 0};
    struct err err = {0};

    (void)state;
    small_image_init(&small, 9, 0, 0, 4);
    small_image_open(&small, FAR);
    assert_int_equal(scan_with(&small, NULL, 0, &log, &err), 0);
    assert_int_equal(log.begun, 0);
    small_image_free(&small);
}

static void an_empty_l1_table_gives_nothing(void **state)
{
    struct small_image small;
    struct tables_table table;
    struct log log = {.begun = 0};

    (void)state;
    small_image_init(&small, 9, 0, 0, 4);
    small_image_open(&small, FAR);
    table = small_image_table(&small);
    scan(&small, &table, 1, &log);
    assert_int_equal(log.begun, 0);
    assert_int_equal(table.counts.l2_tables, 0);
    small_image_free(&small);
}

/* More entries than are held at once: the first and last of each window, and the very last. */
static void a_long_l1_table_is_read_to_its_end(void **state)
{
    static const uint32_t indices[] = {0, 2047, 2048, 8191, 8192, 8193, 16383, 16384, 20000};
    const uint32_t n_entries = 20001, first_l2 = 2 + (20001 * 8 + CLUSTER - 1) / CLUSTER;
    struct small_image small;
    struct tables_table table;
    struct log log = {.begun = 0};

    (void)state;
    small_image_init(&small, 9, n_entries * SPAN, n_entries, first_l2 + COUNT(indices));
    for (uint32_t i = 0; i < COUNT(indices); i++) {
        small_image_l1(&small, 2, indices[i], first_l2 + i);
        fill(&small, first_l2 + i, 1, 1000 + i);
    }
    small_image_open(&small, FAR);
    table = small_image_table(&small);
    scan(&small, &table, 1, &log);
    assert_int_equal(log.pieces[0].n_list, COUNT(indices));
    for (size_t i = 0; i < COUNT(indices); i++) {
        assert_int_equal(log.pieces[0].list[i].guest_off, indices[i] * SPAN);
        assert_int_equal(log.pieces[0].list[i].begin, (1000 + i) * CLUSTER);
    }
    log_free(&log);
    small_image_free(&small);
}

/* Beyond the disk: no pieces, but what qemu-img check would count, if it is asked for. */
static void an_l1_table_longer_than_the_disk(void **state)
{
    struct small_image small;
    struct tables_table whole, rest;
    struct log log = {.begun = 0}, short_log = {.begun = 0};

    (void)state;
    small_image_init(&small, 9, SPAN + CLUSTER, 4, 10);
    for (uint32_t i = 0; i < 4; i++) {
        small_image_l1(&small, 2, i, 5 + i);
        fill(&small, 5 + i, 10, 1000 + 100 * i);
    }
    small_image_open(&small, FAR);
    whole = small_image_table(&small);
    scan(&small, &whole, 1, &log);
    assert_string_equal(log.text, "+0:10- +0:1- +0:0- +0:0-");
    assert_int_equal(whole.counts.mapped_clusters, 11);
    assert_int_equal(whole.counts.l2_tables, 4);
    assert_int_equal(whole.counts.check_allocated, 40);

    rest = small_image_table(&small);
    rest.whole_l1 = false;
    scan(&small, &rest, 1, &short_log);
    assert_string_equal(short_log.text, "+0:10- +0:1-");
    assert_int_equal(rest.counts.mapped_clusters, 11);
    assert_int_equal(rest.counts.l2_tables, 2);
    log_free(&short_log);
    log_free(&log);
    small_image_free(&small);
}

/* A snapshot of a time when the disk was smaller: what is missing reads as unallocated. */
static void an_l1_table_shorter_than_the_disk(void **state)
{
    struct small_image small;
    struct tables_table table;
    struct log log = {.begun = 0};

    (void)state;
    small_image_init(&small, 9, 3 * SPAN, 3, 10);
    for (uint32_t i = 0; i < 3; i++) {
        small_image_l1(&small, 2, i, 5 + i);
        fill(&small, 5 + i, 10, 1000 + 100 * i);
    }
    small_image_open(&small, FAR);
    table = small_image_table(&small);
    table.l1_entries = 2;
    scan(&small, &table, 1, &log);
    assert_string_equal(log.text, "+0:10- +0:10-");
    log_free(&log);
    small_image_free(&small);
}

/* 2 MiB each, read in many parts. */
static void large_l2_tables_come_whole(void **state)
{
    const uint64_t cluster = UINT64_C(2) << 20;
    struct small_image small;
    struct tables_table table;
    struct log log = {.begun = 0};

    (void)state;
    small_image_init(&small, 21, 2 * 262144 * cluster, 2, 5);
    for (uint32_t table_no = 0; table_no < 2; table_no++) {
        small_image_l1(&small, 2, table_no, 3 + table_no);
        for (uint32_t i = 0; i < 262144; i += i % 8192 == 8191 ? 1 : 8191)
            small_image_l2(&small, 3 + table_no, i, COPIED | (10 + i) * cluster, 0);
    }
    small_image_open(&small, UINT64_C(1) << 50);
    table = small_image_table(&small);
    scan(&small, &table, 1, &log);
    assert_int_equal(log.begun, 2);
    assert_int_equal(table.counts.mapped_clusters, 2 * 64);
    for (size_t i = 0; i < log.pieces[0].n_list; i++) {
        uint64_t index = (i % 64) / 2 * 8192 + (i % 2 == 1 ? 8191 : 0);

        assert_int_equal(log.pieces[0].list[i].guest_off, (i / 64 * 262144 + index) * cluster);
        assert_int_equal(log.pieces[0].list[i].begin, (10 + index) * cluster);
    }
    log_free(&log);
    small_image_free(&small);
}

/* ---- several tables ---- */

static void a_shared_l2_table_is_walked_once_for_all(void **state)
{
    struct small_image small;
    struct tables_table tables[3];
    struct log log = {.begun = 0};

    (void)state;
    small_image_init(&small, 9, 3 * SPAN, 3, 20);
    /* The active L1 table at 2, snapshots at 3 and 4; L2 tables at 10 to 13. */
    small_image_l1(&small, 2, 0, 10);
    small_image_l1(&small, 3, 0, 10);
    small_image_l1(&small, 4, 0, 10);
    small_image_l1(&small, 2, 1, 11);
    small_image_l1(&small, 3, 1, 12);
    small_image_l1(&small, 4, 1, 11);
    small_image_l1(&small, 4, 2, 13);
    for (uint32_t i = 0; i < 4; i++)
        fill(&small, 10 + i, 1 + i, 1000 + 100 * i);
    small_image_open(&small, FAR);
    tables[0] = small_image_table(&small);
    tables[1] = table_at(3, 3);
    tables[2] = table_at(4, 3);
    scan(&small, tables, 3, &log);
    assert_string_equal(log.text, "+0,1,2:1- +0,2:2- +1:3- +2:4-");
    assert_int_equal(tables[0].counts.mapped_clusters, 1 + 2);
    assert_int_equal(tables[1].counts.mapped_clusters, 1 + 3);
    assert_int_equal(tables[2].counts.mapped_clusters, 1 + 2 + 4);
    assert_int_equal(tables[0].counts.l2_tables, 2);
    assert_int_equal(tables[2].counts.l2_tables, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(tables[i].findings.total, 0); /* as it should be */
    log_free(&log);
    small_image_free(&small);
}

/* Of another disk size fewer entries may count, so the table is walked for itself. */
static void tables_of_other_disk_sizes_share_nothing(void **state)
{
    struct small_image small;
    struct tables_table tables[3];
    struct log log = {.begun = 0};

    (void)state;
    small_image_init(&small, 9, SPAN, 1, 20);
    small_image_l1(&small, 2, 0, 10);
    fill(&small, 10, 64, 1000);
    small_image_open(&small, FAR);
    tables[0] = small_image_table(&small);
    tables[1] = table_at(2, 1);
    tables[1].virtual_bytes = 5 * CLUSTER;
    tables[2] = table_at(2, 1);
    scan(&small, tables, 3, &log);
    assert_string_equal(log.text, "+0,2:64- +1:5-");
    assert_int_equal(tables[1].counts.mapped_clusters, 5);
    assert_int_equal(log.pieces[1].n_list, 5);
    assert_int_equal(log.pieces[2].n_list, 64);
    log_free(&log);
    small_image_free(&small);
}

static void as_many_tables_as_a_scan_takes(void **state)
{
    struct small_image small;
    struct tables_table tables[TABLES_SCAN_MAX];
    struct log log = {.begun = 0};
    const uint32_t n_l1 = 3000; /* more than a window of so many tables */

    (void)state;
    small_image_init(&small, 9, n_l1 * SPAN, n_l1, 2 + 48 + TABLES_SCAN_MAX);
    for (uint32_t i = 0; i < TABLES_SCAN_MAX; i++) {
        small_image_l1(&small, 2, i * 40, 50 + i); /* all in one table, that all read */
        fill(&small, 50 + i, 1, 1000 + i);
    }
    small_image_open(&small, FAR);
    for (size_t i = 0; i < TABLES_SCAN_MAX; i++)
        tables[i] = small_image_table(&small);
    scan(&small, tables, TABLES_SCAN_MAX, &log);
    assert_int_equal(log.begun, TABLES_SCAN_MAX);
    for (size_t i = 0; i < TABLES_SCAN_MAX; i++) {
        assert_int_equal(tables[i].counts.mapped_clusters, TABLES_SCAN_MAX);
        assert_int_equal(log.pieces[i].n_list, TABLES_SCAN_MAX);
        assert_int_equal(log.pieces[i].list[i].guest_off, i * 40 * SPAN);
    }
    log_free(&log);
    small_image_free(&small);
}

/* Damage in a table that several share is one cause: one finding, but each of them is damaged. */
static void damage_in_a_shared_table_is_told_once(void **state)
{
    struct small_image small;
    struct tables_table tables[2];
    struct log log = {.begun = 0};

    (void)state;
    small_image_init(&small, 9, SPAN, 1, 20);
    small_image_l1(&small, 2, 0, 10);
    small_image_l2(&small, 10, 5, FAR, 0);
    small_image_open(&small, FAR);
    tables[0] = small_image_table(&small);
    tables[1] = small_image_table(&small);
    snprintf(tables[1].name, sizeof(tables[1].name), "snapshot[0] ");
    scan(&small, tables, 2, &log);
    assert_int_equal(tables[0].counts.corrupt_entries, 1);
    assert_int_equal(tables[1].counts.corrupt_entries, 1);
    assert_int_equal(tables[0].findings.total, 1);
    assert_int_equal(tables[1].findings.total, 0);
    assert_string_equal(tables[0].findings.list[0].where, "l2[0][5]");
    assert_int_equal(tables[0].findings.list[0].host_off, 10 * CLUSTER + 8 * 5);
    tables_free(tables, 2);
    small_image_free(&small);
}

/* ---- damaged L1 entries ---- */

static void damaged_l1_entries_are_told_and_left_out(void **state)
{
    static const struct {
        uint64_t entry;
        enum format_finding_code code;
        const char *words;
        bool read;
    } cases[] = {
        {COPIED | (10 * CLUSTER + 1), FORMAT_FINDING_L1_RESERVED, "reserved bits", true},
        {COPIED | FAR, FORMAT_FINDING_L1_PAST_END, "past the end of the file", false},
        {COPIED, FORMAT_FINDING_L1_COPIED_EMPTY, "points nowhere", false},
        {COPIED | CLUSTER, FORMAT_FINDING_L2_OVERLAP, "the refcount table", false},
        {COPIED | 2 * CLUSTER, FORMAT_FINDING_L2_OVERLAP, "the L1 table", false},
        {COPIED | 3 * CLUSTER, FORMAT_FINDING_L2_OVERLAP, "a refcount block", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct small_image small;
        struct tables_table table;
        struct log log = {.begun = 0};

        small_image_init(&small, 9, 4 * SPAN, 4, 20);
        small_image_put(&small, CLUSTER, 3 * CLUSTER); /* a refcount block */
        small_image_l1(&small, 2, 0, 11);
        small_image_put(&small, 2 * CLUSTER + 8, cases[i].entry);
        small_image_l1(&small, 2, 3, 12);
        fill(&small, 10, 3, 1000);
        small_image_open(&small, FAR);
        table = small_image_table(&small);
        scan(&small, &table, 1, &log);
        assert_string_equal(log.text, cases[i].read ? "+0:0- +0:3- +0:0-" : "+0:0- +0:0-");
        assert_int_equal(table.counts.corrupt_entries, 1);
        assert_int_equal(table.findings.total, 1);
        assert_string_equal(format_finding_name(table.findings.list[0].code),
                            format_finding_name(cases[i].code));
        assert_string_equal(table.findings.list[0].where, "l1[1]");
        assert_int_equal(table.findings.list[0].host_off, 2 * CLUSTER + 8);
        if (strstr(table.findings.list[0].message, cases[i].words) == NULL)
            fail_msg("\"%s\" does not say: %s", table.findings.list[0].message, cases[i].words);
        tables_free(&table, 1);
        log_free(&log);
        small_image_free(&small);
    }
}

/* With larger clusters there is an offset that is none's begin. */
static void an_unaligned_l1_entry_is_told_and_left_out(void **state)
{
    struct small_image small;
    struct tables_table table;
    struct log log = {.begun = 0};

    (void)state;
    small_image_init(&small, 16, UINT64_C(2) << 29, 2, 5);
    small_image_put(&small, 2 * 65536, COPIED | (3 * 65536 + 512));
    small_image_l1(&small, 2, 1, 4);
    small_image_open(&small, FAR);
    table = small_image_table(&small);
    snprintf(table.name, sizeof(table.name), "snapshot[7] ");
    scan(&small, &table, 1, &log);
    assert_string_equal(log.text, "+0:0-");
    assert_int_equal(table.findings.total, 1);
    assert_int_equal(table.findings.list[0].code, FORMAT_FINDING_L1_UNALIGNED);
    assert_string_equal(table.findings.list[0].where, "snapshot[7] l1[0]");
    tables_free(&table, 1);
    small_image_free(&small);
}

static void damage_behind_the_disk_is_not_told(void **state)
{
    struct small_image small;
    struct tables_table table;
    struct log log = {.begun = 0};

    (void)state;
    small_image_init(&small, 9, SPAN, 4, 20);
    small_image_l1(&small, 2, 0, 10);
    small_image_put(&small, 2 * CLUSTER + 8, COPIED | FAR);
    small_image_put(&small, 2 * CLUSTER + 16, COPIED | CLUSTER);
    small_image_put(&small, 2 * CLUSTER + 24, COPIED);
    small_image_open(&small, FAR);
    table = small_image_table(&small);
    scan(&small, &table, 1, &log);
    assert_string_equal(log.text, "+0:0-");
    assert_int_equal(table.counts.corrupt_entries, 0);
    assert_int_equal(table.findings.total, 0);
    small_image_free(&small);
}

/* ---- an L2 table that several entries of one L1 table name ---- */

static void make_repeated(struct small_image *small)
{
    static const uint64_t l2[] = {10, 11, 10, 10, 12, 11, 10};

    small_image_init(small, 9, 7 * SPAN - CLUSTER, 7, 20);
    for (uint32_t i = 0; i < COUNT(l2); i++)
        small_image_l1(small, 2, i, l2[i]);
    fill(small, 10, 64, 1000);
    fill(small, 11, 5, 2000);
    fill(small, 12, 7, 3000);
    small_image_open(small, FAR);
}

static void a_table_named_again_is_walked_again_or_known(void **state)
{
    struct small_image small;
    struct tables_table walked, known;
    struct log log = {.begun = 0}, knowing = {.again = true};

    (void)state;
    make_repeated(&small);
    walked = small_image_table(&small);
    scan(&small, &walked, 1, &log);
    assert_string_equal(log.text, "+0:64- +0:5- +0:64- +0:64- +0:7- +0:5- +0:63-");

    known = small_image_table(&small);
    scan(&small, &known, 1, &knowing);
    /* The last one is walked: one of its clusters lies behind the end of the disk. */
    assert_string_equal(knowing.text, "+0:64- +0:5- again0>2 again0>3 +0:7- again0>4 +0:63-");
    assert_memory_equal(&walked.counts, &known.counts, sizeof(known.counts));
    assert_int_equal(known.counts.mapped_clusters, 3 * 64 + 2 * 5 + 7 + 63);
    assert_int_equal(known.findings.per_code[FORMAT_FINDING_L2_SHARED], 6);
    assert_string_equal(known.findings.list[0].where, "l1[0]");
    tables_free(&walked, 1);
    tables_free(&known, 1);
    log_free(&knowing);
    log_free(&log);
    small_image_free(&small);
}

/* ---- trouble ---- */

static void a_failing_read_is_passed_on_wherever_it_fails(void **state)
{
    uint64_t n = 0;

    (void)state;
    for (bool failed = true; failed;) {
        struct small_image small;
        struct tables_table table;
        struct log log = {.begun = 0};
        struct err err = {0};
        int ret;

        small_image_init(&small, 9, 200 * SPAN, 200, 300);
        for (uint32_t i = 0; i < 200; i += 2) {
            small_image_l1(&small, 2, i, 10 + i);
            fill(&small, 10 + i, 3, 1000 + i);
        }
        small_image_open(&small, FAR);
        table = small_image_table(&small);
        small.memory.n_requests = 0;
        small.memory.fail_at = ++n;
        ret = scan_with(&small, &table, 1, &log, &err);
        failed = ret != 0;
        if (failed) {
            assert_int_equal(ret, -EIO);
            assert_int_equal(err.code, EIO);
            assert_string_equal(err.text, IO_MEMORY_FAILS);
            assert_true(log.begun < 100);
        } else {
            assert_int_equal(log.begun, 100);
        }
        tables_free(&table, 1);
        log_free(&log);
        small_image_free(&small);
    }
    assert_true(n > 100);
}

static void what_end_returns_stops_the_scan(void **state)
{
    struct small_image small;
    struct tables_table table;
    struct log log = {.end_returns = -77};
    struct err err = {0};

    (void)state;
    make_repeated(&small);
    table = small_image_table(&small);
    assert_int_equal(scan_with(&small, &table, 1, &log, &err), -77);
    assert_string_equal(log.text, "+0:64-");
    tables_free(&table, 1);
    log_free(&log);
    small_image_free(&small);
}

/* While it is read: an L2 table that was there when the image was opened is gone. */
static void a_file_that_became_shorter_is_an_error(void **state)
{
    struct small_image small;
    struct tables_table table;
    struct log log = {.begun = 0};
    struct err err = {0};

    (void)state;
    small_image_init(&small, 9, 2 * SPAN, 2, 20);
    small_image_l1(&small, 2, 0, 10);
    small_image_l1(&small, 2, 1, 15);
    fill(&small, 15, 64, 1000);
    small_image_open(&small, FAR);
    small.memory.file_bytes = 15 * CLUSTER + 8;
    table = small_image_table(&small);
    assert_int_equal(scan_with(&small, &table, 1, &log, &err), -EIO);
    assert_non_null(strstr(err.text, "became shorter"));
    assert_non_null(strstr(err.text, "L2 table at offset 0x1e00"));
    tables_free(&table, 1);
    log_free(&log);
    small_image_free(&small);
}

/* A table that QEMU added since the image was opened. */
static void a_file_that_has_grown_is_read_to_its_new_end(void **state)
{
    struct small_image small;
    struct tables_table table;
    struct log log = {.begun = 0};

    (void)state;
    small_image_init(&small, 9, 2 * SPAN, 2, 20);
    small_image_l1(&small, 2, 0, 10);
    small_image_l1(&small, 2, 1, 15);
    small_image_l2(&small, 10, 0, COPIED | 5000 * CLUSTER, 0);
    fill(&small, 15, 64, 1000);
    small_image_open(&small, 15 * CLUSTER);
    small.memory.file_bytes = FAR;
    table = small_image_table(&small);
    scan(&small, &table, 1, &log);
    assert_string_equal(log.text, "+0:1- +0:64-");
    assert_int_equal(table.findings.total, 0);
    log_free(&log);
    small_image_free(&small);
}

/* ---- holes of the file ---- */

/* Tables in a hole hold nothing, and what lies behind it is read. */
static void tables_in_holes_are_empty(void **state)
{
    struct small_image small;
    struct tables_table table;
    struct log log = {.begun = 0};

    (void)state;
    small_image_init(&small, 9, 4 * SPAN, 4, 20);
    small_image_l1(&small, 2, 0, 500);
    small_image_l1(&small, 2, 1, 15);
    small_image_l1(&small, 2, 2, 600);
    small_image_l1(&small, 2, 3, 700);
    fill(&small, 15, 9, 1000);
    small_image_open(&small, FAR);
    table = small_image_table(&small);
    scan(&small, &table, 1, &log);
    assert_string_equal(log.text, "+0:0- +0:9- +0:0- +0:0-");
    assert_int_equal(table.counts.l2_tables, 4);
    log_free(&log);
    small_image_free(&small);
}

/* A file whose stored part grows when its size is asked a second time. */
struct growing {
    struct io_memory memory; /* first: it is what the scan reads */
    size_t more_bytes;
};

static int growing_size(struct io *io, uint64_t *bytes, struct err *err)
{
    struct growing *growing = (struct growing *)io;

    (void)err;
    growing->memory.len = growing->more_bytes;
    growing->memory.file_bytes = growing->more_bytes;
    *bytes = growing->more_bytes;
    return 0;
}

/* A hole at the end of the file ends there: what the file then grows by is no hole. */
static void a_hole_ends_with_the_file_as_it_was(void **state)
{
    struct small_image small;
    struct growing growing;
    struct io_ops ops;
    struct tables_table table;
    struct log log = {.begun = 0};
    enum { N = 201 };

    (void)state;
    small_image_init(&small, 9, N * SPAN, N, 400);
    for (uint32_t i = 0; i + 1 < N; i++) /* in the hole: more than are read at once */
        small_image_l1(&small, 2, i, 100 + i);
    small_image_l1(&small, 2, N - 1, 350);
    fill(&small, 350, 9, 1);
    small_image_open(&small, 320 * CLUSTER);
    growing = (struct growing){small.memory, 400 * CLUSTER};
    growing.memory.len = 100 * CLUSTER;
    ops = *growing.memory.io.ops;
    ops.size = growing_size;
    growing.memory.io.ops = &ops;
    small.image.io = &growing.memory.io;
    table = small_image_table(&small);
    scan(&small, &table, 1, &log);
    assert_int_equal(log.begun, N);
    assert_int_equal(table.counts.mapped_clusters, 9);
    log_free(&log);
    small_image_free(&small);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(l2_tables_come_in_guest_order),
        cmocka_unit_test(no_tables_are_no_work),
        cmocka_unit_test(an_empty_l1_table_gives_nothing),
        cmocka_unit_test(a_long_l1_table_is_read_to_its_end),
        cmocka_unit_test(an_l1_table_longer_than_the_disk),
        cmocka_unit_test(an_l1_table_shorter_than_the_disk),
        cmocka_unit_test(large_l2_tables_come_whole),
        cmocka_unit_test(a_shared_l2_table_is_walked_once_for_all),
        cmocka_unit_test(tables_of_other_disk_sizes_share_nothing),
        cmocka_unit_test(as_many_tables_as_a_scan_takes),
        cmocka_unit_test(damage_in_a_shared_table_is_told_once),
        cmocka_unit_test(damaged_l1_entries_are_told_and_left_out),
        cmocka_unit_test(an_unaligned_l1_entry_is_told_and_left_out),
        cmocka_unit_test(damage_behind_the_disk_is_not_told),
        cmocka_unit_test(a_table_named_again_is_walked_again_or_known),
        cmocka_unit_test(a_failing_read_is_passed_on_wherever_it_fails),
        cmocka_unit_test(what_end_returns_stops_the_scan),
        cmocka_unit_test(a_file_that_became_shorter_is_an_error),
        cmocka_unit_test(a_file_that_has_grown_is_read_to_its_new_end),
        cmocka_unit_test(tables_in_holes_are_empty),
        cmocka_unit_test(a_hole_ends_with_the_file_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
