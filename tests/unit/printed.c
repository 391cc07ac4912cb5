// SPDX-License-Identifier: MIT
/* Proves that what is printed into memory is there as a whole, or known not to be. */
#include "printed.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void nothing_is_an_empty_text(void **state)
{
    struct printed printed;
    size_t len = 1;
    char *text;

    (void)state;
    assert_non_null(printed_open(&printed));
    text = printed_take(&printed, &len);
    assert_string_equal(text, "");
    assert_int_equal(len, 0);
    free(text);
}

static void all_of_it_is_there(void **state)
{
    struct printed printed;
    size_t len;
    char *text;
    FILE *stream;

    (void)state;
    stream = printed_open(&printed);
    assert_non_null(stream);
    for (int i = 0; i < 100000; i++)
        fprintf(stream, "%d\n", i % 10);
    fwrite("a\0b", 1, 3, stream);
    text = printed_take(&printed, &len);
    assert_non_null(text);
    assert_int_equal(len, 200003);
    assert_memory_equal(text + 200000, "a\0b", 4); /* with the NUL behind it */
    for (int i = 0; i < 100000; i++)
        assert_int_equal(text[2 * i], '0' + i % 10);
    free(text);
}

/* As when there is no memory for more: what fails in the middle is not lost without a word. */
static void what_fails_in_the_middle_gives_nothing(void **state)
{
    struct printed printed;
    FILE *stream;

    (void)state;
    stream = printed_open(&printed);
    assert_non_null(stream);
    fputs("before", stream);
    fflush(stream);
    printed.n_text = SIZE_MAX / 2; /* no text is so long */
    fputs("in the middle", stream);
    fflush(stream);
    printed.n_text = 6;
    fputs("behind", stream);
    assert_null(printed_take(&printed, NULL));
}

static void without_a_stream_there_is_nothing(void **state)
{
    struct printed printed = {.stream = NULL};

    (void)state;
    assert_null(printed_take(&printed, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_an_empty_text),
        cmocka_unit_test(all_of_it_is_there),
        cmocka_unit_test(what_fails_in_the_middle_gives_nothing),
        cmocka_unit_test(without_a_stream_there_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
