// SPDX-License-Identifier: MIT
/*
 * Proves that the extents of a file are read in batches that go forward, each once, in rising
 * order, whatever the kernel answers; and that an answer that cannot be is an error, not a loop.
 */
#include "fiemap.h"

#include "dice.h"
#include "err.h"
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

#define K 1024

struct taken {
    struct host_fiemap_extent list[5000];
    size_t n;
    size_t stop_at; /* the extent, from 1 on, that is refused; 0: none */
};

static int take(void *context, const struct host_fiemap_extent *extent, struct err *err)
{
    struct taken *taken = context;

    assert_true(taken->n < sizeof(taken->list) / sizeof(taken->list[0]));
    assert_true(extent->bytes > 0);
    if (taken->n > 0) {
        const struct host_fiemap_extent *before = &taken->list[taken->n - 1];

        assert_true(extent->file_off >= before->file_off + before->bytes);
    }
    taken->list[taken->n++] = *extent;
    return taken->n == taken->stop_at ? err_set(err, ECANCELED, "enough") : 0;
}

static int read_all(struct kernel *kernel, struct taken *taken, struct err *err)
{
    const struct host_fiemap_source source = kernel_source(kernel);
    const struct host_fiemap_sink sink = {take, taken};

    return host_fiemap_read(&source, &sink, err);
}

static int read_from(int (*ask)(void *, struct fiemap *), struct taken *taken, struct err *err)
{
    const struct host_fiemap_source source = {ask, taken};
    const struct host_fiemap_sink sink = {take, taken};

    return host_fiemap_read(&source, &sink, err);
}

static void check_extent(const struct host_fiemap_extent *extent, uint64_t file_off, uint64_t bytes,
                         uint64_t physical)
{
    assert_int_equal(extent->file_off, file_off);
    assert_int_equal(extent->bytes, bytes);
    assert_int_equal(extent->physical, physical);
}

/* ---- kernels that do their work ---- */

static void a_file_without_extents_has_none(void **state)
{
    struct kernel kernel = {.list = NULL};
    struct taken taken = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_int_equal(read_all(&kernel, &taken, &err), 0);
    assert_int_equal(taken.n, 0);
    assert_int_equal(kernel.n_asks, 1);
}

static void each_extent_comes_once_however_many_an_answer_holds(void **state)
{
    static const size_t most[] = {0, 1, 2, 3, 7, 999, 1024};
    static struct host_fiemap_extent list[3000];
    struct dice dice = dice_of(1);
    uint64_t at = 0;

    (void)state;
    for (size_t i = 0; i < 3000; i++) {
        list[i] = (struct host_fiemap_extent){at, (1 + dice_below(&dice, 9)) * 4 * K,
                                              dice_below(&dice, 1 << 30) * 4 * K, 0};
        at = list[i].file_off + list[i].bytes + dice_below(&dice, 3) * 4 * K;
    }
    for (size_t m = 0; m < sizeof(most) / sizeof(most[0]); m++) {
        struct kernel kernel = {.list = list, .n_list = 3000, .most = most[m]};
        struct taken *taken = calloc(1, sizeof(*taken));
        struct err err = {0};

        assert_non_null(taken);
        assert_int_equal(read_all(&kernel, taken, &err), 0);
        assert_int_equal(taken->n, 3000);
        for (size_t i = 0; i < 3000; i++)
            check_extent(&taken->list[i], list[i].file_off, list[i].bytes, list[i].physical);
        assert_int_equal(kernel.flags, 0); /* above all not FIEMAP_FLAG_SYNC */
        free(taken);
    }
}

static void the_mark_on_the_last_extent_saves_a_question(void **state)
{
    static const struct host_fiemap_extent list[] = {{0, 4 * K, 8 * K, 0}};
    struct kernel kernel = {.list = list, .n_list = 1};
    struct taken taken = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_int_equal(read_all(&kernel, &taken, &err), 0);
    assert_int_equal(kernel.n_asks, 1);
}

static int ask_without_a_mark(void *context, struct fiemap *request)
{
    (void)context;
    request->fm_mapped_extents = 0;
    if (request->fm_start == 0) {
        request->fm_mapped_extents = 1;
        request->fm_extents[0] = (struct fiemap_extent){.fe_length = 4 * K, .fe_physical = 8 * K};
    }
    return 0;
}

static void an_empty_answer_ends_a_list_without_a_mark(void **state)
{
    struct taken taken = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_int_equal(read_from(ask_without_a_mark, &taken, &err), 0);
    assert_int_equal(taken.n, 1);
}

/* ---- kernels that do not ---- */

static void a_file_system_that_cannot_tell_is_named_as_the_cause(void **state)
{
    static const int errors[] = {EOPNOTSUPP, ENOTTY, ENOSYS, EINVAL, EBADR};

    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct kernel kernel = {.fail_at = 1, .error = errors[i]};
        struct taken taken = {.n = 0};
        struct err err = {0};

        assert_int_equal(read_all(&kernel, &taken, &err), -EOPNOTSUPP);
        assert_string_equal(err.text, "the file system does not tell where its files lie");
    }
}

static void other_errors_are_told_also_half_way(void **state)
{
    static const struct host_fiemap_extent list[] = {{0, 4 * K, 8 * K, 0}, {4 * K, 4 * K, 0, 0}};
    struct kernel kernel = {.list = list, .n_list = 2, .most = 1, .fail_at = 2, .error = EIO};
    struct taken taken = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_int_equal(read_all(&kernel, &taken, &err), -EIO);
    assert_string_equal(err.text, "cannot read the extents of the file: Input/output error");
}

static void what_takes_an_extent_can_end_the_reading(void **state)
{
    static const struct host_fiemap_extent list[] = {{0, 4 * K, 8 * K, 0}, {4 * K, 4 * K, 0, 0}};
    struct kernel kernel = {.list = list, .n_list = 2};
    struct taken taken = {.stop_at = 1};
    struct err err = {0};

    (void)state;
    assert_int_equal(read_all(&kernel, &taken, &err), -ECANCELED);
    assert_string_equal(err.text, "enough");
    assert_int_equal(taken.n, 1);
}

static int ask_for_ever(void *context, struct fiemap *request)
{
    (void)context;
    request->fm_mapped_extents = 1;
    request->fm_extents[0] = (struct fiemap_extent){.fe_length = 4 * K, .fe_physical = 8 * K};
    return 0;
}

static void the_same_answer_for_ever_is_an_error(void **state)
{
    struct taken taken = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_int_equal(read_from(ask_for_ever, &taken, &err), -EIO);
    assert_string_equal(err.text, "the kernel tells of no further extent behind 0x1000, nor that "
                                  "there is none");
}

static int ask_empty_extents(void *context, struct fiemap *request)
{
    (void)context;
    request->fm_mapped_extents = 2;
    request->fm_extents[0] = (struct fiemap_extent){.fe_logical = 64 * K};
    request->fm_extents[1] = (struct fiemap_extent){.fe_logical = 64 * K};
    return 0;
}

/* They are told where they are, but nothing is in them: no way forward. */
static void extents_of_no_length_are_no_progress(void **state)
{
    struct taken taken = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_int_equal(read_from(ask_empty_extents, &taken, &err), -EIO);
    assert_int_equal(taken.n, 0);
}

static void extents_of_no_length_between_others_are_passed_over(void **state)
{
    static const struct host_fiemap_extent list[] = {
        {0, 4 * K, 8 * K, 0}, {8 * K, 0, 64 * K, 0}, {8 * K, 4 * K, 16 * K, 0}};
    struct kernel kernel = {.list = list, .n_list = 3};
    struct taken taken = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_int_equal(read_all(&kernel, &taken, &err), 0);
    assert_int_equal(taken.n, 2);
    check_extent(&taken.list[1], 8 * K, 4 * K, 16 * K);
}

static int ask_overlapping(void *context, struct fiemap *request)
{
    (void)context;
    request->fm_mapped_extents = 5;
    request->fm_extents[0] = (struct fiemap_extent){.fe_length = 8 * K, .fe_physical = 100 * K};
    /* Begins inside the one before. */
    request->fm_extents[1] =
        (struct fiemap_extent){.fe_logical = 4 * K, .fe_length = 8 * K, .fe_physical = 200 * K};
    /* Descends, and is known already. */
    request->fm_extents[2] =
        (struct fiemap_extent){.fe_logical = 4 * K, .fe_length = 4 * K, .fe_physical = 300 * K};
    /* Known in part; compressed: nothing inside it has a place of its own. */
    request->fm_extents[3] = (struct fiemap_extent){.fe_logical = 0,
                                                    .fe_length = 16 * K,
                                                    .fe_physical = 400 * K,
                                                    .fe_flags = FIEMAP_EXTENT_ENCODED};
    request->fm_extents[4] = (struct fiemap_extent){.fe_logical = 20 * K,
                                                    .fe_length = 4 * K,
                                                    .fe_physical = 500 * K,
                                                    .fe_flags = FIEMAP_EXTENT_LAST};
    return 0;
}

static void what_is_said_twice_counts_once_as_first_said(void **state)
{
    struct taken taken = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_int_equal(read_from(ask_overlapping, &taken, &err), 0);
    assert_int_equal(taken.n, 4);
    check_extent(&taken.list[0], 0, 8 * K, 100 * K);
    check_extent(&taken.list[1], 8 * K, 4 * K, 204 * K);
    check_extent(&taken.list[2], 12 * K, 4 * K, 400 * K);
    check_extent(&taken.list[3], 20 * K, 4 * K, 500 * K);
}

static int ask_too_many(void *context, struct fiemap *request)
{
    (void)context;
    request->fm_mapped_extents = request->fm_extent_count + 1;
    return 0;
}

static void more_extents_than_there_is_room_for_are_not_looked_at(void **state)
{
    struct taken taken = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_int_equal(read_from(ask_too_many, &taken, &err), -EIO);
    assert_string_equal(err.text, "the kernel tells of more extents than it was asked for");
    assert_int_equal(taken.n, 0);
}

static int ask_without_end(void *context, struct fiemap *request)
{
    (void)context;
    request->fm_mapped_extents = 1;
    request->fm_extents[0] =
        (struct fiemap_extent){.fe_logical = UINT64_MAX - 100, .fe_length = 101};
    return 0;
}

static void an_extent_beyond_the_last_number_is_an_error(void **state)
{
    struct taken taken = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_int_equal(read_from(ask_without_end, &taken, &err), -EIO);
    assert_string_equal(err.text,
                        "the kernel tells of an extent at 0xffffffffffffff9b that has no end");
}

static int ask_to_the_end_of_numbers(void *context, struct fiemap *request)
{
    (void)context;
    assert_int_equal(request->fm_start, 0); /* not asked again */
    request->fm_mapped_extents = 1;
    request->fm_extents[0] = (struct fiemap_extent){.fe_length = UINT64_MAX};
    return 0;
}

static void no_file_goes_on_where_no_file_can_be(void **state)
{
    struct taken taken = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_int_equal(read_from(ask_to_the_end_of_numbers, &taken, &err), 0);
    assert_int_equal(taken.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_without_extents_has_none),
        cmocka_unit_test(each_extent_comes_once_however_many_an_answer_holds),
        cmocka_unit_test(the_mark_on_the_last_extent_saves_a_question),
        cmocka_unit_test(an_empty_answer_ends_a_list_without_a_mark),
        cmocka_unit_test(a_file_system_that_cannot_tell_is_named_as_the_cause),
        cmocka_unit_test(other_errors_are_told_also_half_way),
        cmocka_unit_test(what_takes_an_extent_can_end_the_reading),
        cmocka_unit_test(the_same_answer_for_ever_is_an_error),
        cmocka_unit_test(extents_of_no_length_are_no_progress),
        cmocka_unit_test(extents_of_no_length_between_others_are_passed_over),
        cmocka_unit_test(what_is_said_twice_counts_once_as_first_said),
        cmocka_unit_test(more_extents_than_there_is_room_for_are_not_looked_at),
        cmocka_unit_test(an_extent_beyond_the_last_number_is_an_error),
        cmocka_unit_test(no_file_goes_on_where_no_file_can_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
