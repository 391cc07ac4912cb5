// SPDX-License-Identifier: MIT
/* Proves that a hash table keeps the value of each key while it grows, and forgets all at once. */
#include "hash.h"

#include "dice.h"

#include <errno.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MANY 5000

static void keys_keep_their_values_while_it_grows(void **state)
{
    struct hash hash = {.n_keys = 0};
    struct dice dice = dice_of(3);
    static uint64_t keys[MANY];
    bool is_new;

    (void)state;
    for (uint32_t i = 0; i < MANY; i++) {
        keys[i] = (dice_below(&dice, 1u << 24) * MANY + i) << 16; /* no two alike */
        assert_int_equal(hash_reserve(&hash, i + 1), 0);
        *hash_at(&hash, keys[i], &is_new) = i;
        assert_true(is_new);
        assert_true(hash.n_keys <= hash.n_slots / 2);
    }
    assert_int_equal(hash.n_keys, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(*hash_at(&hash, keys[i], &is_new), i);
        assert_false(is_new);
    }
    hash_free(&hash);
}

static void what_is_forgotten_is_new_again(void **state)
{
    struct hash hash = {.n_keys = 0};
    bool is_new;

    (void)state;
    hash_clear(&hash); /* an empty one, too */
    assert_int_equal(hash_reserve(&hash, 2), 0);
    *hash_at(&hash, 65536, &is_new) = 7;
    hash_clear(&hash);
    assert_int_equal(hash.n_keys, 0);
    assert_int_equal(*hash_at(&hash, 65536, &is_new), 0);
    assert_true(is_new);
    hash_free(&hash);
}

/* After 2^32 times of forgetting, a slot of long ago must not look new. */
static void stamps_may_begin_again(void **state)
{
    struct hash hash = {.n_keys = 0};
    bool is_new;

    (void)state;
    assert_int_equal(hash_reserve(&hash, 2), 0);
    *hash_at(&hash, 65536, &is_new) = 7; /* with the first stamp */
    hash.stamp = UINT32_MAX;
    hash_clear(&hash);
    assert_int_equal(*hash_at(&hash, 65536, &is_new), 0);
    assert_true(is_new);
    hash_free(&hash);
}

static void room_is_made_only_where_there_is_none(void **state)
{
    struct hash hash = {.n_keys = 0};
    const struct hash_slot *before;

    (void)state;
    assert_int_equal(hash_reserve(&hash, 0), 0);
    assert_null(hash.slots);
    assert_int_equal(hash_reserve(&hash, 8), 0);
    assert_int_equal(hash.n_slots, 16);
    before = hash.slots;
    assert_int_equal(hash_reserve(&hash, 8), 0);
    assert_ptr_equal(hash.slots, before);
    assert_int_equal(hash_reserve(&hash, 9), 0);
    assert_int_equal(hash.n_slots, 32);
    hash_free(&hash);
    assert_null(hash.slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_keep_their_values_while_it_grows),
        cmocka_unit_test(what_is_forgotten_is_new_again),
        cmocka_unit_test(stamps_may_begin_again),
        cmocka_unit_test(room_is_made_only_where_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
