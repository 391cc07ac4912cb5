// SPDX-License-Identifier: MIT
/* The page for people: what it says of the image and of what is under it, and of its other tables.
 */
#include "made_page.h"

/* ---- the whole ---- */

static void the_whole_page(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    assert_string_equal(
        text_of(&page),
        "disk.qcow2: qcow2 v3, 64 KiB clusters, 1 GiB virtual, 300 MiB mapped\n"
        "  internal snapshots       2  (--all-snapshots measures each)\n"
        "  extents on the host      1,234       mean 332 KiB, on /dev/sda1 (ext4, a spinning "
        "disk)\n"
        "  fragmentation score      25.00 %     1,200 steps back over 4,800 mapped clusters\n"
        "  ascending runs           1,201       mean 256 KiB\n"
        "  contiguous runs          1,918       mean 160 KiB, half of the data in runs of 4 MiB or "
        "more, longest 64 MiB\n"
        "  jumps                    1,200 back (mean 5 MiB), 700 forward (mean 7 MiB; 200 of them "
        "near), 17 to another file\n"
        "  time to read it all      40 s        instead of 5.0 s without breaks: 6.00 to 8.00 "
        "times (spinning disk)\n"
        "  data reads               2.50 times as many as without breaks\n"
        "  compressed               11 of 4,801 mapped clusters\n"
        "  zero clusters            22 (13 of them keep space in the file)\n"
        "  damaged table entries    3\n"
        "  end to end               27.00 %     1,300 steps back, 2,101 contiguous runs, mean 145 "
        "KiB\n"
        "  in holes of the file     2 MiB       of the data, not read\n"
        "\n"
        "  There is nothing to do.\n");
    done(&page);
}

/* With each line explained, all words are there once. */
static void each_figure_can_be_explained(void **state)
{
    static const char *const explained[] = {
        "In so many pieces the host's file system keeps this file, counted as filefrag does.",
        "Read in guest order, the place in the file goes backwards this often, in percent of the "
        "clusters.",
        "Stretches between two steps back; jumps forward may lie in them.",
        "Stretches that can be read without any jump.",
        "A near jump skips at most 512 KiB forward: a disk reads over it faster than it seeks.",
        "with this file where it lies on the host. Ways to the L2 tables are in the first time",
        "Counted for a guest that reads its whole disk in requests of 1 MiB.",
        "The score and the runs on the device: through the image and then through the extents of "
        "the file.",
        "Its \"fragmented\" counts every cluster that does not follow the one before",
        "Each cluster counts once, for the first that applies from the top.",
        "Behind the last cluster in use, as qemu-img check says.",
        "So much shorter is a file that holds the same, without what is free, leaked or behind the "
        "end.",
        "One alone: what two snapshots share is freed when both are deleted.",
    };
    struct page page;

    (void)state;
    make(&page);
    made_add_space(&page.made);
    page.options.verbose = true;
    for (size_t i = 0; i < sizeof(explained) / sizeof(explained[0]); i++)
        tells(&page, explained[i]);
    page.options.verbose = false;
    for (size_t i = 0; i < sizeof(explained) / sizeof(explained[0]); i++) {
        char begin[24];

        snprintf(begin, sizeof(begin), "%s", explained[i]);
        hides(&page, begin);
    }
    page.options.verbose = true;
    page.made.image.host.is_device = true;
    hides(&page, "In so many pieces");
    page.made.tables[0].end_to_end.seconds.known = false;
    tells(&page, "with this file in one piece on the host.");
    done(&page);
}

static void a_stream_that_fails_is_told(void **state)
{
    struct page page;
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    if (full == NULL)
        skip();
    make(&page);
    render_text(full, &page.made.image, &page.options);
    assert_int_not_equal(fclose(full), 0); /* which is for its owner to see */
    done(&page);
}

/* ---- what is under the file ---- */

static void the_device_and_the_file_system(void **state)
{
    struct page page;
    struct report_host *host = &page.made.image.host;

    (void)state;
    make(&page);
    host->rotational.value = false;
    host->device = host->filesystem = NULL;
    says(&page,
         "  extents on the host      1,234       mean 332 KiB, on a device that is not known "
         "(a file system that is not known, without moving parts)");
    host->rotational.known = false;
    host->is_device = true;
    host->device = (char *)(uintptr_t) "/dev/\x1b";
    host->extent_mean_bytes.known = false;
    says(&page, "  extents on the host      1,234       mean -, on /dev/\\x1b (itself the image)");
    host->extents = 0;
    host->is_device = false;
    host->filesystem = (char *)(uintptr_t) "xf\x1b";
    says(&page, "  extents on the host      0           on /dev/\\x1b (xf\\x1b)");
    hides(&page, "not on the device yet");
    hides(&page, "odd extents");
    host->unplaced_bytes = 65536;
    host->unknown_flags = 0x200;
    says(&page, "  not on the device yet    64 KiB      sync the file and measure again");
    says(&page, "  odd extents              flags 0x200, which are not understood");
    done(&page);
}

static void extents_that_are_not_known(void **state)
{
    struct page page;
    struct report_host *host = &page.made.image.host;

    (void)state;
    make(&page);
    *host = (struct report_host){.reason = (char *)(uintptr_t) "it is new"};
    says(&page, "  extents on the host      not known: it is new");
    host->filesystem = (char *)(uintptr_t) "tm\x1b";
    says(&page, "  extents on the host      not known: it is new (tm\\x1b)");
    host->reason = NULL;
    hides(&page, "extents on the host");
    done(&page);
}

/* ---- what the image is ---- */

static void the_title_says_what_is_mapped_where_that_is_one_number(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    page.options.bytes = true;
    page.made.image.path = "a\x1b";
    page.made.image.format.version = 2;
    says(&page, "a\\x1b: qcow2 v2, 65536 B clusters, 1073741824 B virtual, 314572800 B mapped");
    page.made.tables[0].range.known = true;
    says(&page, "a\\x1b: qcow2 v2, 65536 B clusters, 1073741824 B virtual");
    page.made.tables[0].range.known = false;
    page.made.tables[0].measured = false;
    says(&page, "a\\x1b: qcow2 v2, 65536 B clusters, 1073741824 B virtual");
    page.made.tables[0].measured = true;
    page.made.tables[0].is_snapshot = true;
    page.made.tables[0].id = page.made.tables[0].name = made_name("1");
    says(&page, "a\\x1b: qcow2 v2, 65536 B clusters, 1073741824 B virtual");
    done(&page);
}

static void who_uses_it(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    hides(&page, "in use");
    page.made.image.in_use.value = true;
    says(&page, "  in use                   yes, by readers");
    page.made.image.being_written = true;
    says(&page, "  in use                   yes, and it may be written to: the figures may be a "
                "moment old");
    page.made.image.in_use.known = false;
    hides(&page, "in use");
    done(&page);
}

static void other_files_of_it(void **state)
{
    struct page page;
    struct report_format *format = &page.made.image.format;

    (void)state;
    make(&page);
    hides(&page, "backing file");
    hides(&page, "external data");
    hides(&page, "encryption");
    format->backing_file = made_name("ba\x1bse");
    format->data_file = made_name("da\x1bta");
    format->encryption = FORMAT_CRYPT_AES;
    says(&page, "  backing file             ba\\x1bse  (not opened; only this file is measured)");
    says(&page,
         "  external data file       da\\x1bta  (not opened; offsets below are offsets in it)");
    says(&page, "  encryption               AES  (no key is needed to measure)");
    format->encryption = FORMAT_CRYPT_LUKS;
    made_add_chain(&page.made);
    says(&page, "  backing file             ba\\x1bse");
    says(&page, "  external data file       da\\x1bta");
    says(&page, "  encryption               LUKS  (no key is needed to measure)");
    done(&page);
}

static void snapshots_are_named_where_none_is_shown(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    page.made.image.format.snapshot_count = 0;
    hides(&page, "internal snapshots");
    page.made.image.format.snapshot_count = 1;
    says(&page, "  internal snapshots       1  (--all-snapshots measures each)");
    made_add_snapshot(&page.made);
    hides(&page, "internal snapshots");
    page.made.image.n_tables = 1;
    page.made.image.tables = &page.made.tables[1];
    hides(&page, "internal snapshots");
    done(&page);
}

/* ---- other tables ---- */

static void a_snapshot_has_its_own_figures(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    made_add_snapshot(&page.made);
    says(&page, "  snapshot 7 \"up\\x1bto\": 2 GiB virtual, 600 MiB mapped");
    says(&page,
         "  fragmentation score      50.00 %     1,200 steps back over 4,800 mapped clusters");
    page.made.image.n_tables = 1;
    hides(&page, "snapshot 7");
    page.made.image.n_tables = 2;
    page.made.tables[1].measured = false;
    says(&page, "  snapshot 7 \"up\\x1bto\": 2 GiB virtual, not readable");
    hides(&page, "50.00 %");
    done(&page);
}

static void the_images_of_a_chain(void **state)
{
    static struct report_layer many[23];
    struct page page;

    (void)state;
    make(&page);
    made_add_chain(&page.made);
    says(&page, "  chain                    2 images, the top one first");
    says(&page, "       0    100 MiB in 77 runs: disk.qcow2");
    says(&page, "       1    200 MiB in 1 run, and 5 MiB that nobody sees: ba\\x1bse");
    page.made.layers[1].shadowed_bytes.known = false;
    says(&page, "       1    200 MiB in 1 run: ba\\x1bse");
    page.made.tables[0].n_layers = 1;
    hides(&page, "images, the top");
    for (uint32_t i = 0; i < 23; i++)
        many[i] = (struct report_layer){.path = (char *)(uintptr_t) "l", .depth = i};
    page.made.tables[0].layers = many;
    page.made.tables[0].n_layers = 23;
    says(&page, "      19        0 B in 0 runs: l");
    hides(&page, "      20        0 B");
    says(&page, "    and 3 more; --json lists them");
    page.made.tables[0].n_layers = 20;
    hides(&page, "--json lists them");
    done(&page);
}

static void a_part_of_the_disk(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    page.made.tables[0].range = (struct report_range){true, 2 * MADE_MIB, 512 * MADE_MIB};
    says(&page,
         "  part of the disk         512 MiB     from 2 MiB on, 300 MiB mapped; all below is "
         "of that part only");
    page.options.verbose = true;
    tells(&page, "Clusters that the range touches count whole.");
    page.made.tables[0].range.known = false;
    hides(&page, "part of the disk  ");
    done(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_page),
        cmocka_unit_test(each_figure_can_be_explained),
        cmocka_unit_test(a_stream_that_fails_is_told),
        cmocka_unit_test(the_device_and_the_file_system),
        cmocka_unit_test(extents_that_are_not_known),
        cmocka_unit_test(the_title_says_what_is_mapped_where_that_is_one_number),
        cmocka_unit_test(who_uses_it),
        cmocka_unit_test(other_files_of_it),
        cmocka_unit_test(snapshots_are_named_where_none_is_shown),
        cmocka_unit_test(a_snapshot_has_its_own_figures),
        cmocka_unit_test(the_images_of_a_chain),
        cmocka_unit_test(a_part_of_the_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
