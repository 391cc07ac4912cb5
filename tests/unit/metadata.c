// SPDX-License-Identifier: MIT
/* Proves which stretches of the file are known as metadata, and that they are found again. */
#include "metadata.h"

#include "small_image.h"

#include <cmocka.h>

#define CLUSTER 512

/* Header, refcount table, L1 table; and a refcount block for each cluster that is named. */
static void begin(struct small_image *small)
{
    small_image_init(small, 9, 64 * 64 * CLUSTER, 64, 40);
}

static void collect(struct small_image *small, size_t max_refblocks,
                    struct format_metadata *metadata, bool all)
{
    struct err err = {0};
    bool got_all = !all;

    assert_int_equal(
        format_metadata_collect(&small->image, max_refblocks, metadata, &got_all, &err), 0);
    assert_int_equal(got_all, all);
}

static void extent_is(const struct format_metadata *metadata, size_t i, uint64_t begin,
                      uint64_t end, enum format_metadata_kind kind)
{
    assert_true(i < metadata->n_list);
    assert_int_equal(metadata->list[i].begin, begin * CLUSTER);
    assert_int_equal(metadata->list[i].end, end * CLUSTER);
    assert_int_equal(metadata->list[i].kind, kind);
}

static void release(struct small_image *small, struct format_metadata *metadata)
{
    format_metadata_free(metadata);
    assert_null(metadata->list);
    small_image_free(small);
}

static void what_every_image_has(void **state)
{
    struct small_image small;
    struct format_metadata metadata;

    (void)state;
    begin(&small);
    small_image_open(&small, 40 * CLUSTER);
    collect(&small, 10, &metadata, true);
    assert_int_equal(metadata.n_list, 3);
    extent_is(&metadata, 0, 0, 1, FORMAT_META_HEADER);
    extent_is(&metadata, 1, 1, 2, FORMAT_META_REFTABLE);
    extent_is(&metadata, 2, 2, 3, FORMAT_META_L1);
    release(&small, &metadata);
}

static void refcount_blocks_by_their_place(void **state)
{
    struct small_image small;
    struct format_metadata metadata;

    (void)state;
    begin(&small);
    small_image_put(&small, CLUSTER, 30 * CLUSTER);
    small_image_put(&small, CLUSTER + 8, 10 * CLUSTER);
    small_image_put(&small, CLUSTER + 16, 40 * CLUSTER); /* where the file ends */
    small_image_put(&small, 2 * CLUSTER - 8,
                    39 * CLUSTER | 511); /* reserved bits count for nothing */
    small_image_open(&small, 40 * CLUSTER);
    collect(&small, 3, &metadata, true);
    assert_int_equal(metadata.n_list, 6);
    extent_is(&metadata, 3, 10, 11, FORMAT_META_REFBLOCK);
    extent_is(&metadata, 4, 30, 31, FORMAT_META_REFBLOCK);
    extent_is(&metadata, 5, 39, 40, FORMAT_META_REFBLOCK);
    format_metadata_free(&metadata);
    collect(&small, 2, &metadata, false); /* too many: the first ones */
    assert_int_equal(metadata.n_list, 5);
    extent_is(&metadata, 4, 30, 31, FORMAT_META_REFBLOCK);
    release(&small, &metadata);
}

static void a_refcount_table_on_something_else_says_nothing(void **state)
{
    struct small_image small;
    struct format_metadata metadata;

    (void)state;
    begin(&small);
    put_be64(small.bytes + 48, 2 * CLUSTER); /* on the L1 table */
    small_image_put(&small, 2 * CLUSTER, 30 * CLUSTER);
    small_image_open(&small, 40 * CLUSTER);
    collect(&small, 10, &metadata, true);
    assert_int_equal(metadata.n_list, 2);
    extent_is(&metadata, 1, 2, 3, FORMAT_META_L1);
    release(&small, &metadata);
}

/* Two bitmaps; what overlaps is joined, what touches is not. */
static void bitmaps_and_what_overlaps(void **state)
{
    struct small_image small;
    struct format_metadata metadata;
    struct format_bitmap bitmaps[] = {{.table_off = 20 * CLUSTER, .table_bytes = 2 * CLUSTER},
                                      {.table_off = 22 * CLUSTER, .table_bytes = CLUSTER}};
    struct format_bitmaps was;

    (void)state;
    begin(&small);
    small_image_put(&small, CLUSTER, 21 * CLUSTER); /* a block inside the first table */
    small_image_open(&small, 40 * CLUSTER);
    was = small.image.bitmaps;
    small.image.bitmaps = (struct format_bitmaps){.list = bitmaps, .n_list = 2};
    small.image.header.bitmaps_off = 15 * CLUSTER;
    small.image.header.bitmaps_bytes = 32;
    collect(&small, 10, &metadata, true);
    assert_int_equal(metadata.n_list, 6);
    assert_int_equal(metadata.list[3].begin, 15 * CLUSTER);
    assert_int_equal(metadata.list[3].end, 15 * CLUSTER + 32);
    assert_int_equal(metadata.list[3].kind, FORMAT_META_BITMAP_DIRECTORY);
    extent_is(&metadata, 4, 20, 22, FORMAT_META_BITMAP_TABLE);
    extent_is(&metadata, 5, 22, 23, FORMAT_META_BITMAP_TABLE);
    small.image.bitmaps = was;
    release(&small, &metadata);
}

static void what_reaches_further_makes_the_whole_longer(void **state)
{
    struct small_image small;
    struct format_metadata metadata;
    struct format_bitmap bitmaps[] = {{.table_off = 20 * CLUSTER, .table_bytes = 2 * CLUSTER},
                                      {.table_off = 21 * CLUSTER, .table_bytes = 3 * CLUSTER}};
    struct format_bitmaps was;

    (void)state;
    begin(&small);
    small_image_open(&small, 40 * CLUSTER);
    was = small.image.bitmaps;
    small.image.bitmaps = (struct format_bitmaps){.list = bitmaps, .n_list = 2};
    collect(&small, 10, &metadata, true);
    assert_int_equal(metadata.n_list, 4);
    extent_is(&metadata, 3, 20, 24, FORMAT_META_BITMAP_TABLE);
    small.image.bitmaps = was;
    release(&small, &metadata);
}

static void what_is_there_is_found(void **state)
{
    struct format_extent list[] = {{10, 20, FORMAT_META_L1},
                                   {20, 30, FORMAT_META_REFTABLE},
                                   {50, 51, FORMAT_META_REFBLOCK},
                                   {60, 70, FORMAT_META_REFBLOCK}};
    const struct format_metadata metadata = {.list = list, .n_list = 4};

    (void)state;
    for (uint64_t off = 0; off < 80; off++) {
        for (uint64_t len = 1; len < 25; len++) {
            const struct format_extent *expected = NULL;

            for (size_t i = 4; i-- > 0;)
                if (list[i].begin < off + len && list[i].end > off)
                    expected = &list[i]; /* the first that it touches */
            assert_ptr_equal(format_metadata_find(&metadata, off, len), expected);
        }
    }
}

static void each_kind_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(format_metadata_name(FORMAT_META_HEADER), "the header");
    assert_string_equal(format_metadata_name(FORMAT_META_REFBLOCK), "a refcount block");
    for (int kind = 0; kind <= FORMAT_META_LUKS_HEADER; kind++)
        assert_non_null(format_metadata_name((enum format_metadata_kind)kind));
}

static void a_failing_disk_is_an_error(void **state)
{
    struct small_image small;
    struct format_metadata metadata;
    struct err err = {0};
    bool all;

    (void)state;
    begin(&small);
    small_image_open(&small, 40 * CLUSTER);
    small.memory.fail_at = small.memory.n_requests + 1;
    assert_int_equal(format_metadata_collect(&small.image, 10, &metadata, &all, &err), -EIO);
    assert_string_equal(err.text, IO_MEMORY_FAILS);
    release(&small, &metadata);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_every_image_has),
        cmocka_unit_test(refcount_blocks_by_their_place),
        cmocka_unit_test(a_refcount_table_on_something_else_says_nothing),
        cmocka_unit_test(bitmaps_and_what_overlaps),
        cmocka_unit_test(what_reaches_further_makes_the_whole_longer),
        cmocka_unit_test(what_is_there_is_found),
        cmocka_unit_test(each_kind_has_its_name),
        cmocka_unit_test(a_failing_disk_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
