// SPDX-License-Identifier: MIT
/* What was read is known, what was not is not, and all of it has an end. */
#include "pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_BYTES 300000u

static unsigned char file[FILE_BYTES];

static void fill_file(void)
{
    for (size_t i = 0; i < FILE_BYTES; i++)
        file[i] = i / 5000 % 3 == 0 ? 0 : (unsigned char)(i * 7 + i / 512);
}

static void missing(const struct io_pages *pages, uint64_t off, size_t len, uint64_t begin,
                    uint64_t end)
{
    unsigned char buf[20000];
    uint64_t found_begin, found_end;

    assert_true(len <= sizeof(buf));
    io_pages_get(pages, off, buf, len, &found_begin, &found_end);
    assert_int_equal(found_begin, begin);
    assert_int_equal(found_end, end);
    assert_memory_equal(buf, file + off, (size_t)(begin - off));
    assert_memory_equal(buf + (end - off), file + end, (size_t)(off + len - end));
}

static void nothing_is_known_at_first(void **state)
{
    struct io_pages pages = {.n = 0};

    (void)state;
    missing(&pages, 1000, 5000, 1000, 6000);
    missing(&pages, 1000, 0, 1000, 1000);
    io_pages_forget(&pages);
}

static void what_was_put_is_known_by_whole_sectors(void **state)
{
    struct io_pages pages = {.n = 0};

    (void)state;
    fill_file();
    io_pages_put(&pages, 1000, file + 1000, 10000); /* of them 1024 to 10752 */
    missing(&pages, 1024, 9728, 1024, 1024);
    missing(&pages, 5001, 77, 5001, 5001);
    missing(&pages, 600, 8000, 600, 1024);
    missing(&pages, 5000, 8000, 10752, 13000);
    missing(&pages, 600, 12000, 600, 12600);
    io_pages_forget(&pages);
    missing(&pages, 1024, 9728, 1024, 10752);
}

static void between_two_stretches_the_gap_is_missing(void **state)
{
    struct io_pages pages = {.n = 0};

    (void)state;
    fill_file();
    io_pages_put(&pages, 0, file, 1024);
    io_pages_put(&pages, 2048, file + 2048, 1024);
    missing(&pages, 0, 3072, 1024, 2048);
    io_pages_forget(&pages);
}

static void any_order_of_reads_gives_the_file(void **state)
{
    struct io_pages pages = {.n = 0};
    unsigned seed = 1;

    (void)state;
    fill_file();
    for (int i = 0; i < 3000; i++) {
        uint64_t off = (seed = seed * 1103515245 + 12345) / 7 % (FILE_BYTES - 20000), begin, end;
        size_t len = (seed = seed * 1103515245 + 12345) / 7 % 20000;
        static unsigned char buf[20000];

        memset(buf, 0xee, len);
        io_pages_get(&pages, off, buf, len, &begin, &end);
        memcpy(buf + (begin - off), file + begin, (size_t)(end - begin));
        assert_memory_equal(buf, file + off, len);
        io_pages_put(&pages, begin, file + begin, (size_t)(end - begin));
    }
    io_pages_forget(&pages);
}

/* One after the other and both at once, as a process has one room for all. */
static void there_is_no_more_room_than_said(void **state)
{
    struct io_pages pages[2] = {{.n = 0}};
    unsigned char *bytes = malloc(1 << 20);
    uint64_t begin, end, known[2] = {0, 0};

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 0x5a, 1 << 20);
    for (uint64_t off = 0; off < IO_PAGES_BYTES_MAX; off += 1 << 20)
        for (int i = 0; i < 2; i++)
            io_pages_put(&pages[i], off << 10, bytes, 1 << 20);
    for (uint64_t off = 0; off < IO_PAGES_BYTES_MAX; off += 1 << 20)
        for (int i = 0; i < 2; i++) {
            io_pages_get(&pages[i], off << 10, bytes, 1 << 20, &begin, &end);
            known[i] += (1 << 20) - (end - begin);
        }
    assert_true(known[0] + known[1] > IO_PAGES_BYTES_MAX / 10 * 8);
    assert_true(known[0] + known[1] <= IO_PAGES_BYTES_MAX);
    io_pages_forget(&pages[0]);
    io_pages_forget(&pages[1]);
    for (uint64_t off = 0; off < IO_PAGES_BYTES_MAX / 2; off += 1 << 20) /* and it is free again */
        io_pages_put(&pages[0], off, bytes, 1 << 20);
    io_pages_get(&pages[0], IO_PAGES_BYTES_MAX / 2 - (1 << 20), bytes, 1 << 20, &begin, &end);
    assert_int_equal(begin, end);
    io_pages_forget(&pages[0]);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(what_was_put_is_known_by_whole_sectors),
        cmocka_unit_test(between_two_stretches_the_gap_is_missing),
        cmocka_unit_test(any_order_of_reads_gives_the_file),
        cmocka_unit_test(there_is_no_more_room_than_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
