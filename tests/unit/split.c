// SPDX-License-Identifier: MIT
/* Reads in parts that a server takes: none is lost, doubled, too long or askew. */
#include "split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_server_without_limits_is_read_by_sectors(void **state)
{
    struct io_split split;

    (void)state;
    assert_true(io_split_init(&split, 1000, 0, 0));
    assert_int_equal(split.minimum, 512);
    assert_int_equal(split.maximum, IO_SPLIT_PART_BYTES);
    assert_true(io_split_init(&split, 0, 1, UINT32_MAX));
    assert_int_equal(split.minimum, 512);
}

static void limits_that_make_no_sense_are_refused(void **state)
{
    struct io_split split;

    (void)state;
    assert_false(io_split_init(&split, 1000, 3, 0));
    assert_false(io_split_init(&split, 1000, 131072, 0));
    assert_false(io_split_init(&split, 1000, 4096, 2048));
    assert_false(io_split_init(&split, 1000, 1, 511));
    assert_false(io_split_init(&split, 1000, UINT64_MAX, UINT64_MAX));
    assert_true(io_split_init(&split, 1000, 65536, 65536));
    assert_true(io_split_init(&split, 1000, 512, 512));
}

/* A maximum that is no multiple of the minimum: the parts are shorter. */
static void no_part_is_too_long_or_askew(void **state)
{
    static const uint64_t limits[][2] = {{0, 0}, {1, 600}, {4096, 10000}, {65536, 65536}};

    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
        const uint64_t size = 1000003;
        struct io_split split;

        assert_true(io_split_init(&split, size, limits[i][0], limits[i][1]));
        for (uint64_t off = 0; off < size; off += 4099) {
            uint64_t begin = off, end = off + 70001 < size ? off + 70001 : size, covered;
            const uint64_t wanted = end;

            io_split_widen(&split, &begin, &end);
            assert_true(begin <= off && end >= wanted && end <= size);
            assert_true(off - begin < split.minimum && end - wanted < split.minimum);
            for (covered = begin; covered < end;) {
                uint32_t len = io_split_part(&split, covered, end);

                assert_true(len > 0 && covered % split.minimum == 0);
                assert_true(len % split.minimum == 0 || covered + len == size);
                assert_true(limits[i][1] == 0 || len <= limits[i][1]);
                covered += len;
            }
            assert_int_equal(covered, end);
        }
    }
}

static void an_export_of_the_greatest_size_has_an_end(void **state)
{
    uint64_t begin = INT64_MAX - 1, end = INT64_MAX;
    struct io_split split;

    (void)state;
    assert_true(io_split_init(&split, INT64_MAX, 65536, 0));
    io_split_widen(&split, &begin, &end);
    assert_true(begin == (INT64_MAX & ~UINT64_C(0xffff)) && end == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_without_limits_is_read_by_sectors),
        cmocka_unit_test(limits_that_make_no_sense_are_refused),
        cmocka_unit_test(no_part_is_too_long_or_askew),
        cmocka_unit_test(an_export_of_the_greatest_size_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
