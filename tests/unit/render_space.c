// SPDX-License-Identifier: MIT
/* What the page says of the space of the file. */
#include "made_page.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_of_the_space),
        cmocka_unit_test(gaps_have_a_histogram),
        cmocka_unit_test(what_deleting_snapshots_frees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
