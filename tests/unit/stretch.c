// SPDX-License-Identifier: MIT
/* A cluster's 32 parts as stretches: against a look at every single part. */
#include "stretch.h"

#include "dice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Every part must lie in one stretch of its own kind, and neighbours must differ. */
static void check(uint32_t alloc, uint32_t zero)
{
    struct piece_stretch stretch = {0}, before = {0};
    unsigned end = 0;

    for (; piece_next_stretch(alloc, zero, &stretch); before = stretch) {
        assert_int_equal(stretch.first, end);
        assert_true(stretch.end > stretch.first && stretch.end <= PIECE_SUBCLUSTERS);
        for (unsigned i = stretch.first; i < stretch.end; i++) {
            assert_int_equal(stretch.alloc, alloc >> i & 1);
            assert_int_equal(stretch.zero, zero >> i & 1);
        }
        assert_true(end == 0 || stretch.alloc != before.alloc || stretch.zero != before.zero);
        end = stretch.end;
    }
    assert_int_equal(end, PIECE_SUBCLUSTERS);
}

static void all_alike_are_one(void **state)
{
    struct piece_stretch stretch = {0};

    (void)state;
    assert_true(piece_next_stretch(UINT32_MAX, 0, &stretch));
    assert_true(stretch.first == 0 && stretch.end == 32 && stretch.alloc && !stretch.zero);
    assert_false(piece_next_stretch(UINT32_MAX, 0, &stretch));
    check(0, 0);
    check(0, UINT32_MAX);
}

static void in_turns_each_is_one(void **state)
{
    (void)state;
    check(0x55555555, 0xaaaaaaaa);
    check(0x80000001, 0x7ffffffe);
    check(1, 0);
    check(UINT32_C(1) << 31, 0);
}

static void at_random(void **state)
{
    struct dice dice = dice_of(1);

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t alloc = (uint32_t)dice_u64(&dice), zero = (uint32_t)dice_u64(&dice) & ~alloc;

        check(alloc, zero);
        check(alloc & alloc >> 1 & alloc >> 2, zero | zero << 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_alike_are_one),
        cmocka_unit_test(in_turns_each_is_one),
        cmocka_unit_test(at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
