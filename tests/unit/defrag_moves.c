// SPDX-License-Identifier: MIT
/* Proves the list of moves: what joins, what is found, both orders, and its limits. */
#include "moves.h"

#include "dice.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void has(const struct defrag_moves *moves, size_t i, uint64_t from, uint64_t to,
                uint32_t bytes)
{
    struct defrag_move move = defrag_moves_at(moves, i);

    assert_int_equal(move.from, from);
    assert_int_equal(move.to, to);
    assert_int_equal(move.bytes, bytes);
}

static void what_goes_on_in_both_files_is_one(void **state)
{
    struct defrag_moves moves = {0};

    (void)state;
    assert_int_equal(defrag_moves_add(&moves, 1000, 0, 100), 0);
    assert_int_equal(defrag_moves_add(&moves, 1100, 100, 50), 0);
    assert_int_equal(defrag_moves_add(&moves, 1150, 151, 1), 0); /* not there */
    assert_int_equal(defrag_moves_add(&moves, 1152, 152, 1), 0); /* not here */
    assert_int_equal(defrag_moves_add(&moves, 1153, 153, 0), 0); /* nothing */
    assert_int_equal(moves.n_list, 3);
    has(&moves, 0, 1000, 0, 150);
    has(&moves, 1, 1150, 151, 1);
    has(&moves, 2, 1152, 152, 1);
    defrag_moves_free(&moves);
}

static void what_is_to_stay_apart_does(void **state)
{
    const struct defrag_move move = {1100, 100, 50};
    struct defrag_moves moves = {0};

    (void)state;
    defrag_moves_add(&moves, 1000, 0, 100);
    assert_int_equal(defrag_moves_add_apart(&moves, &move), 0);
    assert_int_equal(moves.n_list, 2);
    defrag_moves_free(&moves);
}

static void long_ones_are_split_and_whole(void **state)
{
    struct defrag_moves moves = {0};
    struct defrag_hint hint = {0};
    uint64_t bytes = (UINT64_C(1) << 40) + 5;

    (void)state;
    assert_int_equal(defrag_moves_add(&moves, 7, 3, bytes), 0);
    assert_true(moves.n_list > 1);
    defrag_moves_sort_by_from(&moves);
    assert_int_equal(defrag_moves_to(&moves, 7 + bytes - 1, &hint), 3 + bytes - 1);
    assert_int_equal(defrag_moves_to(&moves, 7 + bytes, &hint), UINT64_MAX);
    defrag_moves_free(&moves);
}

static void offsets_have_an_end(void **state)
{
    struct defrag_moves moves = {0};
    uint64_t end = DEFRAG_OFFSET_END;

    (void)state;
    assert_int_equal(defrag_moves_add(&moves, end - 10, 0, 10), 0);
    assert_int_equal(defrag_moves_add(&moves, 0, end - 10, 10), 0);
    assert_int_equal(defrag_moves_add(&moves, end - 10, 0, 11), -EFBIG);
    assert_int_equal(defrag_moves_add(&moves, 0, end - 10, 11), -EFBIG);
    assert_int_equal(defrag_moves_add(&moves, UINT64_MAX, 0, 1), -EFBIG);
    assert_int_equal(moves.n_list, 2);
    has(&moves, 0, end - 10, 0, 10);
    has(&moves, 1, 0, end - 10, 10);
    defrag_moves_free(&moves);
}

static void all_go_further(void **state)
{
    struct defrag_moves moves = {0};

    (void)state;
    defrag_moves_add(&moves, 100, 5, 65537);
    defrag_moves_shift(&moves, 1000);
    has(&moves, 0, 100, 1005, 65537);
    defrag_moves_free(&moves);
}

#define N 2000
#define CLUSTER 512

/* A random permutation of clusters, a few of them left out. */
static void at_random(void **state)
{
    struct dice dice = dice_of(3);

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        struct defrag_moves moves = {0};
        struct defrag_hint hint = {0};
        uint64_t to_of[N], order[N], next = 0;

        for (uint64_t i = 0; i < N; i++) {
            to_of[i] = UINT64_MAX;
            order[i] = i;
        }
        for (uint64_t i = N - 1; i > 0; i--) {
            uint64_t k =
                round % 2 ? i - dice_below(&dice, i < 3 ? i : 3) : dice_below(&dice, i + 1);
            uint64_t swap = order[i];

            order[i] = order[k];
            order[k] = swap;
        }
        for (uint64_t i = 0; i < N; i++) {
            if (dice_once_in(&dice, 10))
                continue;
            to_of[order[i]] = next;
            defrag_moves_add(&moves, order[i] * CLUSTER, next, CLUSTER);
            next += CLUSTER;
        }
        defrag_moves_sort_by_from(&moves);
        for (uint64_t i = 0; i < N; i++) {
            uint64_t cluster = dice_once_in(&dice, 2) ? i : dice_below(&dice, N);
            uint64_t inside = dice_below(&dice, CLUSTER);
            uint64_t to = defrag_moves_to(&moves, cluster * CLUSTER + inside, &hint);

            assert_int_equal(to,
                             to_of[cluster] == UINT64_MAX ? UINT64_MAX : to_of[cluster] + inside);
        }
        defrag_moves_sort_by_to(&moves);
        for (uint64_t to = 0; to < next; to += CLUSTER / 2) {
            struct defrag_move move = defrag_moves_at(&moves, defrag_moves_first_at(&moves, to));

            assert_true(move.to <= to && to - move.to < move.bytes);
            assert_int_equal(to_of[(move.from + (to - move.to)) / CLUSTER], to / CLUSTER * CLUSTER);
        }
        assert_int_equal(defrag_moves_first_at(&moves, next), moves.n_list);
        defrag_moves_free(&moves);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_on_in_both_files_is_one),
        cmocka_unit_test(what_is_to_stay_apart_does),
        cmocka_unit_test(long_ones_are_split_and_whole),
        cmocka_unit_test(offsets_have_an_end),
        cmocka_unit_test(all_go_further),
        cmocka_unit_test(at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
