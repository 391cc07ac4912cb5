// SPDX-License-Identifier: MIT
/*
 * Proves that every gap that a tally may be given has a slot, which leads back to the bin of its
 * distance and to its direction; and that no sum is ever too large.
 */
#include "tally.h"

#include "dice.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct meter_tally *new_tally(void)
{
    struct meter_tally *tally = calloc(1, sizeof(*tally));

    assert_non_null(tally);
    return tally;
}

static void add(struct meter_tally *tally, uint64_t distance, bool backward)
{
    uint64_t gap = backward ? -distance : distance;

    meter_tally_add(tally, meter_tally_slot(gap), gap);
}

/* One gap, and what becomes of it. */
static void check_gap(struct meter_tally *tally, uint64_t distance, bool backward)
{
    struct meter_tallied found;
    unsigned slot = 0;

    assert_true(meter_tally_reserve(tally, distance));
    add(tally, distance, backward);
    assert_true(meter_tally_next(tally, &slot, &found));
    if (found.bin != meter_jump_bin_of(distance) || found.sum != distance || found.count != 1 ||
        (found.direction == METER_BACKWARD) != backward)
        fail_msg("%s%" PRIu64 ": %" PRIu64 " of %" PRIu64 " bytes in bin %u", backward ? "-" : "",
                 distance, found.count, found.sum, found.bin);
    assert_false(meter_tally_next(tally, &slot, &found));
    tally->count[slot = meter_tally_slot(backward ? -distance : distance)] = 0;
    tally->sum[slot] = 0;
    tally->bound = 0;
}

static void every_gap_leads_back_to_its_bin(void **state)
{
    struct meter_tally *tally = new_tally();
    struct dice dice = dice_of(70);

    (void)state;
    for (uint64_t distance = 1; distance < 70; distance++) {
        check_gap(tally, distance, false);
        check_gap(tally, distance, true);
    }
    for (unsigned power = 4; power < 51; power++)
        for (uint64_t part = 16; part < 32; part++) {
            uint64_t first = part << (power - 4);

            check_gap(tally, first, false);
            check_gap(tally, first, true);
            check_gap(tally, first - 1, false);
            check_gap(tally, first - 1, true);
        }
    check_gap(tally, METER_TALLY_MOST - 1, false);
    check_gap(tally, METER_TALLY_MOST - 1, true);
    for (unsigned i = 0; i < 20000; i++)
        check_gap(tally, 1 + dice_below(&dice, (METER_TALLY_MOST - 1) >> dice_below(&dice, 51)),
                  dice_once_in(&dice, 2));
    free(tally);
}

/* Whatever the gap, the slot is one of the tally: nothing is written beside it. */
static void no_gap_has_a_slot_outside(void **state)
{
    struct dice dice = dice_of(71);

    (void)state;
    for (unsigned i = 0; i < 100000; i++)
        assert_in_range(meter_tally_slot(dice_u64(&dice) >> dice_below(&dice, 64)), 0,
                        METER_N_DIRECTIONS * METER_TALLY_SLOTS - 1);
}

static void all_that_was_counted_is_found(void **state)
{
    static struct meter_jumps expected[METER_N_DIRECTIONS], seen[METER_N_DIRECTIONS];
    struct meter_tally *tally = new_tally();
    struct meter_tallied found;
    struct dice dice = dice_of(72);

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t distance = 1 + dice_below(&dice, UINT64_C(1) << (1 + dice_below(&dice, 45)));
        bool backward = dice_once_in(&dice, 3);

        assert_true(meter_tally_reserve(tally, distance));
        add(tally, distance, backward);
        meter_jumps_add(&expected[backward ? METER_BACKWARD : METER_FORWARD], distance);
    }
    for (unsigned slot = 0; meter_tally_next(tally, &slot, &found);) {
        seen[found.direction].bin[found.bin].count += found.count;
        seen[found.direction].bin[found.bin].sum += found.sum;
    }
    assert_memory_equal(seen, expected, sizeof(seen));
    meter_tally_clear(tally);
    assert_false(meter_tally_next(tally, &(unsigned){0}, &found));
    free(tally);
}

/* The largest gaps, all in one slot, as often as there is room: the sum has not overflowed. */
static void there_is_room_as_long_as_no_sum_overflows(void **state)
{
    const uint64_t most = METER_TALLY_MOST - 1;
    struct meter_tally *tally = new_tally();
    struct meter_tallied found;
    uint64_t blocks = 0;
    unsigned slot = 0;

    (void)state;
    for (; meter_tally_reserve(tally, most); blocks++)
        for (unsigned i = 0; i < 64; i++)
            add(tally, most, true);
    assert_int_equal(blocks, INT64_MAX / (64 * most));
    assert_true(meter_tally_next(tally, &slot, &found));
    assert_int_equal(found.count, 64 * blocks);
    assert_int_equal(found.sum, 64 * blocks * most);
    meter_tally_clear(tally);
    assert_true(meter_tally_reserve(tally, most));
    free(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_gap_leads_back_to_its_bin),
        cmocka_unit_test(no_gap_has_a_slot_outside),
        cmocka_unit_test(all_that_was_counted_is_found),
        cmocka_unit_test(there_is_room_as_long_as_no_sum_overflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
