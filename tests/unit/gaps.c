// SPDX-License-Identifier: MIT
/* Proves that gaps are what is left when layers have taken what they hold: against a bitmap. */
#include "gaps.h"

#include "dice.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define UNITS 300

/* One byte a unit: 1 is open. */
struct model {
    struct chain_gaps gaps;
    unsigned char open[UNITS];
};

static void assert_same(const struct model *model)
{
    unsigned char open[UNITS] = {0};

    for (size_t i = 0; i < model->gaps.n_list; i++) {
        const struct chain_gap *gap = &model->gaps.list[i];

        assert_true(gap->begin < gap->end && gap->end <= UNITS);
        if (i > 0)
            assert_true(gap[-1].end <= gap->begin);
        memset(open + gap->begin, 1, gap->end - gap->begin);
    }
    assert_memory_equal(open, model->open, UNITS);
}

static void look(struct model *model, uint64_t from, uint64_t to)
{
    uint64_t first = from, end = to;
    struct chain_gap found;

    while (first < to && !model->open[first])
        first++;
    while (end > first && !model->open[end - 1])
        end--;
    assert_int_equal(chain_gaps_look(&model->gaps, from, to, &found), first < to);
    if (first < to) {
        assert_int_equal(found.begin, first);
        assert_int_equal(found.end, end);
    }
}

static void take(struct model *model, uint64_t from, uint64_t to)
{
    struct chain_gap taken;

    while (chain_gaps_take(&model->gaps, from, to, &taken)) {
        assert_true(taken.begin >= from && taken.end <= to && taken.begin < taken.end);
        for (uint64_t i = taken.begin; i < taken.end; i++) {
            assert_int_equal(model->open[i], 1);
            model->open[i] = 0;
        }
    }
    for (uint64_t i = from; i < to; i++)
        assert_int_equal(model->open[i], 0);
}

static void random_layers_leave_what_a_bitmap_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct dice dice = dice_of(seed);
        struct model model = {.open = {0}};

        chain_gaps_reset(&model.gaps, 10, UNITS - 10);
        memset(model.open + 10, 1, UNITS - 20);
        for (unsigned layer = 0; layer < 6; layer++) {
            uint64_t step = 1 + dice_below(&dice, 60);

            chain_gaps_begin(&model.gaps);
            for (uint64_t at = dice_below(&dice, 30); at < UNITS;) {
                uint64_t to = at + dice_below(&dice, step);

                to = to < UNITS ? to : UNITS;
                if (dice_once_in(&dice, 2))
                    look(&model, at, to);
                if (dice_once_in(&dice, 2))
                    take(&model, at, to);
                at = to + dice_below(&dice, step) + (to == at);
            }
            chain_gaps_end(&model.gaps);
            assert_int_equal(model.gaps.error, 0);
            assert_same(&model);
        }
        chain_gaps_free(&model.gaps);
    }
}

static void an_empty_window_has_no_gap(void **state)
{
    struct chain_gaps gaps = {0};
    struct chain_gap found;

    (void)state;
    chain_gaps_reset(&gaps, 5, 5);
    assert_int_equal(gaps.n_list, 0);
    assert_false(chain_gaps_look(&gaps, 0, 10, &found));
    assert_false(chain_gaps_take(&gaps, 0, 10, &found));
    chain_gaps_end(&gaps);
    chain_gaps_free(&gaps);
}

static void the_first_stretch_stays(void **state)
{
    struct chain_gaps gaps = {0};
    struct chain_gap found;

    (void)state;
    chain_gaps_reset(&gaps, 0, 100);
    assert_true(chain_gaps_take(&gaps, 40, 50, &found));
    chain_gaps_end(&gaps);
    for (int i = 0; i < 2; i++) {
        assert_true(chain_gaps_first(&gaps, 10, 90, &found));
        assert_int_equal(found.begin, 10);
        assert_int_equal(found.end, 40);
    }
    assert_true(chain_gaps_first(&gaps, 45, 90, &found));
    assert_int_equal(found.begin, 50);
    assert_int_equal(found.end, 90);
    assert_false(chain_gaps_first(&gaps, 45, 50, &found));
    assert_false(chain_gaps_first(&gaps, 60, 60, &found));
    chain_gaps_free(&gaps);
}

static void nothing_lies_in_an_empty_range(void **state)
{
    struct chain_gaps gaps = {0};
    struct chain_gap found;

    (void)state;
    chain_gaps_reset(&gaps, 0, 100);
    assert_false(chain_gaps_look(&gaps, 50, 50, &found));
    assert_false(chain_gaps_take(&gaps, 50, 50, &found));
    assert_false(chain_gaps_take(&gaps, 60, 40, &found));
    chain_gaps_end(&gaps);
    assert_int_equal(gaps.n_list, 1);
    chain_gaps_free(&gaps);
}

static void nothing_is_taken_after_memory_ran_out(void **state)
{
    struct chain_gaps gaps = {0};
    struct chain_gap found;

    (void)state;
    chain_gaps_reset(&gaps, 0, 100);
    gaps.error = -ENOMEM;
    assert_false(chain_gaps_take(&gaps, 10, 20, &found));
    chain_gaps_end(&gaps);
    assert_int_equal(gaps.error, -ENOMEM);
    chain_gaps_reset(&gaps, 0, 100);
    assert_int_equal(gaps.error, 0);
    assert_true(chain_gaps_take(&gaps, 10, 20, &found));
    chain_gaps_free(&gaps);
    assert_null(gaps.list);
    assert_int_equal(gaps.n_list + gaps.cap_list + gaps.cap_left, 0);
}

/* What was taken in the pass before, which never ended, is forgotten. */
static void a_reset_begins_anew(void **state)
{
    struct model model;

    (void)state;
    memset(&model, 0, sizeof(model));
    chain_gaps_reset(&model.gaps, 0, 100);
    chain_gaps_begin(&model.gaps);
    memset(model.open, 1, 100);
    take(&model, 10, 20);
    chain_gaps_reset(&model.gaps, 0, 100);
    chain_gaps_end(&model.gaps);
    memset(model.open, 1, 100);
    assert_same(&model);
    look(&model, 0, 100);
    chain_gaps_free(&model.gaps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_begins_anew),
        cmocka_unit_test(random_layers_leave_what_a_bitmap_says),
        cmocka_unit_test(an_empty_window_has_no_gap),
        cmocka_unit_test(the_first_stretch_stays),
        cmocka_unit_test(nothing_lies_in_an_empty_range),
        cmocka_unit_test(nothing_is_taken_after_memory_ran_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
