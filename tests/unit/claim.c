// SPDX-License-Identifier: MIT
/*
 * Proves what metadata claim besides tables: the bits of bitmaps. That a table named at several
 * places counts for all who name it, and is no snapshot's own. And what is told of refcounts that
 * are wrong, and of data on top of metadata, word for word.
 */
#include "owner.h"

#include "finding.h"
#include "small_image.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CLUSTER 512
#define SPAN (UINT64_C(64) * CLUSTER)
#define REFBLOCK 3 /* the cluster of the only one: of the first 256 clusters */

struct trial {
    struct small_image small;
    struct format_findings findings;
    struct space_owners owners;
};

/* Four L1 entries, all on the disk; a refcount block, which counts what is here already. */
static void begin(struct trial *trial, size_t n_clusters)
{
    memset(trial, 0, sizeof(*trial));
    small_image_init(&trial->small, 9, 4 * SPAN, 4, n_clusters);
    small_image_put(&trial->small, CLUSTER, REFBLOCK * CLUSTER);
}

static void count(struct trial *trial, uint64_t cluster, uint16_t refcount)
{
    put_be16(trial->small.bytes + REFBLOCK * CLUSTER + 2 * cluster, refcount);
}

static void count_begun(struct trial *trial)
{
    for (uint64_t cluster = 0; cluster <= REFBLOCK; cluster++)
        count(trial, cluster, 1);
}

static void look_at_bytes(struct trial *trial, uint64_t file_bytes)
{
    const struct space_owner_options options = {.findings = &trial->findings};
    struct err err = {0};

    small_image_open(&trial->small, file_bytes);
    if (space_owner_find(&trial->small.image, &options, &trial->owners, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(trial->owners.known);
}

static void look(struct trial *trial, uint64_t n_clusters)
{
    look_at_bytes(trial, n_clusters * CLUSTER);
}

static void end(struct trial *trial)
{
    space_owners_free(&trial->owners);
    format_findings_free(&trial->findings);
    small_image_free(&trial->small);
}

/* An image in order with data at clusters 6 to 9, of which a test then spoils the refcounts. */
static void begin_counted(struct trial *trial)
{
    begin(trial, 20);
    count_begun(trial);
    small_image_l1(&trial->small, 2, 0, 5);
    count(trial, 5, 1);
    for (uint32_t i = 0; i < 4; i++) {
        small_image_l2(&trial->small, 5, i, (6 + i) * CLUSTER, 0);
        count(trial, 6 + i, 1);
    }
}

/* ---- bitmaps ---- */

/* One bitmap with its table of @n_entries at cluster @table; the directory is at cluster 9. */
static void put_bitmap(struct trial *trial, uint64_t table, uint32_t n_entries)
{
    small_image_bitmap(&trial->small, 9 * CLUSTER, table * CLUSTER, n_entries);
}

static void the_bits_of_a_bitmap_are_metadata(void **state)
{
    static const uint64_t entries[] = {
        12 * CLUSTER,                     /* the only two that hold a cluster */
        0,                                /* zeros */
        1,                                /* ones */
        13 * CLUSTER | 1,                 /* reserved beside an offset */
        14 * CLUSTER | 2,                 /* reserved */
        15 * CLUSTER | UINT64_C(1) << 56, /* reserved */
        40 * CLUSTER,                     /* where the file ends */
        39 * CLUSTER,
    };
    struct trial trial;

    (void)state;
    begin(&trial, 20);
    put_bitmap(&trial, 10, 8);
    for (uint32_t i = 0; i < 8; i++)
        small_image_put(&trial.small, 10 * CLUSTER + 8 * i, entries[i]);
    look(&trial, 40);
    /* Header, refcount table, L1 table and block; directory, table, and two clusters of bits. */
    assert_int_equal(trial.owners.bytes[SPACE_OWNER_METADATA], 8 * CLUSTER);
    assert_int_equal(trial.owners.end_bytes, 40 * CLUSTER);
    end(&trial);
}

static void clusters_of_bits_begin_at_a_cluster(void **state)
{
    struct trial trial;

    (void)state;
    memset(&trial, 0, sizeof(trial));
    small_image_init(&trial.small, 10, 4 * SPAN, 1, 20);
    put_bitmap(&trial, 20, 1);
    put_be64(trial.small.bytes + 128, 9 * 1024);
    memmove(trial.small.bytes + 9 * 1024, trial.small.bytes + 9 * CLUSTER, 32);
    small_image_put(&trial.small, 20 * CLUSTER, 23 * CLUSTER); /* half a cluster too far */
    look(&trial, 40);
    assert_int_equal(trial.owners.bytes[SPACE_OWNER_METADATA], 5 * 1024);
    end(&trial);
}

/* More of them than are read at a time, which are 8192. */
static void a_long_table_of_bits_is_read_to_its_end(void **state)
{
    static const uint32_t n_entries[] = {8192, 8193, 16390};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint64_t clusters = (8 * (uint64_t)n_entries[i] + CLUSTER - 1) / CLUSTER;
        struct trial trial;

        begin(&trial, 10 + clusters);
        put_bitmap(&trial, 10, n_entries[i]);
        small_image_put(&trial.small, 10 * CLUSTER + 8 * (n_entries[i] - 1), 500 * CLUSTER);
        look(&trial, 501);
        assert_int_equal(trial.owners.bytes[SPACE_OWNER_METADATA], (5 + clusters + 1) * CLUSTER);
        assert_int_equal(trial.owners.end_bytes, 501 * CLUSTER);
        end(&trial);
    }
}

/* ---- tables that are named twice ---- */

/* A snapshot, its L1 table at cluster @l1, in a snapshot table at cluster 8. */
static void put_snapshot(struct trial *trial, uint64_t l1)
{
    small_image_snapshot(&trial->small, 8, l1, 4 * SPAN);
}

/* The table at 5 is named @n times by the snapshot, with data at 6. */
static void snapshot_names(struct trial *trial, uint32_t n)
{
    begin(trial, 20);
    count_begun(trial);
    put_snapshot(trial, 4);
    count(trial, 8, 1);
    count(trial, 4, 1);
    count(trial, 5, (uint16_t)n);
    count(trial, 6, (uint16_t)n);
    for (uint32_t i = 0; i < n; i++)
        small_image_l1(&trial->small, 4, i, 5);
    small_image_l2(&trial->small, 5, 7, 6 * CLUSTER, 0);
    look(trial, 20);
    assert_int_equal(trial->findings.total, 0);
    assert_int_equal(trial->owners.low + trial->owners.high, 0);
    assert_int_equal(trial->owners.bytes[SPACE_OWNER_SNAPSHOT], CLUSTER);
    assert_int_equal(trial->owners.n_snapshots, 1);
    assert_true(trial->owners.exclusive_clusters[0].known);
}

static void what_a_snapshot_names_once_is_its_own(void **state)
{
    struct trial trial;

    (void)state;
    snapshot_names(&trial, 1);
    assert_int_equal(trial.owners.exclusive_clusters[0].value, 3); /* L1, L2, data */
    end(&trial);
}

/* Deleting it would not free these: their refcounts are above one. */
static void what_a_snapshot_names_twice_is_not_its_own(void **state)
{
    struct trial trial;

    (void)state;
    snapshot_names(&trial, 2);
    assert_int_equal(trial.owners.exclusive_clusters[0].value, 1);
    end(&trial);
    snapshot_names(&trial, 3);
    assert_int_equal(trial.owners.exclusive_clusters[0].value, 1);
    end(&trial);
}

/* The active state and the snapshot name one table, each at another index. */
static void a_table_of_both_is_active(void **state)
{
    struct trial trial;

    (void)state;
    begin(&trial, 20);
    count_begun(&trial);
    put_snapshot(&trial, 4);
    count(&trial, 8, 1);
    count(&trial, 4, 1);
    count(&trial, 5, 3);
    count(&trial, 6, 3);
    small_image_l1(&trial.small, 4, 0, 5);
    small_image_l1(&trial.small, 2, 1, 5);
    small_image_l1(&trial.small, 2, 3, 5);
    small_image_l2(&trial.small, 5, 7, 6 * CLUSTER, 0);
    look(&trial, 20);
    assert_int_equal(trial.findings.total, 0);
    assert_int_equal(trial.owners.bytes[SPACE_OWNER_ACTIVE], CLUSTER);
    assert_int_equal(trial.owners.bytes[SPACE_OWNER_SNAPSHOT], 0);
    assert_int_equal(trial.owners.exclusive_clusters[0].value, 1);
    end(&trial);
}

/* ---- where the file ends ---- */

/* Cluster 9 has data. */
static void a_cluster_counts_as_far_as_the_file_goes(void **state)
{
    struct trial trial;

    (void)state;
    begin_counted(&trial);
    trial.small.len = 9 * CLUSTER + 100;
    look_at_bytes(&trial, 9 * CLUSTER + 100);
    assert_int_equal(trial.findings.total, 0);
    assert_int_equal(trial.owners.bytes[SPACE_OWNER_ACTIVE], 3 * CLUSTER + 100);
    assert_int_equal(trial.owners.end_bytes, 10 * CLUSTER);
    assert_int_equal(trial.owners.tail_bytes, 0);
    end(&trial);
}

static void a_leak_counts_as_far_as_the_file_goes(void **state)
{
    struct trial trial;

    (void)state;
    begin_counted(&trial);
    count(&trial, 11, 1);
    trial.small.len = 11 * CLUSTER + 100;
    look_at_bytes(&trial, 11 * CLUSTER + 100);
    assert_int_equal(trial.owners.bytes[SPACE_OWNER_LEAKED], 100);
    assert_int_equal(trial.owners.bytes[SPACE_OWNER_FREE], 2 * CLUSTER);
    assert_int_equal(trial.owners.end_bytes, 12 * CLUSTER);
    end(&trial);
}

static void a_refcount_behind_the_file_is_nothing(void **state)
{
    struct trial trial;

    (void)state;
    begin_counted(&trial);
    count(&trial, 12, 1);
    trial.small.len = 12 * CLUSTER;
    look_at_bytes(&trial, 12 * CLUSTER);
    assert_int_equal(trial.owners.bytes[SPACE_OWNER_LEAKED], 0);
    assert_int_equal(trial.owners.end_bytes, 10 * CLUSTER);
    assert_int_equal(trial.owners.tail_bytes, 2 * CLUSTER);
    end(&trial);
}

/* ---- refcounts that are wrong ---- */

static void told(const struct trial *trial, size_t i, enum format_finding_code code,
                 const char *where, uint64_t place, const char *message)
{
    const struct format_finding *finding = &trial->findings.list[i];

    assert_true(i < trial->findings.n_list);
    assert_string_equal(finding->message, message);
    assert_string_equal(finding->where, where);
    assert_int_equal(finding->code, code);
    assert_true(finding->has_host_off);
    assert_int_equal(finding->host_off, place);
}

static void right_refcounts_are_not_told(void **state)
{
    struct trial trial;

    (void)state;
    begin_counted(&trial);
    look(&trial, 20);
    assert_int_equal(trial.findings.total, 0);
    assert_int_equal(trial.owners.bytes[SPACE_OWNER_LEAKED], 0);
    end(&trial);
}

static void one_refcount_that_is_too_low(void **state)
{
    struct trial trial;

    (void)state;
    begin_counted(&trial);
    count(&trial, 7, 0);
    look(&trial, 20);
    assert_int_equal(trial.findings.total, 1);
    told(&trial, 0, FORMAT_FINDING_REFCOUNT_LOW, "refcount[7]", REFBLOCK * CLUSTER + 14,
         "the cluster has refcount 0, but 1 reference; a program that writes may overwrite what is "
         "there");
    assert_int_equal(trial.owners.low, 1);
    end(&trial);
}

static void the_header_has_no_refcount(void **state)
{
    struct trial trial;

    (void)state;
    begin_counted(&trial);
    count(&trial, 0, 0);
    look(&trial, 20);
    assert_int_equal(trial.findings.total, 1);
    told(&trial, 0, FORMAT_FINDING_REFCOUNT_LOW, "refcount[0]", REFBLOCK * CLUSTER,
         "the cluster has refcount 0, but 1 reference; a program that writes may overwrite the "
         "header");
    end(&trial);
}

static void a_shared_cluster_whose_refcount_says_it_is_not(void **state)
{
    struct trial trial;

    (void)state;
    begin_counted(&trial);
    small_image_l2(&trial.small, 5, 1, 6 * CLUSTER, 0); /* 6 twice, 7 not at all */
    look(&trial, 20);
    assert_int_equal(trial.findings.total, 1);
    told(&trial, 0, FORMAT_FINDING_REFCOUNT_LOW, "refcount[6]", REFBLOCK * CLUSTER + 12,
         "the cluster has refcount 1, but 2 references; a write through one of them changes what "
         "the others see");
    assert_int_equal(trial.owners.bytes[SPACE_OWNER_LEAKED], CLUSTER);
    end(&trial);
}

static void several_refcounts_that_are_too_high_alike(void **state)
{
    struct trial trial;

    (void)state;
    begin_counted(&trial);
    count(&trial, 6, 3);
    count(&trial, 7, 3);
    count(&trial, 8, 3);
    look(&trial, 20);
    assert_int_equal(trial.findings.total, 1);
    told(&trial, 0, FORMAT_FINDING_REFCOUNT_HIGH, "refcount[6]", REFBLOCK * CLUSTER + 12,
         "3 clusters from here on have refcount 3, but 1 reference each; the space will not be "
         "given back");
    assert_int_equal(trial.owners.high, 3);
    assert_int_equal(trial.owners.low, 0);
    end(&trial);
}

/* What differs, or lies apart, is told apart. */
static void refcounts_that_are_not_alike_are_told_apart(void **state)
{
    struct trial trial;

    (void)state;
    begin_counted(&trial);
    count(&trial, 6, 3);
    count(&trial, 7, 2);
    count(&trial, 9, 2);
    look(&trial, 20);
    assert_int_equal(trial.findings.total, 3);
    assert_string_equal(trial.findings.list[0].where, "refcount[6]");
    assert_string_equal(trial.findings.list[1].where, "refcount[7]");
    assert_string_equal(trial.findings.list[2].where, "refcount[9]");
    assert_int_equal(trial.owners.high, 3);
    end(&trial);
}

/* ---- data on top of metadata ---- */

static void data_on_top_of_metadata_is_told(void **state)
{
    struct trial trial;
    size_t n = 0;

    (void)state;
    begin_counted(&trial);
    small_image_l2(&trial.small, 5, 2, 2 * CLUSTER, 0); /* the L1 table */
    look(&trial, 20);
    for (size_t i = 0; i < trial.findings.n_list; i++) {
        if (trial.findings.list[i].code != FORMAT_FINDING_DATA_OVERLAP)
            continue;
        n++;
        told(&trial, i, FORMAT_FINDING_DATA_OVERLAP, "l2[0][2]", 5 * CLUSTER + 16,
             "entry 0x0000000000000400 points into the L1 table, where no data can be");
    }
    assert_int_equal(n, 1);
    end(&trial);
}

static void data_on_top_of_an_l2_table_is_told(void **state)
{
    struct trial trial;
    size_t n = 0;

    (void)state;
    begin_counted(&trial);
    put_snapshot(&trial, 4); /* its table is at 11 */
    small_image_l1(&trial.small, 4, 2, 11);
    small_image_l2(&trial.small, 11, 3, 5 * CLUSTER, 0);
    look(&trial, 20);
    for (size_t i = 0; i < trial.findings.n_list; i++) {
        if (trial.findings.list[i].code != FORMAT_FINDING_DATA_OVERLAP)
            continue;
        if (n++ == 1)
            told(&trial, i, FORMAT_FINDING_DATA_OVERLAP, "snapshot[0] l2[2][3]", 11 * CLUSTER + 24,
                 "entry 0x0000000000000a00 points into an L2 table or the bits of a bitmap, where "
                 "no data can be");
    }
    assert_int_equal(n, 2); /* the active data at 8 lies on the snapshot table */
    end(&trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bits_of_a_bitmap_are_metadata),
        cmocka_unit_test(clusters_of_bits_begin_at_a_cluster),
        cmocka_unit_test(a_long_table_of_bits_is_read_to_its_end),
        cmocka_unit_test(what_a_snapshot_names_once_is_its_own),
        cmocka_unit_test(what_a_snapshot_names_twice_is_not_its_own),
        cmocka_unit_test(a_table_of_both_is_active),
        cmocka_unit_test(a_cluster_counts_as_far_as_the_file_goes),
        cmocka_unit_test(a_leak_counts_as_far_as_the_file_goes),
        cmocka_unit_test(a_refcount_behind_the_file_is_nothing),
        cmocka_unit_test(right_refcounts_are_not_told),
        cmocka_unit_test(one_refcount_that_is_too_low),
        cmocka_unit_test(the_header_has_no_refcount),
        cmocka_unit_test(a_shared_cluster_whose_refcount_says_it_is_not),
        cmocka_unit_test(several_refcounts_that_are_too_high_alike),
        cmocka_unit_test(refcounts_that_are_not_alike_are_told_apart),
        cmocka_unit_test(data_on_top_of_metadata_is_told),
        cmocka_unit_test(data_on_top_of_an_l2_table_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
