// SPDX-License-Identifier: MIT
/* Histograms on the page. */
#include "made_page.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histograms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
