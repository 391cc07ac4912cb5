// SPDX-License-Identifier: MIT
/* What the page says of damage, before all else and in the findings. */
#include "made_page.h"

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

static void what_a_backing_file_lost_is_named_with_it(void **state)
{
    struct page page;

    (void)state;
    make(&page);
    made_add_findings(&page.made);
    made_add_chain(&page.made);
    lost(&page, 1);
    page.made.tables[0].lost = NULL;
    page.made.layers[1].lost = &page.made.lost;
    says(&page,
         "  DAMAGED: at least 64 KiB of backing file \"ba\\x1bse\" cannot be read, in 1 range:");
    says(&page, "    0x100000 to 0x110000, 64 KiB");
    hides(&page, "of the guest disk cannot be read");
    hides(&page, "see below");
    /* The ten lines are for all of them together. */
    lost(&page, 10);
    says(&page, "  DAMAGED: at least 640 KiB of the guest disk cannot be read, in 10 ranges:");
    says(&page,
         "  DAMAGED: at least 640 KiB of backing file \"ba\\x1bse\" cannot be read, in 10 ranges");
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
        cmocka_unit_test(damage_comes_before_all_figures),
        cmocka_unit_test(what_is_lost_is_listed),
        cmocka_unit_test(what_a_backing_file_lost_is_named_with_it),
        cmocka_unit_test(where_one_range_is_shown_the_others_are_counted),
        cmocka_unit_test(what_many_snapshots_lost_is_not_a_page_long),
        cmocka_unit_test(of_each_kind_three_findings_are_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
