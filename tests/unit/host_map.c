// SPDX-License-Identifier: MIT
/*
 * Proves what each flag of an extent comes to, that every offset lies in one segment, and that
 * extents are counted as filefrag counts them.
 */
#include "map.h"

#include "dice.h"
#include "err.h"
#include "io_memory.h"
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

#define K UINT64_C(1024)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct host_map *map_of(const struct host_fiemap_extent *list, size_t n)
{
    struct kernel kernel = {.list = list, .n_list = n};
    struct host_fiemap_source source = kernel_source(&kernel);
    struct host_map *map = NULL;
    struct err err = {0};

    if (host_map_read(&source, HOST_SEGMENTS_MAX, &map, &err) < 0)
        fail_msg("%s", err.text);
    return map;
}

static void check_segment(const struct host_map *map, size_t i, uint64_t file_off,
                          enum host_kind kind, uint64_t physical)
{
    assert_true(i < map->n_segments);
    assert_int_equal(map->segments[i].file_off, file_off);
    assert_int_equal(map->segments[i].kind, kind);
    assert_int_equal(map->segments[i].physical, physical);
}

/* ---- segments ---- */

static void an_empty_file_is_one_hole(void **state)
{
    struct host_map *map = map_of(NULL, 0);

    (void)state;
    assert_int_equal(map->n_segments, 1);
    check_segment(map, 0, 0, HOST_HOLE, 0);
    assert_int_equal(host_map_end(map, 0), UINT64_MAX);
    assert_int_equal(map->extents, 0);
    assert_int_equal(map->extent_bytes, 0);
    host_map_free(map);
}

static void what_no_extent_covers_is_a_hole(void **state)
{
    static const struct host_fiemap_extent list[] = {{4 * K, 4 * K, 100 * K, 0},
                                                     {16 * K, 8 * K, 200 * K, 0}};
    struct host_map *map = map_of(list, 2);

    (void)state;
    assert_int_equal(map->n_segments, 5);
    check_segment(map, 0, 0, HOST_HOLE, 0);
    check_segment(map, 1, 4 * K, HOST_DATA, 100 * K);
    check_segment(map, 2, 8 * K, HOST_HOLE, 0);
    check_segment(map, 3, 16 * K, HOST_DATA, 200 * K);
    check_segment(map, 4, 24 * K, HOST_HOLE, 0);
    assert_int_equal(map->extents, 2);
    assert_int_equal(map->extent_bytes, 12 * K);
    host_map_free(map);
}

static void neighbours_that_go_on_are_one_segment(void **state)
{
    static const struct host_fiemap_extent list[] = {
        {0, 4 * K, 100 * K, 0},
        {4 * K, 4 * K, 104 * K, FIEMAP_EXTENT_SHARED},
        {8 * K, 4 * K, 108 * K, FIEMAP_EXTENT_MERGED},
        {12 * K, 4 * K, 108 * K, 0}, /* another place */
        {16 * K, 4 * K, 112 * K, FIEMAP_EXTENT_UNWRITTEN},
        {20 * K, 4 * K, 900 * K, FIEMAP_EXTENT_UNWRITTEN},
        {24 * K, 4 * K, 0, FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC},
        {28 * K, 4 * K, 0, FIEMAP_EXTENT_UNKNOWN},
    };
    struct host_map *map = map_of(list, COUNT(list));

    (void)state;
    assert_int_equal(map->n_segments, 5);
    check_segment(map, 0, 0, HOST_DATA, 100 * K);
    check_segment(map, 1, 12 * K, HOST_DATA, 108 * K);
    check_segment(map, 2, 16 * K, HOST_HOLE, 0);
    check_segment(map, 3, 24 * K, HOST_UNPLACED, 0);
    check_segment(map, 4, 32 * K, HOST_HOLE, 0);
    assert_int_equal(map->unplaced_bytes, 8 * K);
    host_map_free(map);
}

static void a_hole_behind_what_is_not_written_is_the_same_hole(void **state)
{
    static const struct host_fiemap_extent list[] = {{0, 4 * K, 100 * K, FIEMAP_EXTENT_UNWRITTEN},
                                                     {8 * K, 4 * K, 104 * K, 0}};
    struct host_map *map = map_of(list, 2);

    (void)state;
    assert_int_equal(map->n_segments, 3);
    check_segment(map, 0, 0, HOST_HOLE, 0);
    check_segment(map, 1, 8 * K, HOST_DATA, 104 * K);
    host_map_free(map);
}

static void each_flag_has_one_meaning(void **state)
{
    static const struct {
        uint32_t flags;
        enum host_kind kind;
        uint32_t unknown;
    } cases[] = {
        {0, HOST_DATA, 0},
        {FIEMAP_EXTENT_LAST, HOST_DATA, 0},
        {FIEMAP_EXTENT_UNKNOWN, HOST_UNPLACED, 0},
        {FIEMAP_EXTENT_DELALLOC, HOST_UNPLACED, 0},
        {FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC, HOST_UNPLACED, 0},
        {FIEMAP_EXTENT_ENCODED, HOST_ENCODED, 0},
        {FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_SHARED, HOST_ENCODED, 0},
        {FIEMAP_EXTENT_DATA_ENCRYPTED, HOST_DATA, 0},
        {FIEMAP_EXTENT_DATA_ENCRYPTED | FIEMAP_EXTENT_ENCODED, HOST_ENCODED, 0},
        {FIEMAP_EXTENT_NOT_ALIGNED, HOST_DATA, 0},
        {FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED, HOST_UNPLACED, 0},
        {FIEMAP_EXTENT_DATA_TAIL | FIEMAP_EXTENT_NOT_ALIGNED, HOST_DATA, 0},
        {FIEMAP_EXTENT_UNWRITTEN, HOST_HOLE, 0},
        {FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_UNKNOWN, HOST_HOLE, 0},
        {FIEMAP_EXTENT_MERGED, HOST_DATA, 0},
        {FIEMAP_EXTENT_SHARED, HOST_DATA, 0},
        {0x40000000, HOST_DATA, 0x40000000},
        {0x00010010 | FIEMAP_EXTENT_LAST, HOST_DATA, 0x00010010},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct host_fiemap_extent extent = {0, 4 * K, 100 * K + 7, cases[i].flags};
        struct host_map *map = map_of(&extent, 1);

        if (map->segments[0].kind != cases[i].kind)
            fail_msg("flags 0x%x: kind %u", cases[i].flags, map->segments[0].kind);
        assert_int_equal(map->unknown_flags, cases[i].unknown);
        assert_int_equal(map->segments[0].physical,
                         host_kind_is_placed(cases[i].kind) ? 100 * K + 7 : 0);
        assert_int_equal(map->unplaced_bytes, cases[i].kind == HOST_UNPLACED ? 4 * K : 0);
        assert_int_equal(map->extents, 1);
        host_map_free(map);
    }
}

/* Sums of such places would wrap. */
static void places_beyond_all_devices_are_none(void **state)
{
    static const struct host_fiemap_extent list[] = {
        {0, 4 * K, UINT64_MAX - 5, 0},
        {4 * K, 4 * K, HOST_PLACED_END - 4 * K + 1, 0},
        {8 * K, 4 * K, HOST_PLACED_END - 4 * K, 0}, /* just fits */
        {HOST_PLACED_END - 4 * K, 8 * K, 4 * K, 0},
    };
    struct host_map *map = map_of(list, COUNT(list));

    (void)state;
    check_segment(map, 0, 0, HOST_UNPLACED, 0);
    check_segment(map, 1, 8 * K, HOST_DATA, HOST_PLACED_END - 4 * K);
    check_segment(map, 3, HOST_PLACED_END - 4 * K, HOST_UNPLACED, 0);
    assert_int_equal(map->unplaced_bytes, 16 * K);
    host_map_free(map);
}

/* ---- looking up ---- */

static void each_offset_lies_in_the_segment_that_covers_it(void **state)
{
    enum { N = 500 };
    static struct host_fiemap_extent list[N];
    struct dice dice = dice_of(2);
    struct host_map *map;
    uint64_t at = 0;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        at += dice_below(&dice, 3) * 4 * K;
        list[i] = (struct host_fiemap_extent){at, (1 + dice_below(&dice, 4)) * 4 * K,
                                              dice_below(&dice, 1 << 20) * 4 * K,
                                              dice_once_in(&dice, 5) ? FIEMAP_EXTENT_UNWRITTEN : 0};
        at += list[i].bytes;
    }
    map = map_of(list, N);
    for (uint64_t off = 0; off < at + 10 * K; off += 512) {
        size_t segment = host_map_find(map, off);
        uint64_t physical = 0, expected = 0;
        bool placed = false;

        assert_true(map->segments[segment].file_off <= off && off < host_map_end(map, segment));
        for (size_t i = 0; i < N; i++)
            if (off >= list[i].file_off && off - list[i].file_off < list[i].bytes) {
                placed = !(list[i].flags & FIEMAP_EXTENT_UNWRITTEN);
                expected = list[i].physical + off - list[i].file_off;
            }
        assert_int_equal(host_map_look_up(map, off, &physical), placed);
        if (placed)
            assert_int_equal(physical, expected);
    }
    assert_int_equal(host_map_find(map, UINT64_MAX), map->n_segments - 1);
    host_map_free(map);
}

/* ---- compressed by the file system ---- */

static void a_stored_length_ends_where_something_else_begins(void **state)
{
    static const struct host_fiemap_extent list[] = {
        {0, 128 * K, 1000 * K, FIEMAP_EXTENT_ENCODED},
        {128 * K, 128 * K, 1004 * K, FIEMAP_EXTENT_ENCODED},
        {256 * K, 128 * K, 2000 * K, FIEMAP_EXTENT_ENCODED}, /* nothing behind it */
        {384 * K, 4 * K, 1024 * K, 0},
    };
    struct host_map *map = map_of(list, COUNT(list));

    (void)state;
    assert_int_equal(map->segments[0].stored_bytes, 4 * K);
    assert_int_equal(map->segments[1].stored_bytes, 20 * K);
    assert_int_equal(map->segments[2].stored_bytes, 128 * K);
    assert_int_equal(map->extents, 4);
    host_map_free(map);
}

/* A write into the middle leaves two pieces of one stored extent: both begin with it. */
static void parts_of_one_stored_extent_have_one_place(void **state)
{
    static const struct host_fiemap_extent list[] = {
        {0, 20 * K, 1000 * K, FIEMAP_EXTENT_ENCODED},
        {20 * K, 4 * K, 1032 * K, 0},
        {24 * K, 104 * K, 1000 * K, FIEMAP_EXTENT_ENCODED},
        {128 * K, 128 * K, 1008 * K, FIEMAP_EXTENT_ENCODED},
    };
    struct host_map *map = map_of(list, COUNT(list));
    uint64_t physical;

    (void)state;
    assert_int_equal(map->segments[0].stored_bytes, 8 * K);
    assert_int_equal(map->segments[2].stored_bytes, 8 * K);
    assert_true(host_map_look_up(map, 24 * K, &physical));
    assert_int_equal(physical, 1000 * K);
    host_map_free(map);
}

static void inside_a_stored_extent_places_rise_to_its_end(void **state)
{
    static const struct host_fiemap_extent list[] = {
        {0, 128 * K, 1000 * K, FIEMAP_EXTENT_ENCODED},
        {128 * K, 4 * K, 1012 * K, 0},
    };
    struct host_map *map = map_of(list, 2);
    uint64_t before = 0;

    (void)state;
    for (uint64_t off = 0; off <= 128 * K; off += 100) {
        uint64_t place = host_map_place(map, 0, off);

        assert_true(place >= before && place >= 1000 * K && place <= 1012 * K);
        before = place;
    }
    assert_int_equal(host_map_place(map, 0, 64 * K), 1006 * K);
    assert_int_equal(host_map_place(map, 0, 128 * K), 1012 * K);
    host_map_free(map);
}

/* No file system has one; its length would not fit. */
static void a_stored_extent_of_4_gib_is_taken_as_plain(void **state)
{
    static const struct host_fiemap_extent list[] = {
        {0, UINT64_C(1) << 32, 1000 * K, FIEMAP_EXTENT_ENCODED}};
    struct host_map *map = map_of(list, 1);

    (void)state;
    check_segment(map, 0, 0, HOST_DATA, 1000 * K);
    host_map_free(map);
}

/* ---- the count of extents ---- */

/* As `filefrag FILE` prints for such extents; tests/cli/host.bats asks it about real files. */
static void extents_are_counted_as_filefrag_does(void **state)
{
    static const struct {
        struct host_fiemap_extent list[4];
        size_t n;
        uint64_t extents;
    } cases[] = {
        {{{0, 4 * K, 100 * K, 0}}, 1, 1},
        {{{8 * K, 4 * K, 100 * K, 0}}, 1, 1},
        {{{0, 4 * K, 100 * K, 0}, {4 * K, 4 * K, 104 * K, 0}}, 2, 1},
        {{{0, 4 * K, 100 * K, 0}, {4 * K, 4 * K, 108 * K, 0}}, 2, 2},
        {{{0, 4 * K, 100 * K, 0}, {4 * K, 4 * K, 96 * K, 0}}, 2, 2},
        {{{0, 4 * K, 100 * K, 0}, {12 * K, 4 * K, 112 * K, 0}}, 2, 1}, /* a hole in step */
        {{{0, 4 * K, 100 * K, 0}, {12 * K, 4 * K, 104 * K, 0}}, 2, 1}, /* a hole, and no gap */
        {{{0, 4 * K, 100 * K, 0}, {12 * K, 4 * K, 108 * K, 0}}, 2, 2},
        /* Space that was allocated and not written to counts as any other. */
        {{{0, 4 * K, 100 * K, 0},
          {4 * K, 4 * K, 104 * K, FIEMAP_EXTENT_UNWRITTEN},
          {8 * K, 4 * K, 108 * K, 0}},
         3,
         1},
        {{{0, 4 * K, 100 * K, 0}, {4 * K, 4 * K, 500 * K, FIEMAP_EXTENT_UNWRITTEN}}, 2, 2},
        /* Not on the disk yet: filefrag compares the place 0 that comes along. */
        {{{0, 4 * K, 100 * K, 0},
          {4 * K, 4 * K, 0, FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC},
          {8 * K, 4 * K, 108 * K, 0}},
         3,
         3},
        /* Compressed: a length in the file, compared with a distance on the device. */
        {{{0, 128 * K, 100 * K, FIEMAP_EXTENT_ENCODED},
          {128 * K, 128 * K, 104 * K, FIEMAP_EXTENT_ENCODED}},
         2,
         2},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct host_map *map = map_of(cases[i].list, cases[i].n);

        if (map->extents != cases[i].extents)
            fail_msg("case %zu: %llu extents", i, (unsigned long long)map->extents);
        host_map_free(map);
    }
}

/* ---- too many, and none at all ---- */

static int ask_endless(void *context, struct fiemap *request)
{
    (void)context;
    for (uint32_t i = 0; i < request->fm_extent_count; i++)
        request->fm_extents[i] = (struct fiemap_extent){
            .fe_logical = request->fm_start + 2 * i, .fe_length = 1, .fe_physical = i};
    request->fm_mapped_extents = request->fm_extent_count;
    return 0;
}

static void absurdly_many_extents_are_given_up(void **state)
{
    struct host_fiemap_source source = {ask_endless, NULL};
    struct host_map *map = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(host_map_read(&source, 10000, &map, &err), -EFBIG);
    assert_string_equal(err.text,
                        "the file is cut into 80000 pieces or more by holes, which are too many to "
                        "follow them");
    assert_null(map);
}

/* As many as are in *@context, each apart from the one before. */
static int ask_many(void *context, struct fiemap *request)
{
    uint64_t first = request->fm_start / 2, n = *(uint64_t *)context;

    for (uint32_t i = 0; i < request->fm_extent_count && first + i < n; i++)
        request->fm_extents[request->fm_mapped_extents++] =
            (struct fiemap_extent){.fe_logical = 2 * (first + i),
                                   .fe_length = 1,
                                   .fe_physical = 1000 - first - i,
                                   .fe_flags = first + i + 1 == n ? FIEMAP_EXTENT_LAST : 0};
    return 0;
}

static void extents_that_are_too_many_to_follow_are_counted(void **state)
{
    uint64_t n = 900;
    struct host_fiemap_source source = {ask_many, &n};
    struct host_map *map = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(host_map_read(&source, 1799, &map, &err), -EFBIG);
    assert_string_equal(err.text,
                        "the file lies in 900 extents, which are too many to follow them");
    assert_null(map);
    err = (struct err){0};
    assert_int_equal(host_map_read(&source, 1800, &map, &err), 0);
    assert_int_equal(map->extents, 900);
    host_map_free(map);
}

/* As many as are in *@context, with holes in step between them: they are one extent. */
static int ask_holey(void *context, struct fiemap *request)
{
    uint64_t first = request->fm_start / 2, n = *(uint64_t *)context;

    for (uint32_t i = 0; i < request->fm_extent_count && first + i < n; i++)
        request->fm_extents[request->fm_mapped_extents++] =
            (struct fiemap_extent){.fe_logical = 2 * (first + i),
                                   .fe_length = 1,
                                   .fe_physical = 5000 + 2 * (first + i),
                                   .fe_flags = first + i + 1 == n ? FIEMAP_EXTENT_LAST : 0};
    return 0;
}

static void pieces_between_holes_are_not_called_extents(void **state)
{
    uint64_t n = 900;
    struct host_fiemap_source source = {ask_holey, &n};
    struct host_map *map = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(host_map_read(&source, 1799, &map, &err), -EFBIG);
    assert_string_equal(err.text, "the file is cut into 900 pieces by holes, which are too many to "
                                  "follow them");
    err = (struct err){0};
    n = 20000;
    assert_int_equal(host_map_read(&source, 1000, &map, &err), -EFBIG);
    assert_string_equal(err.text,
                        "the file is cut into 8000 pieces or more by holes, which are too many to "
                        "follow them");
    err = (struct err){0};
    n = 900;
    assert_int_equal(host_map_read(&source, 1800, &map, &err), 0);
    assert_int_equal(map->extents, 1);
    host_map_free(map);
}

static void an_image_that_is_no_file_has_no_map(void **state)
{
    struct io_memory memory = io_memory_of("", 0);
    struct host_map *map = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(host_map_open(&memory.io, 10, &map, &err), -EOPNOTSUPP);
    assert_string_equal(err.text, "the image is no file of this host");
    assert_null(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_is_one_hole),
        cmocka_unit_test(what_no_extent_covers_is_a_hole),
        cmocka_unit_test(neighbours_that_go_on_are_one_segment),
        cmocka_unit_test(a_hole_behind_what_is_not_written_is_the_same_hole),
        cmocka_unit_test(each_flag_has_one_meaning),
        cmocka_unit_test(places_beyond_all_devices_are_none),
        cmocka_unit_test(each_offset_lies_in_the_segment_that_covers_it),
        cmocka_unit_test(a_stored_length_ends_where_something_else_begins),
        cmocka_unit_test(parts_of_one_stored_extent_have_one_place),
        cmocka_unit_test(inside_a_stored_extent_places_rise_to_its_end),
        cmocka_unit_test(a_stored_extent_of_4_gib_is_taken_as_plain),
        cmocka_unit_test(extents_are_counted_as_filefrag_does),
        cmocka_unit_test(absurdly_many_extents_are_given_up),
        cmocka_unit_test(extents_that_are_too_many_to_follow_are_counted),
        cmocka_unit_test(pieces_between_holes_are_not_called_extents),
        cmocka_unit_test(an_image_that_is_no_file_has_no_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
