// SPDX-License-Identifier: MIT
/* An image as it is opened: what is kept of it, and whether it has become another one since. */
#include "image.h"
#include "small_image.h"

#define SNAPSHOTS 5 /* the cluster of their table */

/* @n snapshots, whose table is longer than what is read of it at a time. */
static void make(struct small_image *small, uint32_t n)
{
    small_image_init(small, 12, 1 << 20, 1, 12);
    for (uint32_t i = 0; i < n; i++) { /* entries of 64 bytes */
        const char id[2] = {(char)('0' + i % 10), '\0'};

        small_image_add_snapshot(small, SNAPSHOTS, id, "s", 2, 1, 1 << 20);
    }
}

static bool has_changed(const struct small_image *small)
{
    struct err err = {0};
    bool changed = false;

    assert_int_equal(format_image_has_changed(&small->image, &changed, &err), 0);
    return changed;
}

/* Is a change of this byte noticed? */
static bool is_noticed(struct small_image *small, size_t off)
{
    bool changed;

    small->bytes[off] ^= 0x80;
    changed = has_changed(small);
    small->bytes[off] ^= 0x80;
    return changed;
}

static void what_it_is_opened_with_is_kept(void **state)
{
    struct small_image small;

    (void)state;
    make(&small, 2);
    small_image_open(&small, 1 << 20);
    assert_int_equal(small.image.file_bytes, 1 << 20);
    assert_int_equal(small.image.snapshots.n_list, 2);
    assert_int_equal(small.image.header.cluster_bits, 12);
    assert_memory_equal(small.image.first_bytes, small.bytes, FORMAT_IMAGE_FIRST_BYTES);
    small_image_free(&small);
    assert_int_equal(small.memory.n_closed, 0); /* it was borrowed */
    assert_null(small.image.io);
}

static void a_change_of_the_header_is_noticed(void **state)
{
    struct small_image small;

    (void)state;
    make(&small, 0);
    small_image_open(&small, small.len);
    assert_false(has_changed(&small));
    assert_true(is_noticed(&small, 0));
    assert_true(is_noticed(&small, 24));
    assert_true(is_noticed(&small, FORMAT_IMAGE_FIRST_BYTES - 1));
    assert_false(is_noticed(&small, FORMAT_IMAGE_FIRST_BYTES));
    small_image_free(&small);
}

static void a_change_of_the_snapshot_table_is_noticed(void **state)
{
    struct small_image small;
    size_t begin, end;

    (void)state;
    make(&small, 100);
    small_image_open(&small, small.len);
    begin = (size_t)small_image_at(&small, SNAPSHOTS);
    end = begin + 64 * 100;
    assert_int_equal(small.image.snapshots.table_bytes, end - begin);
    assert_false(has_changed(&small));
    for (size_t off = begin; off < end; off += 97)
        assert_true(is_noticed(&small, off));
    assert_true(is_noticed(&small, begin + 4095));
    assert_true(is_noticed(&small, begin + 4096));
    assert_true(is_noticed(&small, end - 1));
    assert_false(is_noticed(&small, end));
    assert_false(is_noticed(&small, begin - 1));
    small_image_free(&small);
}

/* Two changes that make up for one another in a sum. */
static void the_order_of_snapshots_is_noticed(void **state)
{
    struct small_image small;
    unsigned char *entries;

    (void)state;
    make(&small, 2);
    small_image_open(&small, small.len);
    entries = small.bytes + small_image_at(&small, SNAPSHOTS);
    entries[56] = '1';
    entries[64 + 56] = '0';
    assert_true(has_changed(&small));
    small_image_free(&small);
}

/* Each read once. */
static void whatever_cannot_be_read_is_an_error(void **state)
{
    struct small_image small;
    uint64_t n_reads;

    (void)state;
    make(&small, 100);
    small_image_open(&small, small.len);
    n_reads = small.memory.n_requests;
    format_image_close(&small.image);
    assert_in_range(n_reads, 5, 20); /* the table by pages */
    for (uint64_t i = 1; i <= n_reads; i++) {
        struct format_image image;
        struct err err = {0};

        small.memory.n_requests = 0;
        small.memory.fail_at = i;
        assert_int_equal(format_image_open(&small.memory.io, &image, &err), -EIO);
        assert_string_equal(err.text, IO_MEMORY_FAILS);
        assert_null(image.snapshots.list);
    }
    small.memory.fail_at = 0;
    small_image_open(&small, small.len);
    for (uint64_t i = 1; i <= 3; i++) { /* the header, and the table in two parts */
        struct err err = {0};
        bool changed = true;

        small.memory.n_requests = 0;
        small.memory.fail_at = i;
        assert_int_equal(format_image_has_changed(&small.image, &changed, &err), -EIO);
        assert_false(changed);
    }
    small.memory.n_requests = 0;
    small.memory.fail_at = 4;
    assert_false(has_changed(&small));
    small_image_free(&small);
}

static void metadata_are_looked_for_once(void **state)
{
    const struct format_metadata *first, *again;
    struct small_image small;
    struct err err = {0};
    uint64_t n_reads;
    bool all = false;

    (void)state;
    make(&small, 0);
    small_image_open(&small, small.len);
    small.memory.fail_at = small.memory.n_requests + 1;
    assert_int_equal(format_image_metadata(&small.image, &first, &all, &err), -EIO);
    small.memory.fail_at = 0;
    assert_int_equal(format_image_metadata(&small.image, &first, &all, &err), 0);
    assert_true(all);
    assert_true(first->n_list > 0);
    n_reads = small.memory.n_requests;
    all = false;
    assert_int_equal(format_image_metadata(&small.image, &again, &all, &err), 0);
    assert_true(all);
    assert_ptr_equal(first, again);
    assert_int_equal(small.memory.n_requests, n_reads);
    small_image_free(&small);
}

static void entries_are_read_by_the_rules_of_the_image(void **state)
{
    struct small_image small;
    struct format_entry_rules rules;

    (void)state;
    make(&small, 0);
    small_image_features(&small, FORMAT_INCOMPAT_EXTENDED_L2);
    put_be32(small.bytes + 20, 14);
    put_be64(small.bytes + 40, 32768);
    put_be64(small.bytes + 48, 16384);
    small_image_open(&small, 1 << 20);
    rules = format_image_rules(&small.image);
    assert_int_equal(rules.cluster_bits, 14);
    assert_int_equal(rules.cluster_bytes, 16384);
    assert_int_equal(rules.file_bytes, 1 << 20);
    assert_false(rules.version_2);
    assert_true(rules.extended_l2);
    assert_false(rules.external_data);
    format_image_close(&small.image);
    small_image_features(&small, FORMAT_INCOMPAT_DATA_FILE);
    small_image_open(&small, 1 << 20);
    rules = format_image_rules(&small.image);
    assert_false(rules.extended_l2);
    assert_true(rules.external_data);
    format_image_close(&small.image);
    put_be32(small.bytes + 4, 2);
    small_image_open(&small, 1 << 20);
    rules = format_image_rules(&small.image);
    assert_true(rules.version_2);
    assert_false(rules.external_data);
    small_image_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_is_opened_with_is_kept),
        cmocka_unit_test(a_change_of_the_header_is_noticed),
        cmocka_unit_test(a_change_of_the_snapshot_table_is_noticed),
        cmocka_unit_test(the_order_of_snapshots_is_noticed),
        cmocka_unit_test(whatever_cannot_be_read_is_an_error),
        cmocka_unit_test(metadata_are_looked_for_once),
        cmocka_unit_test(entries_are_read_by_the_rules_of_the_image),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
