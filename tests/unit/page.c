// SPDX-License-Identifier: MIT
/* The page for people: each line of it, when it is there, and what it says. */
#include "made_report.h"
#include "render.h"

#include <ctype.h>
#include <errno.h>

/* The page of @made, and questions about it. */
struct page {
    struct made_report made;
    struct render_options options;
    char *text;
};

static void make(struct page *page)
{
    memset(page, 0, sizeof(*page));
    made_init(&page->made);
}

static const char *text_of(struct page *page)
{
    struct made_print *print = made_print_begin();

    assert_int_equal(render_text(print->stream, &page->made.image, &page->options), 0);
    free(page->text);
    page->text = made_print_end(print);
    return page->text;
}

static void fail_with(const struct page *page, const char *what, const char *part)
{
    fprintf(stderr, "%s", page->text);
    fail_msg("%s: %s", what, part);
}

static void says(struct page *page, const char *line)
{
    if (!made_has_line(text_of(page), line))
        fail_with(page, "no such line", line);
}

/* A sentence, wherever its lines are broken: that is flow.c's. */
static void tells(struct page *page, const char *sentence)
{
    char *flat = strdup(text_of(page)), *to = flat;

    for (const char *from = page->text; *from != '\0'; from++)
        if (!isspace((unsigned char)*from))
            *to++ = *from;
        else if (to > flat && to[-1] != ' ')
            *to++ = ' ';
    *to = '\0';
    if (strstr(flat, sentence) == NULL)
        fail_with(page, "not told", sentence);
    free(flat);
}

static void hides(struct page *page, const char *part)
{
    if (strstr(text_of(page), part) != NULL)
        fail_with(page, "on the page", part);
}

static void done(struct page *page)
{
    free(page->text);
}

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

/* ---- figures ---- */

static void one_of_a_kind(void **state)
{
    struct page page;
    struct report_walk *walk = &page.made.tables[0].walk;

    (void)state;
    make(&page);
    walk->backward_steps = walk->pieces = walk->zero_allocated_clusters = 1;
    page.made.tables[0].mapped_clusters = 1;
    page.made.tables[0].end_to_end.walk.backward_steps = 1;
    page.made.tables[0].end_to_end.walk.contiguous_runs = 1;
    says(&page, "  fragmentation score      25.00 %     1 step back over 1 mapped cluster");
    says(&page, "  compressed               11 of 1 mapped cluster");
    says(&page, "  zero clusters            22 (1 of them keeps space in the file)");
    says(&page,
         "  end to end               27.00 %     1 step back, 1 contiguous run, mean 145 KiB");
    page.made.tables[0].chain_depth = 2;
    says(&page, "  fragmentation score      25.00 %     1 step back over 1 piece");
    walk->pieces = 2;
    says(&page, "  fragmentation score      25.00 %     1 step back over 2 pieces");
    done(&page);
}

static void jumps_that_there_are(void **state)
{
    struct page page;
    struct report_walk *walk = &page.made.tables[0].walk;

    (void)state;
    make(&page);
    walk->file_switches = 0;
    says(&page,
         "  jumps                    1,200 back (mean 5 MiB), 700 forward (mean 7 MiB; 200 of "
         "them near)");
    walk->forward_jumps = 0;
    page.options.verbose = true;
    says(&page, "  jumps                    1,200 back (mean 5 MiB), 0 forward");
    hides(&page, "A near jump");
    walk->backward_steps = 0;
    walk->file_switches = 1;
    says(&page, "  jumps                    0 back, 0 forward, 1 to another file");
    walk->breaks = 0;
    says(&page, "  jumps                    none");
    hides(&page, "1 to another file");
    done(&page);
}

static void times_of_each_disk(void **state)
{
    struct page page;
    struct report_disk *disk = &page.made.tables[0].disk;

    (void)state;
    make(&page);
    disk->profile = METER_DISK_NVME;
    page.made.tables[0].end_to_end.slowdown_low = 8; /* no range */
    says(&page,
         "  time to read it all      40 s        instead of 5.0 s without breaks: 8.00 times "
         "(NVMe)");
    page.made.tables[0].end_to_end.known = false;
    disk->profile = METER_DISK_SSD;
    says(&page, "  time to read it all      30 s        instead of 4.5 s without breaks: 5.50 to "
                "6.75 times (SSD)");
    disk->known = false;
    hides(&page, "time to read it all");
    page.made.tables[0].read_split.known = false;
    hides(&page, "data reads");
    done(&page);
}

static void kinds_that_there_are_not(void **state)
{
    struct page page;
    struct report_walk *walk = &page.made.tables[0].walk;

    (void)state;
    make(&page);
    walk->compressed_clusters = walk->zero_clusters = walk->corrupt_entries = 0;
    hides(&page, "compressed");
    hides(&page, "zero clusters");
    hides(&page, "damaged table entries");
    walk->compressed_clusters = walk->zero_clusters = walk->corrupt_entries = 1;
    says(&page, "  compressed               1 of 4,801 mapped clusters");
    says(&page, "  zero clusters            1 (13 of them keep space in the file)");
    says(&page, "  damaged table entries    1");
    done(&page);
}

static void end_to_end_in_each_case(void **state)
{
    struct page page;
    struct report_end_to_end *end_to_end = &page.made.tables[0].end_to_end;

    (void)state;
    make(&page);
    end_to_end->hole_bytes = 0;
    hides(&page, "in holes");
    end_to_end->hole_bytes = 1;
    page.made.image.host.unplaced_bytes = 1;
    says(&page, "  in holes, or not placed  1 B         of the data, not read");
    end_to_end->walk.mapped_bytes = 0;
    says(&page, "  end to end               not known: the data has no place on the device yet");
    hides(&page, "in holes");
    page.made.image.host.unplaced_bytes = 0;
    says(&page, "  end to end               nothing is read: all of the data lies in holes of the "
                "file");
    end_to_end->known = false;
    says(&page, "  end to end               not known: the data is in another file, which is not "
                "opened");
    page.made.image.host.known = false;
    hides(&page, "end to end");
    done(&page);
}

static void qemus_own_figures_are_for_the_curious(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    hides(&page, "as qemu-img check says");
    page.options.verbose = true;
    says(&page, "  as qemu-img check says   5,000/16,384 = 30.52% allocated, 40.00% fragmented, "
                "0.22% compressed");
    page.made.tables[0].check.allocated_clusters = 0;
    hides(&page, "as qemu-img check says   ");
    page.made.tables[0].check.allocated_clusters = 1;
    page.made.tables[0].has_check = false;
    hides(&page, "as qemu-img check says   ");
    done(&page);
}

static void nothing_mapped_has_few_figures(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    page.options.histogram = true;
    page.made.tables[0].mapped_clusters = 0;
    hides(&page, "fragmentation score");
    hides(&page, "contiguous runs");
    hides(&page, "jumps");
    hides(&page, "end to end");
    page.made.tables[0].mapped_clusters = 1;
    says(&page, "  contiguous runs by length (share of the data)");
    done(&page);
}

/* ---- histograms ---- */

static void histograms(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    hides(&page, "by length");
    page.options.histogram = true;
    says(&page, "    from    64 KiB          1,900 runs   200 MiB  66.67 %  ####################");
    says(&page, "    from    64 MiB              1 run    100 MiB  33.33 %  ##########");
    says(&page, "  jumps by distance (share of all jumps)");
    says(&page, "    from    64 KiB          1,000 back           600 forward  84.21 %  "
                "#########################");
    says(&page, "    from     1 GiB            200 back           100 forward  15.79 %  #####");
    page.options.width = 99; /* narrow: counts have no more room than they need, nor has the bar */
    says(&page, "    from    64 KiB  1,000 back   600 forward  84.21 %  #########################");
    page.options.width = 100;
    says(&page, "    from    64 KiB          1,000 back           600 forward  84.21 %  "
                "########################");
    page.options.width = 60;
    says(&page, "    from    64 KiB  1,000 back   600 forward  84.21 %  ####");
    says(&page, "    from    64 KiB          1,900 runs   200 MiB  66.67 %  #");
    page.made.jumps[1].backward = 12345678;
    says(&page, "    from    64 KiB       1,000 back        600 forward  84.21 %");
    for (int i = 0; i < 2; i++) /* no wider than they are */
        page.made.jumps[i].backward = page.made.jumps[i].forward = 3;
    page.made.tables[0].walk.backward_steps = page.made.tables[0].walk.forward_jumps = 6;
    says(&page, "    from    64 KiB  3 back 3 forward  50.00 %  #######");
    page.made.tables[0].walk.backward_steps = page.made.tables[0].walk.forward_jumps = 0;
    hides(&page, "jumps by distance");
    done(&page);
}

/* ---- the space of the file ---- */

static void owners_of_the_space(void **state)
{
    struct page page;
    struct report_space *space = &page.made.space;

    (void)state;
    make(&page);
    hides(&page, "space of the file");
    made_add_space(&page.made);
    says(&page, "  space of the file (share of its length, 400 MiB)");
    says(&page, "    metadata                   1 MiB   0.25 %");
    says(&page, "    active data              310 MiB  77.50 %  #######################");
    says(&page, "    VM state                   8 MiB   2.00 %  #");
    says(&page, "    only in snapshots         40 MiB  10.00 %  ###");
    says(&page, "    leaked                    20 MiB   5.00 %  ##");
    says(&page, "    free                      16 MiB   4.00 %  #");
    says(&page, "    behind the end             2 MiB   0.50 %");
    says(&page, "  image end                398 MiB");
    says(&page, "  stored by the host       390 MiB");
    says(&page, "  free gaps                31          longest 11 MiB");
    says(&page, "  reclaimable              38 MiB");
    hides(&page, "unknown");
    space->leaked_bytes.known = space->host_allocated_bytes.known = false;
    space->free_gaps = 0;
    says(&page, "    leaked                         -  not known: the image is in use or dirty, or "
                "its refcounts are damaged");
    hides(&page, "stored by the host");
    hides(&page, "free gaps");
    space->reclaimable_bytes.known = false;
    space->unknown_bytes = 4 * MADE_MIB;
    says(&page, "    unknown                    4 MiB   1.00 %");
    tells(&page,
          "Unknown is what has a refcount, though nothing that can be read refers to it: the "
          "damaged tables may have named it");
    says(&page, "  reclaimable              not known, since tables are damaged");
    hides(&page, "    leaked");
    done(&page);
}

static void gaps_have_a_histogram(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    made_add_space(&page.made);
    hides(&page, "free gaps by length");
    page.options.histogram = true;
    says(&page, "  free gaps by length (share of the free space)");
    says(&page, "    from    64 KiB             30 gaps     4 MiB  25.00 %  ########");
    says(&page,
         "    from     1 MiB              1 gap     12 MiB  75.00 %  #######################");
    page.made.space.free_gaps = 0;
    hides(&page, "free gaps by length");
    done(&page);
}

static void what_deleting_snapshots_frees(void **state)
{
    static struct report_space_snapshot many[22];
    struct page page;
    const char *at;

    (void)state;
    make(&page);
    made_add_space(&page.made);
    at = strstr(text_of(&page), "  what deleting a snapshot frees\n");
    assert_memory_equal(at,
                        "  what deleting a snapshot frees\n"
                        "        6 MiB  snapshot 2 \"second\"\n"
                        "        3 MiB  snapshot 1 \"fi\\x1brst\"\n\n",
                        strlen("  what deleting a snapshot frees\n") + 72);
    for (size_t i = 0; i < 22; i++)
        many[i] = (struct report_space_snapshot){made_name("1"), made_name("n"), {i > 3, i % 4}};
    many[21].name = made_name("last of three");
    many[5].name = made_name("first of one");
    page.made.space.snapshots = many;
    page.made.space.n_snapshots = 22;
    says(&page, "    and 2 snapshots that free no more than these");
    page.made.space.n_snapshots = 21;
    says(&page, "    and 1 snapshot that frees no more than these");
    page.made.space.n_snapshots = 20;
    hides(&page, "no more than these");
    says(&page, "            -  snapshot 1 \"n\"");
    page.made.space.n_snapshots = 0;
    hides(&page, "what deleting");
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

/* ---- what it means ---- */

static void without_a_verdict_the_figures_are_put_in_words(void **state)
{
    struct page page;
    struct report_walk *walk = &page.made.tables[0].walk;

    (void)state;
    make(&page);
    hides(&page, "Reading the disk");
    page.made.image.verdict.known = false;
    tells(&page,
          "Reading the disk from front to back takes a spinning disk 1,717 seeks, one for every "
          "179 KiB of data.");
    tells(&page, "Besides, it reads over 200 short gaps.");
    tells(&page, "An SSD does not seek: it only gets more and smaller reads.");
    walk->near_jumps = 1;
    walk->breaks = 2;
    tells(&page,
          "Reading the disk from front to back takes a spinning disk 1 seek, one for every 300 "
          "MiB of data.");
    tells(&page, "Besides, it reads over 1 short gap.");
    walk->near_jumps = 0;
    hides(&page, "Besides");
    walk->near_jumps = 2;
    tells(&page,
          "Reading the disk from front to back only skips short gaps, 2 of them; a spinning disk "
          "reads over them.");
    walk->near_jumps = walk->breaks = 0;
    tells(&page,
          "The data lies in guest order without a break: reading the disk from front to back "
          "never jumps.");
    walk->contiguous_runs = 0;
    tells(&page, "Nothing is mapped: there is nothing that could be fragmented.");
    made_add_snapshot(&page.made);
    hides(&page, "Nothing is mapped");
    page.made.image.n_tables = 1;
    page.made.tables[0].measured = false;
    hides(&page, "Nothing is mapped");
    done(&page);
}

static void causes_stand_below_the_verdict(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    made_add_causes(&page.made);
    tells(&page, "There is nothing to do.");
    hides(&page, "What to do");
    says(&page,
         "  Likely cause: it looks as if qemu-img convert -W had written it out of order: 80 % of "
         "the breaks.");
    says(&page, "    Against it: without -W (when it is copied again).");
    says(&page, "  And: small clusters make small pieces.");
    tells(&page, "Against it: cluster_size=65536 (an option -o of qemu-img create or convert;");
    page.made.causes[0].share.value = 0;
    says(&page, "  Likely cause: it looks as if qemu-img convert -W had written it out of order.");
    page.made.causes[0].share = (struct opt_f64){false, 1};
    says(&page, "  Likely cause: it looks as if qemu-img convert -W had written it out of order.");
    done(&page);
}

static void steps_are_numbered(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    page.made.image.verdict.action = REPORT_L2_CACHE;
    says(&page, "  What to do:");
    says(&page,
         "   1. Start QEMU with a cache that holds all L2 tables of this disk. In libvirt this "
         "is");
    says(&page,
         "        qemu-system-x86_64 -drive format=qcow2,file=disk.qcow2,l2-cache-size=131072");
    done(&page);
}

static void space_that_can_be_had_back(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    hides(&page, "To get space back");
    made_add_space(&page.made);
    says(&page, "  To get space back:");
    says(&page, "        qemu-img check -r leaks disk.qcow2");
    page.made.space.leaked_bytes.value = 0; /* one step is left */
    says(&page, "  To get space back:");
    page.made.space.leaked_bytes.value = page.made.space.reclaimable_bytes.value = 0;
    hides(&page, "To get space back");
    done(&page);
}

static void what_is_not_whole_says_so(void **state)
{
    static const char line[] =
        "  Not everything could be read, or was read in one state: the figures "
        "are incomplete.";
    struct page page;

    (void)state;
    make(&page);
    hides(&page, line);
    page.made.image.complete = false;
    says(&page, line);
    made_add_findings(&page.made);
    hides(&page, line); /* the damage has been told above */
    page.made.image.changing = true;
    says(&page, line);
    done(&page);
}

/* ---- damage ---- */

static void damage_comes_before_all_figures(void **state)
{
    struct page page;
    const char *text;

    (void)state;
    make(&page);
    made_add_findings(&page.made);
    text = text_of(&page);
    assert_non_null(strstr(text, "  DAMAGED: "));
    assert_true(strstr(text, "  DAMAGED: ") < strstr(text, "fragmentation score"));
    says(&page, "  DAMAGED: see below, though all that was looked at of the guest disk is there");
    says(&page,
         "   1. Shut the VM down, and copy the file as it is before anything else: any repair may "
         "throw data");
    says(&page, "  note: cluster 9: is counted twice");
    says(&page, "  damage: l2[5][17] (offset 0x50088): points to the header");
    page.made.image.changing = true;
    hides(&page, "DAMAGED");
    done(&page);
}

static void lost(struct page *page, uint64_t n)
{
    memset(&page->made.lost, 0, sizeof(page->made.lost));
    for (uint64_t i = 0; i < n; i++)
        piece_lost_add(&page->made.lost, 0x100000 * (i + 1), 0x100000 * (i + 1) + 65536);
    page->made.tables[0].lost = &page->made.lost;
}

static void what_is_lost_is_listed(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    made_add_findings(&page.made);
    lost(&page, 1);
    says(&page, "  DAMAGED: at least 64 KiB of the guest disk cannot be read, in 1 range:");
    says(&page, "    0x100000 to 0x110000, 64 KiB");
    hides(&page, "and 0 more");
    hides(&page, "see below");
    page.options.bytes = true;
    says(&page, "    0x100000 to 0x110000, 65536 B");
    page.options.bytes = false;
    lost(&page, 10);
    says(&page, "  DAMAGED: at least 640 KiB of the guest disk cannot be read, in 10 ranges:");
    says(&page, "    0xa00000 to 0xa10000, 64 KiB");
    hides(&page, "and 0 more");
    lost(&page, 13);
    says(&page, "    and 3 more");
    hides(&page, "    0xb00000");
    done(&page);
}

/* Nine of ten are shown of the disk: there is room for one more. */
static void where_one_range_is_shown_the_others_are_counted(void **state)
{
    static struct piece_lost nine;
    struct page page;

    (void)state;
    make(&page);
    made_add_findings(&page.made);
    lost(&page, 9);
    nine = page.made.lost;
    lost(&page, 3);
    made_add_snapshot(&page.made);
    page.made.tables[0].lost = &nine;
    page.made.tables[1].lost = &page.made.lost;
    says(&page, "    and 2 more");
    done(&page);
}

/* Ten ranges are shown of all tables together, and ten tables. */
static void what_many_snapshots_lost_is_not_a_page_long(void **state)
{
    static struct report_table tables[13];
    struct page page;

    (void)state;
    make(&page);
    made_add_findings(&page.made);
    lost(&page, 7);
    made_add_snapshot(&page.made);
    for (int i = 0; i < 13; i++) {
        tables[i] = page.made.tables[i > 0];
        tables[i].lost = i == 5 ? NULL : &page.made.lost;
    }
    page.made.image.tables = tables;
    page.made.image.n_tables = 2;
    says(&page,
         "  DAMAGED: at least 448 KiB of snapshot \"up\\x1bto\" cannot be read, in 7 ranges:");
    says(&page, "    and 4 more");
    hides(&page, "parts of");
    page.made.image.n_tables = 3;
    says(&page,
         "  DAMAGED: at least 448 KiB of snapshot \"up\\x1bto\" cannot be read, in 7 ranges");
    page.made.image.n_tables = 11;
    hides(&page, "parts of");
    page.made.image.n_tables = 12;
    says(&page, "  DAMAGED: parts of 1 more snapshot cannot be read");
    page.made.image.n_tables = 13;
    says(&page, "  DAMAGED: parts of 2 more snapshots cannot be read");
    done(&page);
}

static void of_each_kind_three_findings_are_shown(void **state)
{
    static struct format_finding list[6];
    struct page page;
    struct format_findings *findings = &page.made.image.findings;
    char place[16];

    (void)state;
    make(&page);
    hides(&page, "note:");
    for (int i = 0; i < 6; i++) {
        snprintf(place, sizeof(place), "place %d", i);
        list[i] = (struct format_finding){.code = i < 5 ? FORMAT_FINDING_REFCOUNT_HIGH
                                                        : FORMAT_FINDING_REFCOUNT_LOW,
                                          .message = "m"};
        strcpy(list[i].where, place);
    }
    findings->list = list;
    findings->n_list = 6;
    findings->total = 6;
    says(&page, "  note: place 2: m");
    hides(&page, "place 3");
    says(&page, "  note: place 5: m");
    says(&page, "  and 2 more of these kinds (--verbose shows the first of them)");
    page.options.verbose = true;
    says(&page, "  note: place 4: m");
    hides(&page, "of these kinds");
    findings->total = 1008;
    says(&page, "  and 1,002 more of these kinds");
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
        cmocka_unit_test(one_of_a_kind),
        cmocka_unit_test(jumps_that_there_are),
        cmocka_unit_test(times_of_each_disk),
        cmocka_unit_test(kinds_that_there_are_not),
        cmocka_unit_test(end_to_end_in_each_case),
        cmocka_unit_test(qemus_own_figures_are_for_the_curious),
        cmocka_unit_test(nothing_mapped_has_few_figures),
        cmocka_unit_test(histograms),
        cmocka_unit_test(owners_of_the_space),
        cmocka_unit_test(gaps_have_a_histogram),
        cmocka_unit_test(what_deleting_snapshots_frees),
        cmocka_unit_test(a_snapshot_has_its_own_figures),
        cmocka_unit_test(the_images_of_a_chain),
        cmocka_unit_test(a_part_of_the_disk),
        cmocka_unit_test(without_a_verdict_the_figures_are_put_in_words),
        cmocka_unit_test(causes_stand_below_the_verdict),
        cmocka_unit_test(steps_are_numbered),
        cmocka_unit_test(space_that_can_be_had_back),
        cmocka_unit_test(what_is_not_whole_says_so),
        cmocka_unit_test(damage_comes_before_all_figures),
        cmocka_unit_test(what_is_lost_is_listed),
        cmocka_unit_test(where_one_range_is_shown_the_others_are_counted),
        cmocka_unit_test(what_many_snapshots_lost_is_not_a_page_long),
        cmocka_unit_test(of_each_kind_three_findings_are_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
