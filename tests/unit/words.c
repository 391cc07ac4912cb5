// SPDX-License-Identifier: MIT
/* The words that stand for an image in a command: to the shell one word, to QEMU one file. */
#include "words.h"
#include "made_report.h"

struct spoken {
    struct made_report made;
    struct report_words words;
};

static void make(struct spoken *spoken, const char *path)
{
    memset(spoken, 0, sizeof(*spoken));
    made_init(&spoken->made);
    spoken->made.image.path = path;
}

static void speak(struct spoken *spoken, bool keep_backing, bool compressed)
{
    report_words_release(&spoken->words);
    assert_int_equal(report_words(&spoken->made.image, keep_backing, compressed, &spoken->words),
                     0);
}

static void done(struct spoken *spoken)
{
    report_words_release(&spoken->words);
    assert_null(spoken->words.old);
}

static void a_plain_name_stays_as_it_is(void **state)
{
    struct spoken spoken;

    (void)state;
    make(&spoken, "a/disk");
    speak(&spoken, true, false);
    assert_string_equal(spoken.words.old, "a/disk");
    assert_string_equal(spoken.words.measured, "a/disk");
    assert_string_equal(spoken.words.target, "a/disk");
    assert_string_equal(spoken.words.copy, "a/disk.new");
    assert_string_equal(spoken.words.placed, "a/disk.new");
    assert_string_equal(spoken.words.source, "a/disk");
    assert_string_equal(spoken.words.result, "a/disk.new");
    assert_string_equal(spoken.words.drive, "format=qcow2,file=a/disk");
    assert_string_equal(spoken.words.onto, "a/disk.new");
    assert_string_equal(spoken.words.onto_kind, "-O qcow2");
    assert_string_equal(spoken.words.key, "");
    assert_string_equal(spoken.words.objects, "");
    assert_string_equal(spoken.words.request, "");
    assert_string_equal(spoken.words.backing, "");
    assert_string_equal(spoken.words.create_backing, "");
    assert_false(spoken.words.linked);
    done(&spoken);
}

static void names_that_could_be_something_else(void **state)
{
    static const struct {
        const char *path, *word, *drive;
    } cases[] = {
        {"-d", "./-d", "format=qcow2,file=./-d"},
        {"nbd:x", "./nbd:x", "format=qcow2,file=./nbd:x"},
        {"a/b:c", "a/b:c", "format=qcow2,file=a/b:c"},
        {":", "./:", "format=qcow2,file=./:"},
        {"a,b,,", "a,b,,", "format=qcow2,file=a,,b,,,,"},
        {"a b", "'a b'", "'format=qcow2,file=a b'"},
        {"", "''", "format=qcow2,file="},
    };
    struct spoken spoken;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make(&spoken, cases[i].path);
        speak(&spoken, false, false);
        assert_string_equal(spoken.words.source, cases[i].word);
        assert_string_equal(spoken.words.measured, cases[i].word);
        assert_string_equal(spoken.words.drive, cases[i].drive);
        done(&spoken);
    }
}

static void to_measure_it_a_command_must_not_be_its_name(void **state)
{
    static const char *const commands[] = {"measure", "map", "report", "defrag", "help"};
    struct spoken spoken;
    char word[16];

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        make(&spoken, commands[i]);
        speak(&spoken, false, false);
        snprintf(word, sizeof(word), "./%s", commands[i]);
        assert_string_equal(spoken.words.measured, word);
        assert_string_equal(spoken.words.old, commands[i]);
        done(&spoken);
    }
    make(&spoken, "maps");
    speak(&spoken, false, false);
    assert_string_equal(spoken.words.measured, "maps");
    done(&spoken);
}

static void an_encrypted_image_is_described(void **state)
{
    struct spoken spoken;

    (void)state;
    make(&spoken, "a,b");
    spoken.made.image.format.encryption = FORMAT_CRYPT_AES;
    speak(&spoken, false, false);
    assert_string_equal(spoken.words.source,
                        "driver=qcow2,encrypt.key-secret=key,file.filename=a,,b");
    assert_string_equal(spoken.words.result,
                        "driver=qcow2,encrypt.key-secret=key,file.filename=a,,b.new");
    assert_string_equal(spoken.words.drive, "format=qcow2,encrypt.key-secret=key,file=a,,b");
    assert_string_equal(spoken.words.key, " --object secret,id=key,file=KEYFILE --image-opts");
    assert_string_equal(spoken.words.old, "a,b");
    assert_string_equal(spoken.words.copy, "a,b.new");
    assert_string_equal(spoken.words.options,
                        "compat=1.1,cluster_size=65536,encrypt.format=luks,encrypt.key-secret=key");
    done(&spoken);
}

static void the_copy_is_made_in_the_format_of_the_image(void **state)
{
    struct spoken spoken;
    struct report_format *format = &spoken.made.image.format;

    (void)state;
    make(&spoken, "disk");
    speak(&spoken, false, true);
    assert_string_equal(spoken.words.options, "compat=1.1,cluster_size=65536");
    format->compression = FORMAT_ZSTD;
    speak(&spoken, false, false);
    assert_string_equal(spoken.words.options, "compat=1.1,cluster_size=65536");
    speak(&spoken, false, true);
    assert_string_equal(spoken.words.options,
                        "compat=1.1,cluster_size=65536,compression_type=zstd");
    *format = (struct report_format){.version = 2,
                                     .cluster_bytes = 512,
                                     .refcount_bits = 1,
                                     .lazy_refcounts = true,
                                     .extended_l2 = true};
    speak(&spoken, false, false);
    assert_string_equal(
        spoken.words.options,
        "compat=0.10,cluster_size=512,refcount_bits=1,lazy_refcounts=on,extended_l2=on");
    done(&spoken);
}

/* ---- backing files ---- */

static void the_backing_file_is_named_with_its_format(void **state)
{
    struct spoken spoken;
    struct report_format *format = &spoken.made.image.format;

    (void)state;
    make(&spoken, "x/disk");
    format->backing_file = made_name("ba se");
    format->backing_format = made_name("raw");
    speak(&spoken, true, false);
    assert_string_equal(spoken.words.backing, " -B 'ba se' -F raw");
    assert_string_equal(spoken.words.create_backing, " -b 'ba se' -F raw");
    speak(&spoken, false, false);
    assert_string_equal(spoken.words.backing, "");
    assert_string_equal(spoken.words.create_backing, "");
    done(&spoken);
}

static void a_format_that_is_not_recorded_is_looked_up(void **state)
{
    struct spoken spoken;
    struct report_format *format = &spoken.made.image.format;

    (void)state;
    make(&spoken, "x/disk");
    format->backing_file = made_name("base");
    format->backing_format = made_name(""); /* QEMU takes it as none */
    speak(&spoken, true, false);
    assert_string_equal(spoken.words.backing,
                        " -B base -F \"$(qemu-img info x/base | sed -n 's/^file format: //p')\"");
    format->backing_format = (struct format_name){NULL, 0};
    format->backing_file = made_name("nbd://host");
    speak(&spoken, true, false);
    assert_string_equal(
        spoken.words.create_backing,
        " -b nbd://host -F \"$(qemu-img info nbd://host | sed -n 's/^file format: //p')\"");
    done(&spoken);
}

/* create cannot be given a passphrase, so it must not look at the backing file. */
static void a_backing_file_that_is_encrypted(void **state)
{
    struct spoken spoken;
    struct report_format *format = &spoken.made.image.format;

    (void)state;
    make(&spoken, "disk");
    spoken.made.tables[0].layers = NULL;
    format->encryption = FORMAT_CRYPT_LUKS;
    format->backing_file = made_name("base");
    format->backing_format = made_name("luks");
    speak(&spoken, true, false);
    assert_true(spoken.words.locked);
    assert_string_equal(spoken.words.backing, " -B base -F luks");
    assert_string_equal(spoken.words.create_backing, " -u -b base -F luks");
    assert_string_equal(
        spoken.words.source,
        "driver=qcow2,encrypt.key-secret=key,backing.key-secret=key1,file.filename=disk");
    assert_string_equal(spoken.words.onto_kind, "--target-image-opts");
    assert_string_equal(spoken.words.onto, "driver=qcow2,encrypt.key-secret=key,"
                                           "backing.key-secret=key1,file.filename=disk.new");
    assert_string_equal(spoken.words.drive, "format=qcow2,encrypt.key-secret=key,"
                                            "backing.key-secret=key1,file=disk");
    format->backing_format = made_name("raw");
    speak(&spoken, true, false);
    assert_false(spoken.words.locked);
    assert_string_equal(spoken.words.create_backing, " -b base -F raw");
    done(&spoken);
}

/* It is read with the passphrase; the copy of all has none. */
static void a_copy_of_the_whole_chain_has_no_key_but_that_of_the_image(void **state)
{
    struct spoken spoken;

    (void)state;
    make(&spoken, "disk");
    made_add_chain(&spoken.made);
    spoken.made.image.format.backing_file = made_name("base");
    spoken.made.layers[1].encryption = FORMAT_CRYPT_LUKS;
    speak(&spoken, false, false);
    assert_false(spoken.words.locked);
    assert_string_equal(spoken.words.key, " --object secret,id=key1,file=KEYFILE1 --image-opts");
    assert_string_equal(spoken.words.source,
                        "driver=qcow2,backing.encrypt.key-secret=key1,file.filename=disk");
    assert_string_equal(spoken.words.result, "driver=qcow2,file.filename=disk.new");
    assert_string_equal(spoken.words.onto, "disk.new");
    assert_string_equal(spoken.words.onto_kind, "-O qcow2");
    assert_string_equal(spoken.words.options, "compat=1.1,cluster_size=65536");
    done(&spoken);
}

/* ---- where the copy goes ---- */

static void the_copy_lies_beside_what_a_link_leads_to(void **state)
{
    struct spoken spoken;
    struct report_image *image = &spoken.made.image;

    (void)state;
    make(&spoken, "link");
    image->beside.target = (char *)(uintptr_t) "/far/disk";
    image->beside.copy = (char *)(uintptr_t) "/far/disk.new2";
    image->beside.link = (char *)(uintptr_t) "link.new";
    speak(&spoken, true, false);
    assert_string_equal(spoken.words.old, "link");
    assert_string_equal(spoken.words.target, "/far/disk");
    assert_string_equal(spoken.words.copy, "/far/disk.new2");
    assert_string_equal(spoken.words.placed, "/far/disk.new2");
    assert_false(spoken.words.linked);
    image->format.backing_file = made_name("base"); /* is looked for beside the link */
    image->format.backing_format = made_name("raw");
    speak(&spoken, true, false);
    assert_true(spoken.words.linked);
    assert_string_equal(spoken.words.copy, "link.new");
    assert_string_equal(spoken.words.result, "link.new");
    assert_string_equal(spoken.words.placed, "/far/disk.new2");
    speak(&spoken, false, false);
    assert_false(spoken.words.linked);
    image->format.backing_file = made_name("/base");
    speak(&spoken, true, false);
    assert_false(spoken.words.linked);
    image->format.backing_file = made_name("nbd:base");
    speak(&spoken, true, false);
    assert_false(spoken.words.linked);
    image->format.backing_file = made_name("base");
    image->beside.is_device = true;
    speak(&spoken, true, false);
    assert_false(spoken.words.linked);
    image->beside.is_device = false;
    image->beside.link = NULL;
    speak(&spoken, true, false);
    assert_false(spoken.words.linked);
    done(&spoken);
}

static void a_device_gets_a_new_volume(void **state)
{
    struct spoken spoken;

    (void)state;
    make(&spoken, "/dev/vg/lv");
    spoken.made.image.beside.is_device = true;
    speak(&spoken, false, false);
    assert_string_equal(spoken.words.copy, "NEW-VOLUME");
    assert_string_equal(spoken.words.placed, "NEW-VOLUME");
    assert_string_equal(spoken.words.result, "NEW-VOLUME");
    assert_string_equal(spoken.words.source, "/dev/vg/lv");
    done(&spoken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_name_stays_as_it_is),
        cmocka_unit_test(names_that_could_be_something_else),
        cmocka_unit_test(to_measure_it_a_command_must_not_be_its_name),
        cmocka_unit_test(an_encrypted_image_is_described),
        cmocka_unit_test(the_copy_is_made_in_the_format_of_the_image),
        cmocka_unit_test(the_backing_file_is_named_with_its_format),
        cmocka_unit_test(a_format_that_is_not_recorded_is_looked_up),
        cmocka_unit_test(a_backing_file_that_is_encrypted),
        cmocka_unit_test(a_copy_of_the_whole_chain_has_no_key_but_that_of_the_image),
        cmocka_unit_test(the_copy_lies_beside_what_a_link_leads_to),
        cmocka_unit_test(a_device_gets_a_new_volume),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
