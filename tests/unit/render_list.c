// SPDX-License-Identifier: MIT
/* A list of runs, as lines and as JSON. */
#include "render_list.h"
#include "made_report.h"

#include <errno.h>

static const struct report_run data = {
    .guest_off = 0x10000,
    .guest_bytes = 65536 * 3,
    .kind = PIECE_DATA,
    .file = "disk\x1b",
    .host_off = {true, 0x50000},
    .host_bytes = {true, 65536 * 2},
    .physical_off = {true, 0x7f0000},
};
static const struct report_run zeros = {
    .guest_off = 0x40000,
    .guest_bytes = 1,
    .kind = PIECE_ZERO,
    .depth = 12,
    .file = "base",
    .host_off = {false, 1},
    .host_bytes = {false, 2},
    .physical_off = {false, 3},
};
static const struct report_run blob = {.kind = PIECE_COMPRESSED, .file = "b"};

static void prints(struct render_list list, const struct report_run *run, const char *expected)
{
    struct made_print *print = made_print_begin();
    char *text;

    list.stream = print->stream;
    if (run != NULL)
        assert_int_equal(render_list_run(&list, run), 0);
    render_list_end(&list);
    text = made_print_end(print);
    assert_string_equal(text, expected);
    free(text);
}

#define HEADINGS                                                                                   \
    "      GUEST OFFSET     LENGTH KIND       DEPTH        HOST OFFSET HOST LENGTH    PHYSICAL "   \
    "OFFSET FILE\n"

static void a_run_is_a_line_below_the_headings(void **state)
{
    (void)state;
    prints((struct render_list){0}, &data,
           HEADINGS "           0x10000    192 KiB data           0            0x50000     128 KiB "
                    "          0x7f0000 disk\\x1b\n");
}

static void what_is_not_known_is_a_dash(void **state)
{
    (void)state;
    prints(
        (struct render_list){.noheadings = true}, &zeros,
        "           0x40000        1 B zero          12                  -           -           "
        "       - base\n");
}

static void lengths_can_be_plain_numbers(void **state)
{
    (void)state;
    prints(
        (struct render_list){.noheadings = true, .bytes = true}, &data,
        "           0x10000     196608 data           0            0x50000      131072           "
        "0x7f0000 disk\\x1b\n");
}

static void headings_come_once_and_also_alone(void **state)
{
    struct made_print *print = made_print_begin();
    struct render_list list = {.stream = print->stream, .noheadings = false};
    char *text;

    (void)state;
    render_list_run(&list, &zeros);
    render_list_run(&list, &zeros);
    render_list_end(&list);
    text = made_print_end(print);
    assert_memory_equal(text, HEADINGS, strlen(HEADINGS));
    assert_null(strstr(text + strlen(HEADINGS), "GUEST"));
    free(text);
    prints((struct render_list){0}, NULL, HEADINGS);
    prints((struct render_list){.noheadings = true}, NULL, "");
    prints((struct render_list){.json = true}, NULL, "");
}

static void in_json_a_run_is_an_object_on_a_line(void **state)
{
    (void)state;
    prints((struct render_list){.json = true}, &data,
           "{\"guest_offset\":65536,\"length\":196608,\"kind\":\"data\",\"depth\":0,"
           "\"file\":\"disk\\u001b\",\"host_offset\":327680,\"host_length\":131072,"
           "\"physical_offset\":8323072}\n");
    prints((struct render_list){.json = true, .bytes = true}, &zeros,
           "{\"guest_offset\":262144,\"length\":1,\"kind\":\"zero\",\"depth\":12,"
           "\"file\":\"base\",\"host_offset\":null,\"host_length\":null,"
           "\"physical_offset\":null}\n");
    prints((struct render_list){.json = true}, &blob,
           "{\"guest_offset\":0,\"length\":0,\"kind\":\"compressed\",\"depth\":0,"
           "\"file\":\"b\",\"host_offset\":null,\"host_length\":null,"
           "\"physical_offset\":null}\n");
}

static void nobody_reading_on_is_an_error(void **state)
{
    struct render_list list = {.stream = fopen("/dev/full", "w")};

    (void)state;
    if (list.stream == NULL)
        skip();
    setvbuf(list.stream, NULL, _IONBF, 0);
    assert_int_equal(render_list_run(&list, &data), -ENOSPC);
    fclose(list.stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_a_line_below_the_headings),
        cmocka_unit_test(what_is_not_known_is_a_dash),
        cmocka_unit_test(lengths_can_be_plain_numbers),
        cmocka_unit_test(headings_come_once_and_also_alone),
        cmocka_unit_test(in_json_a_run_is_an_object_on_a_line),
        cmocka_unit_test(nobody_reading_on_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
