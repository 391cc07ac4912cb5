// SPDX-License-Identifier: MIT
/* Proves the rule which L1 entries are followed, for entries of every kind. */
#include "follow.h"

#include "overlap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CLUSTER UINT64_C(4096)
#define FILE_BYTES (100 * CLUSTER)
#define COPIED FORMAT_ENTRY_COPIED
#define RESERVED UINT64_C(1)

/* The metadata of an image that was cut in its refcount table; the tables at 30 and 40 have several
 * names. */
static struct format_extent extents[] = {
    {0, CLUSTER, FORMAT_META_HEADER},
    {10 * CLUSTER, 11 * CLUSTER - 8, FORMAT_META_L1},
    {99 * CLUSTER, 105 * CLUSTER, FORMAT_META_REFTABLE},
};
static const struct format_metadata metadata = {extents, 3, 3};
static uint64_t repeated[] = {30 * CLUSTER, 40 * CLUSTER};
static const struct tables_overlap overlap = {
    .metadata = &metadata, .repeated = repeated, .n_repeated = 2, .looked = true};

static struct tables_followed follow(uint64_t raw, bool external_data)
{
    const struct format_entry_rules rules = {.cluster_bits = 12,
                                             .cluster_bytes = CLUSTER,
                                             .file_bytes = FILE_BYTES,
                                             .external_data = external_data};

    return tables_follow(&overlap, &rules, raw);
}

static void is_barred(uint64_t raw, enum tables_bar bar, enum format_finding_code damage)
{
    struct tables_followed followed = follow(raw, false);

    assert_int_equal(followed.bar, bar);
    assert_int_equal(followed.damage, damage);
    assert_int_equal(followed.l2_off, 0);
    assert_int_equal(followed.repeated, TABLES_NOT_REPEATED);
}

static void a_sound_entry_is_followed(void **state)
{
    struct tables_followed followed = follow(COPIED | 20 * CLUSTER, false);

    (void)state;
    assert_int_equal(followed.bar, TABLES_NO_BAR);
    assert_int_equal(followed.damage, FORMAT_SOUND);
    assert_int_equal(followed.l2_off, 20 * CLUSTER);
    assert_int_equal(followed.repeated, TABLES_NOT_REPEATED);
}

static void reserved_bits_do_not_matter(void **state)
{
    struct tables_followed followed = follow(RESERVED | 20 * CLUSTER, false);

    (void)state;
    assert_int_equal(followed.bar, TABLES_NO_BAR);
    assert_int_equal(followed.damage, FORMAT_FINDING_L1_RESERVED);
    assert_int_equal(followed.l2_off, 20 * CLUSTER);
}

static void what_points_nowhere_ends_there(void **state)
{
    (void)state;
    is_barred(0, TABLES_BAR_NOWHERE, FORMAT_SOUND);
    is_barred(COPIED, TABLES_BAR_NOWHERE, FORMAT_FINDING_L1_COPIED_EMPTY);
    is_barred(RESERVED, TABLES_BAR_NOWHERE, FORMAT_FINDING_L1_RESERVED);
}

static void a_table_needs_a_place(void **state)
{
    (void)state;
    is_barred(COPIED | (20 * CLUSTER + 512), TABLES_BAR_PLACE, FORMAT_FINDING_L1_UNALIGNED);
    is_barred(COPIED | 200 * CLUSTER, TABLES_BAR_PLACE, FORMAT_FINDING_L1_PAST_END);
    is_barred(COPIED | 105 * CLUSTER, TABLES_BAR_PLACE, FORMAT_FINDING_L1_PAST_END);
}

static void what_lies_on_metadata_is_not_read(void **state)
{
    (void)state;
    is_barred(COPIED | 10 * CLUSTER, TABLES_BAR_METADATA, FORMAT_SOUND);
    is_barred(COPIED | 99 * CLUSTER, TABLES_BAR_METADATA, FORMAT_SOUND);
    is_barred(RESERVED | 10 * CLUSTER, TABLES_BAR_METADATA, FORMAT_FINDING_L1_RESERVED);
    assert_string_equal(follow(COPIED | 10 * CLUSTER, false).under, "the L1 table");
    assert_string_equal(follow(COPIED | 99 * CLUSTER, false).under, "the refcount table");
}

/* The file ends in the refcount table: that is told as such, not as an entry past the end. */
static void the_end_of_a_cut_file_may_be_metadata(void **state)
{
    (void)state;
    is_barred(COPIED | 104 * CLUSTER, TABLES_BAR_METADATA, FORMAT_SOUND);
}

static void a_table_with_several_names_is_followed_and_known(void **state)
{
    struct tables_followed followed = follow(COPIED | 40 * CLUSTER, false);

    (void)state;
    assert_int_equal(followed.bar, TABLES_NO_BAR);
    assert_int_equal(followed.repeated, 1);
    assert_int_equal(followed.l2_off, 40 * CLUSTER);
}

static void with_a_data_file_it_is_a_reference_only(void **state)
{
    struct tables_followed followed = follow(COPIED | 30 * CLUSTER, true);

    (void)state;
    assert_int_equal(followed.bar, TABLES_BAR_DATA_FILE);
    assert_int_equal(followed.repeated, 0);
    assert_int_equal(followed.l2_off, 30 * CLUSTER);
    assert_int_equal(follow(COPIED | 20 * CLUSTER, true).bar, TABLES_NO_BAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_entry_is_followed),
        cmocka_unit_test(reserved_bits_do_not_matter),
        cmocka_unit_test(what_points_nowhere_ends_there),
        cmocka_unit_test(a_table_needs_a_place),
        cmocka_unit_test(what_lies_on_metadata_is_not_read),
        cmocka_unit_test(the_end_of_a_cut_file_may_be_metadata),
        cmocka_unit_test(a_table_with_several_names_is_followed_and_known),
        cmocka_unit_test(with_a_data_file_it_is_a_reference_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
