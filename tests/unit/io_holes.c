// SPDX-License-Identifier: MIT
/* Proves which holes are remembered, and that few questions do for many tables. */
#include "holes.h"

#include "io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STEP UINT64_C(0x10000)

/* Data in the first 4 KiB of each @period; nothing else. */
struct striped {
    struct io io;
    uint64_t period;
    unsigned n_asked;
};

static uint64_t next_data(struct io *io, uint64_t off)
{
    struct striped *striped = (struct striped *)io;

    striped->n_asked++;
    return off % striped->period < 4096 ? off : off - off % striped->period + striped->period;
}

static struct striped striped_of(uint64_t period)
{
    static const struct io_ops ops = {.next_data = next_data};

    return (struct striped){.io = {&ops}, .period = period};
}

static struct io_holes holes_of(struct striped *striped)
{
    return (struct io_holes){.io = &striped->io, .file_bytes = UINT64_MAX};
}

static void nothing_is_known_at_first(void **state)
{
    struct striped striped = striped_of(1 << 20);
    struct io_holes holes = holes_of(&striped);

    (void)state;
    assert_false(io_holes_know(&holes, STEP, STEP));
    assert_false(io_holes_have(&holes, STEP, STEP));
    assert_int_equal(striped.n_asked, 0);
    io_holes_free(&holes);
}

static void what_touches_data_is_in_no_hole(void **state)
{
    struct striped striped = striped_of(1 << 20);
    struct io_holes holes = holes_of(&striped);

    (void)state;
    assert_false(io_holes_look(&holes, 0, STEP));
    assert_false(io_holes_look(&holes, 15 * STEP + 1, STEP));
    assert_true(io_holes_look(&holes, 15 * STEP, STEP));
    assert_true(io_holes_know(&holes, 15 * STEP, STEP));
    assert_false(io_holes_know(&holes, 15 * STEP, STEP + 1));
    assert_false(io_holes_know(&holes, 14 * STEP, STEP));
    io_holes_free(&holes);
}

static void a_hole_ends_with_the_file(void **state)
{
    struct striped striped = striped_of(1 << 20);
    struct io_holes holes = holes_of(&striped);

    (void)state;
    holes.file_bytes = 2 * STEP;
    assert_false(io_holes_look(&holes, STEP, 2 * STEP));
    assert_false(io_holes_look(&holes, 3 * STEP, STEP));
    assert_true(io_holes_look(&holes, STEP, STEP));
    assert_false(io_holes_know(&holes, STEP, STEP + 1));
    io_holes_free(&holes);
}

/* Asks as fetch does: first what is known, then by a read that gives zeros. */
static bool meets(struct io_holes *holes, uint64_t off)
{
    return io_holes_have(holes, off, STEP) || io_holes_look(holes, off, STEP);
}

static void backwards_takes_few_questions(void **state)
{
    struct striped striped = striped_of(UINT64_C(1) << 40);
    struct io_holes holes = holes_of(&striped);

    (void)state;
    for (uint64_t k = 1000000; k > 0; k--)
        assert_true(meets(&holes, k * STEP));
    assert_int_equal(holes.n_list, 1);
    assert_in_range(striped.n_asked, 1, 200);
    io_holes_free(&holes);
}

static void to_and_fro_takes_few_questions(void **state)
{
    struct striped striped = striped_of(UINT64_C(1) << 30);
    struct io_holes holes = holes_of(&striped);

    (void)state;
    for (uint64_t k = 0; k < 100000; k++) /* 100 holes in turn */
        assert_true(meets(&holes, (k % 100 << 30) + STEP * (1 + k * 7919 % 16000)));
    assert_int_equal(holes.n_list, 100);
    assert_in_range(striped.n_asked, 100, 4000);
    io_holes_free(&holes);
}

static void more_holes_than_are_remembered_are_right_all_the_same(void **state)
{
    struct striped striped = striped_of(1 << 20);
    struct io_holes holes = holes_of(&striped);

    (void)state;
    for (uint64_t k = 0; k < 800000; k++) { /* in 40,000 holes */
        uint64_t off = k * 7919 % 640000 * STEP;

        assert_int_equal(meets(&holes, off), k * 7919 % 16 != 0);
        assert_in_range(holes.n_list, 0, IO_HOLES_MAX);
    }
    for (size_t i = 1; i < holes.n_list; i++)
        assert_true(holes.list[i - 1].end < holes.list[i].begin);
    io_holes_free(&holes);
}

/* A file without holes is asked no more soon; one with some is. */
static void it_is_asked_as_long_as_that_is_of_use(void **state)
{
    struct striped striped = striped_of(1 << 20), full = striped_of(4096);
    struct io_holes holes = holes_of(&striped);

    (void)state;
    assert_true(io_holes_look(&holes, STEP, STEP));
    for (uint64_t k = 1; k < 100; k++) { /* data and a hole in turn */
        assert_false(io_holes_have(&holes, k << 20, STEP));
        assert_true(io_holes_have(&holes, (k << 20) + STEP, STEP));
    }
    holes.io = &full.io;
    for (uint64_t k = 100000; k < 100100; k++)
        assert_false(io_holes_have(&holes, k * STEP, STEP));
    assert_in_range(full.n_asked, 1, 16);
    io_holes_free(&holes);
}

static void it_is_told_where_a_hole_ends(void **state)
{
    struct striped striped = striped_of(1 << 20);
    struct io_holes holes = holes_of(&striped);
    uint64_t end;

    (void)state;
    assert_int_equal(io_holes_end(&holes, STEP), STEP); /* nothing is known */
    assert_true(io_holes_look(&holes, STEP, STEP));
    end = io_holes_end(&holes, STEP);
    assert_true(end >= 2 * STEP && end <= 1 << 20);
    assert_int_equal(io_holes_end(&holes, end - 1), end);
    assert_int_equal(io_holes_end(&holes, end), end);
    io_holes_free(&holes);
}

static void fewer_are_remembered_if_that_is_wanted(void **state)
{
    struct striped striped = striped_of(1 << 20);
    struct io_holes holes = holes_of(&striped);

    (void)state;
    holes.most = 3;
    for (uint64_t k = 0; k < 100; k++)
        assert_true(meets(&holes, (k * 37 % 100 << 20) + STEP));
    assert_int_equal(holes.n_list, 3);
    io_holes_free(&holes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(what_touches_data_is_in_no_hole),
        cmocka_unit_test(a_hole_ends_with_the_file),
        cmocka_unit_test(backwards_takes_few_questions),
        cmocka_unit_test(to_and_fro_takes_few_questions),
        cmocka_unit_test(more_holes_than_are_remembered_are_right_all_the_same),
        cmocka_unit_test(it_is_asked_as_long_as_that_is_of_use),
        cmocka_unit_test(it_is_told_where_a_hole_ends),
        cmocka_unit_test(fewer_are_remembered_if_that_is_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
