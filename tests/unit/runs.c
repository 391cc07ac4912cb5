// SPDX-License-Identifier: MIT
/* Pieces joined into runs: which go on, which do not, and how a piece in several places is cut. */
#include "runs.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TAKEN_MAX 8
#define UNKNOWN UINT64_MAX

/* A file that lies on the device in extents of one length, one place each. */
struct scene {
    struct walk_runs runs;
    uint64_t extent_bytes;
    uint64_t places[8]; /* of the extents, or UNKNOWN */
    bool encoded;
    struct walk_run taken[TAKEN_MAX];
    size_t n;
    int fails; /* what take returns */
};

static struct walk_place place_of(void *context, unsigned file, uint64_t off, uint64_t end)
{
    const struct scene *scene = context;
    uint64_t extent = off / scene->extent_bytes, left = (extent + 1) * scene->extent_bytes - off;
    uint64_t within = scene->encoded ? 0 : off % scene->extent_bytes;

    (void)file;
    return (struct walk_place){
        .physical = scene->places[extent] == UNKNOWN ? (struct opt_u64){.known = false}
                                                     : opt_u64_of(scene->places[extent] + within),
        .encoded = scene->encoded,
        .bytes = left < end - off ? left : end - off,
    };
}

static int take(void *context, const struct walk_run *run)
{
    struct scene *scene = context;

    assert_true(scene->n < TAKEN_MAX);
    scene->taken[scene->n++] = *run;
    return scene->fails;
}

/* All of it in one extent of 8000 bytes, at 50000. */
static void make(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    scene->runs = (struct walk_runs){.place_of = place_of, .take = take, .context = scene};
    scene->extent_bytes = 8000;
    scene->places[0] = 50000;
}

static void add(struct scene *scene, enum piece_kind kind, uint64_t guest_off, uint64_t bytes,
                uint64_t begin)
{
    const struct piece piece = {.guest_off = guest_off,
                                .guest_bytes = bytes,
                                .begin = begin,
                                .end = begin + bytes,
                                .kind = kind};

    assert_int_equal(walk_runs_add(&scene->runs, piece), 0);
}

static void expect(struct scene *scene, size_t n)
{
    assert_int_equal(walk_runs_end(&scene->runs), 0);
    assert_int_equal(scene->n, n);
    assert_int_equal(walk_runs_end(&scene->runs), 0); /* nothing is open any more */
    assert_int_equal(scene->n, n);
}

static void expect_run(const struct scene *scene, size_t i, uint64_t guest_off, uint64_t bytes,
                       uint64_t begin, uint64_t physical)
{
    const struct walk_run *run = &scene->taken[i];

    assert_int_equal(run->piece.guest_off, guest_off);
    assert_int_equal(run->piece.guest_bytes, bytes);
    assert_int_equal(run->piece.begin, begin);
    if (run->piece.kind != PIECE_ZERO) {
        assert_int_equal(run->piece.end, begin + bytes);
        assert_int_equal(run->physical.known, physical != UNKNOWN);
        assert_true(physical == UNKNOWN || run->physical.value == physical);
    }
}

static void without_pieces_there_is_no_run(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    expect(&scene, 0);
}

static void pieces_that_go_on_are_one_run(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    add(&scene, PIECE_DATA, 100, 10, 1000);
    add(&scene, PIECE_DATA, 110, 20, 1010);
    add(&scene, PIECE_DATA, 130, 5, 1030);
    assert_int_equal(scene.n, 0);
    expect(&scene, 1);
    expect_run(&scene, 0, 100, 35, 1000, 51000);
}

static void a_gap_on_either_side_ends_a_run(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    add(&scene, PIECE_DATA, 100, 10, 1000);
    add(&scene, PIECE_DATA, 111, 10, 1010); /* of the guest */
    add(&scene, PIECE_DATA, 121, 10, 1021); /* of the file */
    add(&scene, PIECE_DATA, 131, 10, 1030); /* backward */
    expect(&scene, 4);
    expect_run(&scene, 1, 111, 10, 1010, 51010);
    expect_run(&scene, 2, 121, 10, 1021, 51021);
    expect_run(&scene, 3, 131, 10, 1030, 51030);
}

static void another_file_or_kind_ends_a_run(void **state)
{
    struct scene scene;
    struct piece other = {.guest_off = 110,
                          .guest_bytes = 10,
                          .begin = 1010,
                          .end = 1020,
                          .kind = PIECE_DATA,
                          .file = 1};

    (void)state;
    make(&scene);
    add(&scene, PIECE_DATA, 100, 10, 1000);
    assert_int_equal(walk_runs_add(&scene.runs, other), 0);
    add(&scene, PIECE_ZERO, 120, 10, 1020);
    expect(&scene, 3);
    assert_int_equal(scene.taken[1].piece.file, 1);
    assert_int_equal(scene.taken[2].piece.kind, PIECE_ZERO);
    assert_false(scene.taken[2].physical.known);
}

/* Wherever they lie. */
static void zeros_go_on_on_the_guest_disk_alone(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    add(&scene, PIECE_ZERO, 100, 10, 7);
    add(&scene, PIECE_ZERO, 110, 10, 3000);
    add(&scene, PIECE_ZERO, 121, 10, 3010);
    expect(&scene, 2);
    expect_run(&scene, 0, 100, 20, 7, UNKNOWN);
    expect_run(&scene, 1, 121, 10, 3010, UNKNOWN);
}

static void blobs_stay_alone(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.extent_bytes = 1005; /* a part of a blob cannot be told */
    scene.places[1] = 9;
    add(&scene, PIECE_COMPRESSED, 100, 10, 1000);
    add(&scene, PIECE_COMPRESSED, 110, 10, 1010);
    expect(&scene, 2);
    expect_run(&scene, 0, 100, 10, 1000, 51000);
    expect_run(&scene, 1, 110, 10, 1010, 14);
}

/* ---- places ---- */

static void a_piece_is_cut_where_it_goes_on_elsewhere(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.extent_bytes = 100;
    memcpy(scene.places, (uint64_t[]){5000, 7000, 7100, UNKNOWN, UNKNOWN, 0}, 6 * sizeof(uint64_t));
    add(&scene, PIECE_DATA, 10000, 580, 10);
    expect(&scene, 4);
    expect_run(&scene, 0, 10000, 90, 10, 5010);
    expect_run(&scene, 1, 10090, 200, 100, 7000); /* two extents that follow one another */
    expect_run(&scene, 2, 10290, 200, 300, UNKNOWN);
    expect_run(&scene, 3, 10490, 90, 500, 0);
}

static void pieces_that_go_on_in_the_file_alone_are_two_runs(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.extent_bytes = 100;
    memcpy(scene.places, (uint64_t[]){5000, 5099, 5199}, 3 * sizeof(uint64_t));
    add(&scene, PIECE_DATA, 0, 100, 0);
    add(&scene, PIECE_DATA, 100, 100, 100);
    add(&scene, PIECE_DATA, 200, 100, 200);
    expect(&scene, 2);
    expect_run(&scene, 0, 0, 100, 0, 5000);
    expect_run(&scene, 1, 100, 200, 100, 5099);
}

/* Of what the file system has compressed there is one place, that of all of it. */
static void an_encoded_extent_has_one_place(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.extent_bytes = 100;
    scene.encoded = true;
    memcpy(scene.places, (uint64_t[]){5000, 5020}, 2 * sizeof(uint64_t));
    add(&scene, PIECE_DATA, 0, 50, 0);
    add(&scene, PIECE_DATA, 50, 50, 50);
    add(&scene, PIECE_DATA, 100, 50, 100);
    expect(&scene, 2);
    expect_run(&scene, 0, 0, 100, 0, 5000);
    assert_true(scene.taken[0].encoded);
    expect_run(&scene, 1, 100, 50, 100, 5020);
}

static void encoded_or_not_is_not_the_same_run(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    add(&scene, PIECE_DATA, 0, 50, 0);
    scene.encoded = true;
    scene.places[0] = 50050; /* just where the run would go on */
    add(&scene, PIECE_DATA, 50, 50, 50);
    expect(&scene, 2);
    assert_false(scene.taken[0].encoded);
    assert_true(scene.taken[1].encoded);
}

/* ---- errors ---- */

static void whoever_takes_a_run_may_stop_it_all(void **state)
{
    struct scene scene;
    const struct piece piece = {.guest_off = 500, .guest_bytes = 300, .begin = 0, .end = 300};

    (void)state;
    make(&scene);
    scene.extent_bytes = 100;
    memcpy(scene.places, (uint64_t[]){0, 1000, 2000}, 3 * sizeof(uint64_t));
    scene.fails = -EPIPE;
    assert_int_equal(walk_runs_add(&scene.runs, piece), -EPIPE);
    assert_int_equal(scene.n, 1);
    scene.n = 0;
    assert_int_equal(walk_runs_end(&scene.runs), -EPIPE);
    assert_int_equal(scene.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_pieces_there_is_no_run),
        cmocka_unit_test(pieces_that_go_on_are_one_run),
        cmocka_unit_test(a_gap_on_either_side_ends_a_run),
        cmocka_unit_test(another_file_or_kind_ends_a_run),
        cmocka_unit_test(zeros_go_on_on_the_guest_disk_alone),
        cmocka_unit_test(blobs_stay_alone),
        cmocka_unit_test(a_piece_is_cut_where_it_goes_on_elsewhere),
        cmocka_unit_test(pieces_that_go_on_in_the_file_alone_are_two_runs),
        cmocka_unit_test(an_encoded_extent_has_one_place),
        cmocka_unit_test(encoded_or_not_is_not_the_same_run),
        cmocka_unit_test(whoever_takes_a_run_may_stop_it_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
