// SPDX-License-Identifier: MIT
/* What the page says that the figures mean, and what is to be done. */
#include "made_page.h"

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
    says(&page, "   1. Start QEMU with a cache that holds all L2 tables of this disk. In libvirt, "
                "since 7.0, this is");
    says(&page,
         "      <metadata_cache><max_size unit='bytes'>393216</max_size></metadata_cache> in "
         "the <driver> of");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_verdict_the_figures_are_put_in_words),
        cmocka_unit_test(causes_stand_below_the_verdict),
        cmocka_unit_test(steps_are_numbered),
        cmocka_unit_test(space_that_can_be_had_back),
        cmocka_unit_test(what_is_not_whole_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
