// SPDX-License-Identifier: MIT
/* What is said of space that can be had back, and when nothing is. */
#include "reclaim.h"
#include "made_report.h"

/* 38 MiB reclaimable, of which 20 are leaked; 359 MiB needed, and 390 stored. */
static void make(struct made_report *made)
{
    made_init(made);
    made_add_space(made);
    made->image.format.snapshot_count = 0;
}

static void steps_are(const struct made_report *made, size_t n, const char *first)
{
    struct report_recipe recipe;

    assert_int_equal(report_reclaim(&made->image, &recipe), 0);
    assert_int_equal(recipe.n, n);
    if (first != NULL)
        assert_string_equal(recipe.steps[0].text, first);
    report_recipe_release(&recipe);
}

static void a_copy_is_shorter_and_leaks_can_be_freed(void **state)
{
    struct report_recipe recipe;
    struct made_report made;

    (void)state;
    make(&made);
    assert_int_equal(report_reclaim(&made.image, &recipe), 0);
    assert_int_equal(recipe.n, 2);
    assert_string_equal(recipe.steps[0].text,
                        "Written anew with the VM shut down, the file is shorter by about 38 MiB. "
                        "The host stores between 31 MiB and 38 MiB of it, the rest are holes "
                        "already.");
    assert_string_equal(recipe.steps[1].text,
                        "With the VM shut down, the 20 MiB that are leaked can be freed for writes "
                        "to come; the file gets no shorter by that.");
    assert_string_equal(recipe.steps[1].command, "qemu-img check -r leaks disk.qcow2");
    report_recipe_release(&recipe);
}

static void an_encrypted_image_needs_its_key(void **state)
{
    struct report_recipe recipe;
    struct made_report made;

    (void)state;
    make(&made);
    made.image.format.encryption = FORMAT_CRYPT_LUKS;
    made.space.reclaimable_bytes.value = 0;
    assert_int_equal(report_reclaim(&made.image, &recipe), 0);
    assert_int_equal(recipe.n, 1);
    assert_string_equal(recipe.steps[0].command,
                        "qemu-img check -r leaks --object secret,id=key,file=KEYFILE --image-opts "
                        "driver=qcow2,encrypt.key-secret=key,file.filename=disk.qcow2");
    report_recipe_release(&recipe);
}

static void of_the_copy_that_is_to_be_made_anyhow(void **state)
{
    struct made_report made;

    (void)state;
    make(&made);
    made.image.beside.is_device = true; /* which defrag does not write to */
    made.space.host_allocated_bytes.known = false;
    made.image.format.snapshot_count = 1;
    steps_are(&made, 2,
              "A copy made by qemu-img convert is shorter by 38 MiB, and by what its internal "
              "snapshots hold, which it will not have.");
    made.image.verdict.action = REPORT_IMAGE;
    steps_are(&made, 2,
              "The copy is shorter by 38 MiB, and by what its internal snapshots hold, which it "
              "will not have.");
    made.image.verdict.action = REPORT_BOTH;
    made.image.format.snapshot_count = 0;
    steps_are(&made, 2, "The copy is shorter by 38 MiB.");
    made.image.verdict.action = REPORT_SNAPSHOTS;
    steps_are(&made, 2, "A copy made by qemu-img convert is shorter by 38 MiB.");
}

static void of_the_rewrite_that_is_to_be_made_anyhow(void **state)
{
    static const enum report_action printed[] = {REPORT_IMAGE, REPORT_BOTH, REPORT_SNAPSHOTS};
    struct report_recipe recipe;
    struct made_report made;

    (void)state;
    make(&made);
    made.space.host_allocated_bytes.known = false;
    assert_int_equal(report_reclaim(&made.image, &recipe), 0);
    assert_string_equal(recipe.steps[0].command, "qcow2frag defrag --force disk.qcow2");
    report_recipe_release(&recipe);
    for (size_t i = 0; i < sizeof(printed) / sizeof(printed[0]); i++) {
        made.image.verdict.action = printed[i];
        steps_are(&made, 2, "Put in order, the file is shorter by about 38 MiB.");
        assert_int_equal(report_reclaim(&made.image, &recipe), 0);
        assert_null(recipe.steps[0].command);
        report_recipe_release(&recipe);
    }
}

static void how_much_of_it_the_host_stores(void **state)
{
    static const struct {
        uint64_t stored; /* MiB; 359 are needed */
        const char *text;
    } cases[] = {
        {397, " All of it is stored by the host."},
        {500, " All of it is stored by the host."},
        {396, " The host stores between 37 MiB and 38 MiB of it, the rest are holes already."},
        {359, " The host stores between 0 B and 38 MiB of it, the rest are holes already."},
        {10, " The host stores between 0 B and 10 MiB of it, the rest are holes already."},
        {0, " The host stores 0 B of it, the rest are holes already."},
    };
    struct made_report made;
    char text[256];

    (void)state;
    make(&made);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        made.space.host_allocated_bytes.value = cases[i].stored * MADE_MIB;
        snprintf(text, sizeof(text),
                 "Written anew with the VM shut down, the file is shorter by about 38 MiB.%s",
                 cases[i].text);
        steps_are(&made, 2, text);
    }
}

static void nothing_to_get_back(void **state)
{
    struct made_report made;

    (void)state;
    make(&made);
    made.space.leaked_bytes.value = 0;
    steps_are(&made, 1, NULL);
    made.space.leaked_bytes = (struct opt_u64){false, 1};
    steps_are(&made, 1, NULL);
    made.space.reclaimable_bytes = (struct opt_u64){false, 1};
    steps_are(&made, 0, NULL);
    made.space.reclaimable_bytes = opt_u64_of(0);
    steps_are(&made, 0, NULL);
    made.space.reclaimable_bytes = opt_u64_of(1);
    steps_are(&made, 1, NULL);
    made.image.space = NULL;
    steps_are(&made, 0, NULL);
}

/* What seems to be leaked may be what a damaged entry should name. */
static void nothing_is_freed_where_something_is_damaged(void **state)
{
    struct made_report made;

    (void)state;
    make(&made);
    made.image.complete = false;
    steps_are(&made, 0, NULL);
    make(&made);
    made.image.format.corrupt = true;
    steps_are(&made, 0, NULL);
    make(&made);
    made.image.format.dirty = true;
    steps_are(&made, 0, NULL);
    make(&made);
    made.image.findings.per_code[FORMAT_FINDING_REFCOUNT_LOW] = 1;
    steps_are(&made, 0, NULL);
    make(&made);
    made.image.findings.per_code[FORMAT_FINDING_L2_SHARED] = 1;
    steps_are(&made, 0, NULL);
    make(&made);
    made.image.findings.per_code[FORMAT_FINDING_REFCOUNT_HIGH] = 1;
    steps_are(&made, 2, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_shorter_and_leaks_can_be_freed),
        cmocka_unit_test(an_encrypted_image_needs_its_key),
        cmocka_unit_test(of_the_copy_that_is_to_be_made_anyhow),
        cmocka_unit_test(of_the_rewrite_that_is_to_be_made_anyhow),
        cmocka_unit_test(how_much_of_it_the_host_stores),
        cmocka_unit_test(nothing_to_get_back),
        cmocka_unit_test(nothing_is_freed_where_something_is_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
