// SPDX-License-Identifier: MIT
/* The steps that save a damaged image, to the letter: they are copied into a shell. */
#include "rescue.h"
#include "made_report.h"

struct rescued {
    struct made_report made;
    struct report_recipe recipe;
};

static void make(struct rescued *rescued)
{
    memset(rescued, 0, sizeof(*rescued));
    made_init(&rescued->made);
    made_add_findings(&rescued->made);
    rescued->made.image.host.is_device = false;
    rescued->made.image.format.snapshot_count = 0;
}

/* The steps, as "command" lines; free them. */
static void expect(struct rescued *rescued, size_t n, const char *const commands[])
{
    report_recipe_release(&rescued->recipe);
    assert_int_equal(report_rescue(&rescued->made.image, &rescued->recipe), 0);
    assert_int_equal(rescued->recipe.n, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(rescued->recipe.steps[i].command, commands[i]);
}

static void what_is_sound_needs_no_rescue(void **state)
{
    struct rescued rescued;

    (void)state;
    make(&rescued);
    assert_true(report_is_damaged(&rescued.made.image));
    rescued.made.image.changing = true;
    assert_false(report_is_damaged(&rescued.made.image));
    expect(&rescued, 0, NULL);
    rescued.made.image.changing = false;
    rescued.made.image.findings.errors = 0;
    expect(&rescued, 0, NULL);
}

static void a_copy_comes_first_and_no_file_is_written_over(void **state)
{
    static const char *const commands[] = {
        "test ! -e disk.qcow2.damaged && cp -p --sparse=always disk.qcow2 disk.qcow2.damaged",
        "test ! -e disk.qcow2.salvaged && qemu-img convert --salvage -p -O qcow2 disk.qcow2 "
        "disk.qcow2.salvaged",
        "qemu-img check disk.qcow2",
    };
    struct rescued rescued;

    (void)state;
    make(&rescued);
    expect(&rescued, 3, commands);
    assert_string_equal(rescued.recipe.steps[0].text,
                        "Shut the VM down, and copy the file as it is before anything else: any "
                        "repair may throw data away.");
    assert_string_equal(
        rescued.recipe.steps[1].text,
        "Read what can be read into a new image; convert without --salvage stops at "
        "the first damage. What cannot be read is zeros there.");
    assert_string_equal(rescued.recipe.steps[2].text, "See what QEMU finds; this changes nothing.");
    report_recipe_release(&rescued.recipe);
}

static void names_are_safe(void **state)
{
    static const char *const dash[] = {
        "test ! -e ./-d.damaged && cp -p --sparse=always ./-d ./-d.damaged",
        "test ! -e ./-d.salvaged && qemu-img convert --salvage -p -O qcow2 ./-d ./-d.salvaged",
        "qemu-img check ./-d",
    };
    static const char *const colon[] = {
        "test ! -e './a/b: c.damaged' && cp -p --sparse=always './a/b: c' './a/b: c.damaged'",
        "test ! -e './a/b: c.salvaged' && qemu-img convert --salvage -p -O qcow2 'a/b: c' "
        "'./a/b: c.salvaged'",
        "qemu-img check 'a/b: c'",
    };
    static const char *const whole[] = {
        "test ! -e /a:b.damaged && cp -p --sparse=always /a:b /a:b.damaged",
        "test ! -e /a:b.salvaged && qemu-img convert --salvage -p -O qcow2 /a:b /a:b.salvaged",
        "qemu-img check /a:b",
    };
    struct rescued rescued;

    (void)state;
    make(&rescued);
    rescued.made.image.path = "-d";
    expect(&rescued, 3, dash);
    rescued.made.image.path = "a/b: c";
    expect(&rescued, 3, colon);
    rescued.made.image.path = "/a:b";
    expect(&rescued, 3, whole);
    report_recipe_release(&rescued.recipe);
}

static void what_is_on_a_device_is_saved_in_this_folder(void **state)
{
    static const char *const commands[] = {
        "test ! -e lv.damaged && cp -p --sparse=always /dev/vg/lv lv.damaged",
        "test ! -e lv.salvaged && qemu-img convert --salvage -p -O qcow2 /dev/vg/lv lv.salvaged",
        "qemu-img check /dev/vg/lv",
    };
    static const char *const linked[] = {
        "test ! -e lv.damaged && cp -p --sparse=always x/lv lv.damaged",
        "test ! -e lv.salvaged && qemu-img convert --salvage -p -O qcow2 x/lv lv.salvaged",
        "qemu-img check x/lv",
    };
    static const char *const bare[] = {
        "test ! -e lv.damaged && cp -p --sparse=always lv lv.damaged",
        "test ! -e lv.salvaged && qemu-img convert --salvage -p -O qcow2 lv lv.salvaged",
        "qemu-img check lv",
    };
    struct rescued rescued;

    (void)state;
    make(&rescued);
    rescued.made.image.path = "/dev/vg/lv";
    expect(&rescued, 3, commands);
    rescued.made.image.host.is_device = true;
    rescued.made.image.path = "x/lv";
    expect(&rescued, 3, linked);
    rescued.made.image.path = "lv";
    expect(&rescued, 3, bare);
    report_recipe_release(&rescued.recipe);
}

static void what_qemu_does_not_open_is_made_so_that_it_does(void **state)
{
    struct rescued rescued;
    uint16_t *per_code = rescued.made.image.findings.per_code;

    (void)state;
    make(&rescued);
    per_code[FORMAT_FINDING_SNAPSHOT_EXTRA_LONG] = 1;
    per_code[FORMAT_FINDING_BITMAP_TABLE] = 1;
    assert_int_equal(report_rescue(&rescued.made.image, &rescued.recipe), 0);
    assert_int_equal(rescued.recipe.n, 5);
    assert_string_equal(rescued.recipe.steps[1].text,
                        "QEMU does not open the image before this has mended its snapshot table.");
    assert_string_equal(rescued.recipe.steps[1].command, "qemu-img check -r all disk.qcow2");
    assert_string_equal(rescued.recipe.steps[2].text,
                        "QEMU may not open the image for its bitmaps; this takes their feature bit "
                        "away.");
    assert_string_equal(rescued.recipe.steps[2].command,
                        "printf '\\000' | dd of=disk.qcow2 bs=1 seek=95 conv=notrunc status=none");
    rescued.made.image.format.data_file_raw = true; /* another bit of the same byte */
    report_recipe_release(&rescued.recipe);
    assert_int_equal(report_rescue(&rescued.made.image, &rescued.recipe), 0);
    assert_string_equal(rescued.recipe.steps[2].command,
                        "printf '\\002' | dd of=disk.qcow2 bs=1 seek=95 conv=notrunc status=none");
    report_recipe_release(&rescued.recipe);
}

static void what_is_read_instead_is_said(void **state)
{
    struct rescued rescued;
    struct report_format *format = &rescued.made.image.format;

    (void)state;
    make(&rescued);
    format->backing_file = made_name("base");
    format->snapshot_count = 1;
    format->encryption = FORMAT_CRYPT_AES;
    assert_int_equal(report_rescue(&rescued.made.image, &rescued.recipe), 0);
    assert_string_equal(rescued.recipe.steps[1].text,
                        "The image is encrypted: put its passphrase, without a newline, into a "
                        "file KEYFILE that only you can read.");
    assert_null(rescued.recipe.steps[1].command);
    assert_string_equal(
        rescued.recipe.steps[2].text,
        "Read what can be read into a new image; convert without --salvage stops at "
        "the first damage. What cannot be read is zeros there, or what the backing "
        "file has. With -l NAME the same reads a snapshot. The new image is not "
        "encrypted.");
    assert_string_equal(rescued.recipe.steps[2].command,
                        "test ! -e disk.qcow2.salvaged && qemu-img convert --salvage -p --object "
                        "secret,id=key,file=KEYFILE --image-opts -O qcow2 "
                        "driver=qcow2,encrypt.key-secret=key,file.filename=disk.qcow2 "
                        "disk.qcow2.salvaged");
    report_recipe_release(&rescued.recipe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sound_needs_no_rescue),
        cmocka_unit_test(a_copy_comes_first_and_no_file_is_written_over),
        cmocka_unit_test(names_are_safe),
        cmocka_unit_test(what_is_on_a_device_is_saved_in_this_folder),
        cmocka_unit_test(what_qemu_does_not_open_is_made_so_that_it_does),
        cmocka_unit_test(what_is_read_instead_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
