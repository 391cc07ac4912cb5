// SPDX-License-Identifier: MIT
/* Each reference to metadata, from which word of the file, and to how many bytes. */
#include "reference.h"

#include "small_image.h"

#include <errno.h>

#define CLUSTER UINT64_C(65536)
#define MANY 16

struct taker {
    struct format_reference list[MANY];
    size_t n;
    int ends; /* what is returned for the second one */
};

static int take(void *context, const struct format_reference *reference)
{
    struct taker *taker = context;

    assert_true(taker->n < MANY);
    taker->list[taker->n++] = *reference;
    return taker->n == 2 ? taker->ends : 0;
}

static void is(const struct taker *taker, size_t i, enum format_metadata_kind kind, uint64_t word,
               uint64_t off, uint64_t len_bytes, size_t index)
{
    assert_true(i < taker->n);
    assert_int_equal(taker->list[i].kind, kind);
    assert_int_equal(taker->list[i].word, word);
    assert_int_equal(taker->list[i].off, off);
    assert_int_equal(taker->list[i].len_bytes, len_bytes);
    assert_int_equal(taker->list[i].index, index);
}

/* Three entries in the active L1 table, five in that of a snapshot. */
static void make(struct small_image *small)
{
    small_image_init(small, 16, 3 * 8192 * CLUSTER, 3, 12);
    put_be32(small->bytes + 56, 2); /* clusters of refcount table */
    put_be64(small->bytes + 40, 3 * CLUSTER);
}

static void those_that_every_image_has(void **state)
{
    struct taker taker = {.n = 0};
    struct small_image small;

    (void)state;
    make(&small);
    small_image_open(&small, 12 * CLUSTER);
    assert_int_equal(format_references(&small.image, take, &taker), 0);
    assert_int_equal(taker.n, 3);
    is(&taker, 0, FORMAT_META_HEADER, FORMAT_NO_WORD, 0, CLUSTER, 0);
    is(&taker, 1, FORMAT_META_L1, 40, 3 * CLUSTER, 24, 0);
    is(&taker, 2, FORMAT_META_REFTABLE, 48, CLUSTER, 2 * CLUSTER, 0);
    small_image_free(&small);
}

static void snapshots_and_bitmaps(void **state)
{
    struct taker taker = {.n = 0};
    struct small_image small;

    (void)state;
    make(&small);
    small_image_bitmap(&small, 10 * CLUSTER, 8 * CLUSTER, 6);
    small_image_add_snapshot(&small, 5, "1", "bad", 999, 5, 8192 * CLUSTER);
    small_image_add_snapshot(&small, 5, "2", "good", 6, 5, 8192 * CLUSTER);
    small_image_open(&small, 12 * CLUSTER);
    assert_int_equal(small.image.bitmaps.n_list, 1);
    assert_int_equal(format_references(&small.image, take, &taker), 0);
    assert_int_equal(taker.n, 7);
    is(&taker, 3, FORMAT_META_BITMAP_DIRECTORY, 128, 10 * CLUSTER, 32, 0);
    is(&taker, 4, FORMAT_META_SNAPSHOT_TABLE, 64, 5 * CLUSTER, 128, 0);
    is(&taker, 5, FORMAT_META_BITMAP_TABLE, 10 * CLUSTER, 8 * CLUSTER, 48, 0);
    is(&taker, 6, FORMAT_META_SNAPSHOT_L1, 5 * CLUSTER + 64, 6 * CLUSTER, 40, 1);
    small_image_free(&small);
}

static void whoever_takes_them_may_end_it(void **state)
{
    struct taker taker = {.ends = -ECANCELED};
    struct small_image small;

    (void)state;
    make(&small);
    small_image_open(&small, 12 * CLUSTER);
    assert_int_equal(format_references(&small.image, take, &taker), -ECANCELED);
    assert_int_equal(taker.n, 2);
    small_image_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_every_image_has),
        cmocka_unit_test(snapshots_and_bitmaps),
        cmocka_unit_test(whoever_takes_them_may_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
