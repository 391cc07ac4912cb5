// SPDX-License-Identifier: MIT
/* The names for a copy: in the folder of what is replaced, and of nobody else. */
#include "beside.h"
#include "scratch.h"

static char here[4096]; /* the present folder, without links */

static void finds(const char *path, const char *target, const char *copy, const char *link)
{
    char whole[3][8192];
    const char *expected[3] = {target, copy, link};
    struct io_beside beside;

    assert_non_null(getcwd(here, sizeof(here)));
    for (int i = 0; i < 3; i++)
        if (expected[i] != NULL)
            snprintf(whole[i], sizeof(whole[i]), "%s%s", *expected[i] == '/' ? here : "",
                     expected[i]);
    assert_int_equal(io_beside_find(path, &beside), 0);
    assert_false(beside.is_device);
    for (int i = 0; i < 3; i++) {
        const char *found = i == 0 ? beside.target : i == 1 ? beside.copy : beside.link;

        if (expected[i] == NULL)
            assert_null(found);
        else
            assert_string_equal(found, whole[i]);
    }
    io_beside_release(&beside);
    assert_null(beside.copy);
}

static void a_file_has_its_copy_beside_it(void **state)
{
    (void)state;
    mkdir("folder", 0700);
    scratch_write("disk", "");
    scratch_write("folder/disk", "");
    finds("disk", NULL, "disk.new", NULL);
    finds("folder/disk", NULL, "folder/disk.new", NULL);
    finds("nothing", NULL, NULL, NULL);
}

static void a_name_that_somebody_has_is_not_taken(void **state)
{
    (void)state;
    scratch_write("disk", "");
    scratch_write("disk.new", "");
    finds("disk", NULL, "disk.new2", NULL);
    assert_int_equal(symlink("nothing", "disk.new2"), 0); /* also one that leads nowhere */
    finds("disk", NULL, "disk.new3", NULL);
}

static void after_a_hundred_names_the_last_one_stands(void **state)
{
    char name[32];

    (void)state;
    scratch_write("disk", "");
    scratch_write("disk.new", "");
    for (int i = 2; i <= 100; i++) {
        snprintf(name, sizeof(name), "disk.new%d", i);
        scratch_write(name, "");
    }
    finds("disk", NULL, "disk.new100", NULL);
    unlink("disk.new99");
    finds("disk", NULL, "disk.new99", NULL);
}

static void what_a_link_leads_to_is_replaced(void **state)
{
    (void)state;
    mkdir("folder", 0700);
    scratch_write("disk", "");
    scratch_write("folder/disk", "");
    assert_int_equal(symlink("disk", "near"), 0);
    assert_int_equal(symlink("folder/disk", "far"), 0);
    finds("near", "/disk", "/disk.new", NULL);
    finds("far", "/folder/disk", "/folder/disk.new", "far.new");
    scratch_write("far.new", "");
    scratch_write("folder/disk.new", "");
    finds("far", "/folder/disk", "/folder/disk.new2", "far.new2");
}

static void a_link_by_its_whole_name(void **state)
{
    char path[8192];

    (void)state;
    assert_non_null(getcwd(here, sizeof(here)));
    scratch_write("disk", "");
    assert_int_equal(symlink("disk", "near"), 0);
    snprintf(path, sizeof(path), "%s/near", here);
    finds(path, "/disk", "/disk.new", NULL);
}

static void a_device_is_told(void **state)
{
    struct io_beside beside;
    struct stat st;

    (void)state;
    if (mknod("device", S_IFBLK | 0600, 0) < 0 || stat("device", &st) < 0)
        skip();
    assert_int_equal(io_beside_find("device", &beside), 0);
    assert_true(beside.is_device);
    io_beside_release(&beside);
}

static void a_remote_image_has_its_copy_here(void **state)
{
    struct io_beside beside;

    (void)state;
    scratch_write("disk-2.qcow2", "");
    assert_int_equal(io_beside_find("nbd://host/disk", &beside), 0);
    assert_true(beside.is_remote && beside.target == NULL && beside.names == 0);
    assert_string_equal(beside.copy, "disk.qcow2");
    io_beside_release(&beside);
    scratch_write("disk.qcow2", "");
    assert_int_equal(io_beside_find("nbd://host/a/disk.qcow2", &beside), 0);
    assert_string_equal(beside.copy, "disk-3.qcow2");
    io_beside_release(&beside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_file_has_its_copy_beside_it),
        SCRATCH_TEST(a_name_that_somebody_has_is_not_taken),
        SCRATCH_TEST(after_a_hundred_names_the_last_one_stands),
        SCRATCH_TEST(what_a_link_leads_to_is_replaced),
        SCRATCH_TEST(a_link_by_its_whole_name),
        SCRATCH_TEST(a_device_is_told),
        SCRATCH_TEST(a_remote_image_has_its_copy_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
