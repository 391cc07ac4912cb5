// SPDX-License-Identifier: MIT
/* Proves that ranges are joined, counted and kept alike, wherever a list of them is cut in two. */
#include "lost.h"

#include "dice.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N 64

static void neighbours_are_one_range(void **state)
{
    struct piece_lost lost = {.ranges = 0};

    (void)state;
    piece_lost_add(&lost, 0, 10);
    piece_lost_add(&lost, 10, 15);
    piece_lost_add(&lost, 15, 15);
    piece_lost_add(&lost, 20, 30);
    assert_int_equal(lost.ranges, 2);
    assert_int_equal(lost.bytes, 25);
    assert_int_equal(lost.list[0].begin, 0);
    assert_int_equal(lost.list[0].end, 15);
    assert_int_equal(lost.list[1].begin, 20);
    assert_int_equal(lost.list[1].end, 30);
}

static void the_first_ten_are_kept_and_all_are_counted(void **state)
{
    struct piece_lost lost = {.ranges = 0};

    (void)state;
    for (uint64_t i = 0; i < 25; i++)
        piece_lost_add(&lost, 10 * i, 10 * i + 1);
    piece_lost_add(&lost, 241, 242); /* goes on with the last, which is not kept */
    assert_int_equal(lost.ranges, 25);
    assert_int_equal(lost.bytes, 26);
    assert_int_equal(piece_lost_kept(&lost), PIECE_LOST_MAX);
    assert_int_equal(lost.list[9].begin, 90);
    assert_int_equal(lost.list[9].end, 91);
}

static void assert_same(const struct piece_lost *a, const struct piece_lost *b)
{
    assert_int_equal(a->ranges, b->ranges);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->end, b->end);
    assert_memory_equal(a->list, b->list, piece_lost_kept(a) * sizeof(a->list[0]));
}

/* Random ranges, many side by side: the first k in one list, the others in another. */
static void two_parts_give_the_list_of_the_whole(void **state)
{
    struct dice dice = dice_of(7);

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct piece_lost_range ranges[N];
        uint64_t n = 1 + dice_below(&dice, N), at = 0;
        struct piece_lost whole = {.ranges = 0};

        for (uint64_t i = 0; i < n; i++) {
            at += dice_once_in(&dice, 2) ? 0 : 1 + dice_below(&dice, 5);
            ranges[i] = (struct piece_lost_range){at, at + 1 + dice_below(&dice, 3)};
            at = ranges[i].end;
            piece_lost_add(&whole, ranges[i].begin, ranges[i].end);
        }
        for (uint64_t k = 0; k <= n; k++) {
            struct piece_lost left = {.ranges = 0}, right = {.ranges = 0};

            for (uint64_t i = 0; i < n; i++) /* the right part lies 1000 before its place */
                piece_lost_add(i < k ? &left : &right, ranges[i].begin + (i < k ? 1000 : 0),
                               ranges[i].end + (i < k ? 1000 : 0));
            piece_lost_merge(&left, &right, 1000);
            for (size_t i = 0; i < piece_lost_kept(&left); i++) {
                left.list[i].begin -= 1000;
                left.list[i].end -= 1000;
            }
            left.end -= 1000;
            assert_same(&left, &whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_are_one_range),
        cmocka_unit_test(the_first_ten_are_kept_and_all_are_counted),
        cmocka_unit_test(two_parts_give_the_list_of_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
