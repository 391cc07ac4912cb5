// SPDX-License-Identifier: MIT
/* Proves that what comes from an arena is apart, aligned, and stays as it was. */
#include "arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void pieces_are_apart(void **state)
{
    struct arena arena = {NULL, 0};
    unsigned char *pieces[1000];

    (void)state;
    for (size_t i = 0; i < 1000; i++) { /* three blocks, and what is left of two */
        pieces[i] = arena_alloc(&arena, i % 700 + 1);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)(i % 251), i % 700 + 1);
    }
    for (size_t i = 0; i < 1000; i++)
        for (size_t k = 0; k <= i % 700; k++)
            assert_int_equal(pieces[i][k], i % 251);
    arena_free(&arena);
    assert_null(arena.blocks);
}

static void large_ones_have_room(void **state)
{
    struct arena arena = {NULL, 0};
    char *small = arena_string(&arena, "small");
    char *large = arena_alloc(&arena, 1 << 20);

    (void)state;
    memset(large, 1, 1 << 20);
    assert_string_equal(small, "small");
    assert_string_equal(arena_string(&arena, "behind"), "behind");
    arena_free(&arena);
}

static void nothing_is_copied_as_nothing(void **state)
{
    struct arena arena = {NULL, 0};

    (void)state;
    assert_null(arena_string(&arena, NULL));
    assert_non_null(arena_copy(&arena, NULL, 0));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_apart),
        cmocka_unit_test(large_ones_have_room),
        cmocka_unit_test(nothing_is_copied_as_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
