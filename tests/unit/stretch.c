// SPDX-License-Identifier: MIT
/* A cluster's 32 parts as stretches: against a look at every single part. */
#include "stretch.h"

#include "batch.h"

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

/* Of each mask that is a stretch, and of some that are several: against one bit after the other. */
static void held_parts_are_what_is_not_missing(void **state)
{
    static const uint32_t masks[] = {0,          UINT32_MAX, 1,          0x80000000, 0x7fffffff,
                                     0xfffffffe, 0x55555555, 0xaaaaaaaa, 0x00ff00ff, 0xf00f0ff0};

    (void)state;
    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        uint32_t held = 0;
        unsigned last = 0;

        for (unsigned at = 0, n; (n = piece_next_held(masks[i], &at)) > 0; at += n) {
            assert_true(at + n <= 32);
            assert_true(at == 0 || held == 0 || at > last); /* never two that touch */
            for (unsigned bit = at; bit < at + n; bit++)
                held |= UINT32_C(1) << bit;
            last = at + n;
        }
        assert_int_equal(held, (uint32_t)~masks[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_alike_are_one),
        cmocka_unit_test(in_turns_each_is_one),
        cmocka_unit_test(at_random),
        cmocka_unit_test(held_parts_are_what_is_not_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
