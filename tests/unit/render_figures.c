// SPDX-License-Identifier: MIT
/* The figures on the page: each line of them, when it is there, and what it says. */
#include "made_page.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_a_kind),
        cmocka_unit_test(jumps_that_there_are),
        cmocka_unit_test(times_of_each_disk),
        cmocka_unit_test(kinds_that_there_are_not),
        cmocka_unit_test(end_to_end_in_each_case),
        cmocka_unit_test(qemus_own_figures_are_for_the_curious),
        cmocka_unit_test(nothing_mapped_has_few_figures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
