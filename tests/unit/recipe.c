// SPDX-License-Identifier: MIT
/*
 * The recipes: which steps there are for which image, and how the commands are worded. That they do
 * what they say is tested by running them, in cli/recipes.bats.
 */
#include "recipe.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

/* An image whose order is to blame, in a file that nobody looked at. */
struct made {
    struct report_image image;
    struct report_table table;
    struct report_recipe recipe;
    char path[64], names[4][32];
    struct format_name in_use_names[4];
};

static void make(struct made *made, const char *path)
{
    memset(made, 0, sizeof(*made));
    strcpy(made->path, path);
    made->image.path = made->path;
    made->image.tables = &made->table;
    made->image.n_tables = 1;
    made->image.verdict.known = true;
    made->image.verdict.action = REPORT_IMAGE;
    made->image.verdict.copy_bytes = opt_u64_of(5 * MIB);
    made->image.format.version = 3;
    made->image.format.cluster_bytes = 65536;
    made->image.format.refcount_bits = 16;
    made->image.format.virtual_bytes = 64 * MIB;
    made->table.measured = true;
    made->table.chain_depth = 1;
    made->table.mapped_clusters = 100;
    made->table.walk.mapped_bytes = 6 * MIB;
}

static void set_name(struct made *made, struct format_name *name, unsigned slot, const char *text)
{
    strcpy(made->names[slot], text);
    *name = (struct format_name){made->names[slot], strlen(text)};
}

static void cook(struct made *made)
{
    assert_int_equal(report_recipe(&made->image, &made->recipe), 0);
}

/* The command that has @part in it; there must be one. */
static const char *command_with(const struct made *made, const char *part)
{
    for (size_t i = 0; i < made->recipe.n; i++)
        if (made->recipe.steps[i].command != NULL &&
            strstr(made->recipe.steps[i].command, part) != NULL)
            return made->recipe.steps[i].command;
    fail_msg("no command with %s", part);
    return NULL;
}

static bool has_text(const struct made *made, const char *part)
{
    for (size_t i = 0; i < made->recipe.n; i++)
        if (strstr(made->recipe.steps[i].text, part) != NULL)
            return true;
    return false;
}

static void expect_command(struct made *made, const char *part, const char *command)
{
    cook(made);
    assert_string_equal(command_with(made, part), command);
    report_recipe_release(&made->recipe);
}

/* ---- by defrag ---- */

static void a_plain_image(void **state)
{
    struct made made;

    (void)state;
    make(&made, "disk");
    cook(&made);
    assert_int_equal(made.recipe.n, 2);
    assert_null(made.recipe.steps[0].command);
    assert_string_equal(made.recipe.steps[1].command, "qcow2frag defrag disk");
    assert_string_equal(
        made.recipe.steps[1].text,
        "Put the image in order. This copies about 5 MiB, and needs as much free "
        "space while it runs. The new file takes the place of the old one only when "
        "it has been read back and compared; it keeps everything. To be able to go "
        "back, add --keep-original.");
    report_recipe_release(&made.recipe);
}

/* Read in 20 short steps, written, and read back, at 150 MB a second; or read as it is. */
static void it_says_how_long_it_takes(void **state)
{
    struct made made;

    (void)state;
    make(&made, "disk");
    made.table.disk.known = true;
    made.table.walk.breaks = 20;
    made.table.disk.seconds = 7;
    made.image.format.file_bytes = 64 * MIB;
    made.image.verdict.copy_bytes.value = 30000000;
    cook(&made);
    assert_true(has_text(&made, "about 28.6 MiB (roughly 700 ms),"));
    report_recipe_release(&made.recipe);
    made.table.walk.breaks = 1000000; /* then all of the file is read */
    made.image.format.file_bytes = 1500000000;
    cook(&made);
    assert_true(has_text(&made, "(roughly 11 s),"));
    report_recipe_release(&made.recipe);
    made.table.disk.profile = METER_DISK_SSD;
    cook(&made);
    assert_true(has_text(&made, "(roughly 7.1 s),"));
    report_recipe_release(&made.recipe);
}

static void what_the_image_has_is_kept_and_said(void **state)
{
    struct made made;

    (void)state;
    make(&made, "disk");
    made.image.format.file_bytes = 64 * MIB;
    made.image.format.bitmap_count = 1;
    cook(&made);
    assert_true(has_text(&made, "keeps everything, bitmaps included."));
    assert_true(has_text(&made, "about 5 MiB"));
    report_recipe_release(&made.recipe);
    made.image.format.snapshot_count = 1; /* of which nobody knows how much they hold */
    cook(&made);
    assert_true(has_text(&made, "keeps everything, snapshots and bitmaps included."));
    assert_true(has_text(&made, "about 64 MiB"));
    report_recipe_release(&made.recipe);
    made.image.host.room = (struct host_room){opt_u64_of(9 * MIB), opt_u64_of(9 * MIB)};
    made.image.format.bitmap_count = 0;
    cook(&made);
    assert_true(has_text(&made, "keeps everything, snapshots included."));
    assert_true(has_text(&made, "about 9 MiB, and needs as much free space while it runs."));
    report_recipe_release(&made.recipe);
    made.image.host.room.free_bytes.value--;
    cook(&made);
    assert_true(has_text(&made, "while it runs: make room first, there are only 9 MiB."));
    report_recipe_release(&made.recipe);
    made.image.format.snapshot_count = 0;
    made.image.verdict.copy_bytes = (struct opt_u64){.known = false}; /* of a part of the disk */
    cook(&made);
    assert_true(has_text(&made, "about 9 MiB"));
    report_recipe_release(&made.recipe);
}

static void what_it_would_refuse_is_done_before(void **state)
{
    struct made made;

    (void)state;
    make(&made, "disk");
    made.image.format.dirty = true;
    cook(&made);
    assert_int_equal(made.recipe.n, 3);
    assert_string_equal(made.recipe.steps[1].command, "qemu-img check -r all disk");
    report_recipe_release(&made.recipe);
    made.image.findings.per_code[FORMAT_FINDING_REFCOUNT_LOW] = 1;
    expect_command(&made, "check",
                   "cp -p --sparse=always disk disk.new && qemu-img check -r all disk");
    made.image.format.encryption = FORMAT_CRYPT_AES;
    made.image.findings.per_code[FORMAT_FINDING_REFCOUNT_LOW] = 0;
    cook(&made);
    assert_int_equal(made.recipe.n, 4);
    assert_true(has_text(&made, "KEYFILE"));
    assert_string_equal(made.recipe.steps[2].command,
                        "qemu-img check -r all --object secret,id=key,file=KEYFILE --image-opts "
                        "driver=qcow2,encrypt.key-secret=key,file.filename=disk");
    report_recipe_release(&made.recipe);
    made.image.format.dirty = false;
    expect_command(&made, "defrag", "qcow2frag defrag disk"); /* that needs no key */
    made.image.format.unknown_autoclear = true;
    made.image.beside.names = 2;
    cook(&made);
    assert_true(has_text(&made, "hard links"));
    assert_true(has_text(&made, "feature bits"));
    assert_non_null(
        command_with(&made, "qcow2frag defrag --break-hard-links --clear-unknown-autoclear disk"));
    report_recipe_release(&made.recipe);
}

static void names_are_nothing_but_images(void **state)
{
    static const struct {
        const char *path, *command;
    } cases[] = {
        {"-disk", "qcow2frag defrag ./-disk"},     {"nbd:x", "qcow2frag defrag ./nbd:x"},
        {"vm/nbd:x", "qcow2frag defrag vm/nbd:x"}, {"a b", "qcow2frag defrag 'a b'"},
        {"a\nb", "qcow2frag defrag $'a\\x0ab'"},   {"map", "qcow2frag defrag ./map"},
        {"defrag", "qcow2frag defrag ./defrag"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct made made;

        make(&made, cases[i].path);
        expect_command(&made, "defrag", cases[i].command);
    }
}

static void the_profile_that_was_given_is_given_again(void **state)
{
    struct made made;

    (void)state;
    make(&made, "disk");
    made.image.verdict.action = REPORT_BOTH;
    made.table.disk.known = true;
    made.table.disk.profile = METER_DISK_NVME;
    cook(&made);
    assert_non_null(command_with(&made, "qcow2frag defrag disk"));
    assert_string_equal(made.recipe.steps[2].command, "qcow2frag disk");
    report_recipe_release(&made.recipe);
    made.table.disk.told = true;
    cook(&made);
    assert_non_null(command_with(&made, "qcow2frag defrag --device nvme disk"));
    assert_string_equal(made.recipe.steps[2].command, "qcow2frag --device nvme disk");
    report_recipe_release(&made.recipe);
}

static void snapshots_that_are_left_are_put_in_order(void **state)
{
    struct made made;

    (void)state;
    make(&made, "disk");
    made.image.verdict.action = REPORT_SNAPSHOTS;
    cook(&made);
    assert_string_equal(made.recipe.steps[made.recipe.n - 1].command, "qcow2frag defrag disk");
    report_recipe_release(&made.recipe);
    made.image.format.encryption = FORMAT_CRYPT_LUKS;
    cook(&made);
    /* It is copied by convert, so that the same is not said again of those that are left. */
    assert_string_equal(made.recipe.steps[made.recipe.n - 1].command, "qcow2frag disk");
    assert_non_null(command_with(&made, "qemu-img convert"));
    assert_true(has_text(&made, "The copy will not have the internal snapshots that are left, nor "
                                "saved VM states: keep the original if you need them."));
    assert_true(has_text(&made, "The copy gets LUKS encryption."));
    report_recipe_release(&made.recipe);
}

/* All that may be said at once has room. */
static void the_longest_recipe(void **state)
{
    struct made made;

    (void)state;
    make(&made, "/dev/vg/lv");
    made.image.verdict.action = REPORT_SNAPSHOTS;
    made.image.beside.is_device = true;
    made.image.format.encryption = FORMAT_CRYPT_LUKS;
    made.image.format.snapshot_count = 9;
    made.image.format.bitmap_count = made.image.format.bitmaps_in_use = 1;
    made.image.format.n_in_use_names = 1;
    set_name(&made, &made.in_use_names[0], 0, "b0");
    made.image.format.in_use_names = made.in_use_names;
    made.table.walk.compressed_clusters = made.table.walk.zero_allocated_clusters = 1;
    cook(&made);
    assert_in_range(made.recipe.n, 15, REPORT_RECIPE_STEPS_MAX);
    report_recipe_release(&made.recipe);
}

/* ---- of a remote image ---- */

static void make_remote(struct made *made, const char *uri)
{
    make(made, uri);
    made->image.beside.is_remote = true;
    made->image.beside.copy = strdup("disk.qcow2");
    assert_non_null(made->image.beside.copy);
}

static void cooked_remote(struct made *made, const char *fetch, const char *then)
{
    cook(made);
    assert_int_equal(made->recipe.n, 5);
    for (size_t i = 0; i < made->recipe.n; i++)
        assert_true((made->recipe.steps[i].command != NULL) == (i == 2 || i == 3));
    assert_string_equal(made->recipe.steps[2].command, fetch);
    assert_string_equal(made->recipe.steps[3].command, then);
    report_recipe_release(&made->recipe);
    free(made->image.beside.copy);
}

static void a_remote_image_is_fetched_before_it_is_put_in_order(void **state)
{
    struct made made;

    (void)state;
    make_remote(&made, "nbd://host/disk");
    cooked_remote(&made,
                  "test ! -e disk.qcow2 && (umask 077; qemu-img convert -p -f raw -O raw "
                  "nbd://host/disk disk.qcow2)",
                  "qcow2frag defrag disk.qcow2");
    make_remote(&made, "nbds://me@host/$(x)?tls-psk-file=k");
    made.table.disk.known = made.table.disk.told = true;
    cooked_remote(&made,
                  "test ! -e disk.qcow2 && (umask 077; nbdcopy -p -- "
                  "'nbds://me@host/$(x)?tls-psk-file=k' disk.qcow2)",
                  "qcow2frag defrag --device hdd disk.qcow2");
}

/* What defrag refuses, and what it is not the cure for, the page of the fetched file says. */
static void of_a_remote_image_the_rest_is_said_of_the_copy(void **state)
{
    static const char *const fetch = "test ! -e disk.qcow2 && (umask 077; qemu-img convert -p -f "
                                     "raw -O raw nbd://host disk.qcow2)";
    struct made made;

    (void)state;
    make_remote(&made, "nbd://host");
    made.image.verdict.action = REPORT_SNAPSHOTS;
    cooked_remote(&made, fetch, "qcow2frag disk.qcow2");
    make_remote(&made, "nbd://host");
    made.image.format.encryption = FORMAT_CRYPT_LUKS;
    cooked_remote(&made, fetch, "qcow2frag disk.qcow2");
    make_remote(&made, "nbd://host");
    made.table.chain_depth = 2;
    cooked_remote(&made, fetch, "qcow2frag --chain disk.qcow2");
}

/* How the machine reaches its disk is not known here. */
static void a_cache_for_a_remote_image_has_no_command(void **state)
{
    struct made made;

    (void)state;
    make_remote(&made, "nbd://host");
    made.image.verdict.action = REPORT_L2_CACHE;
    cook(&made);
    assert_int_equal(made.recipe.n, 1);
    assert_null(made.recipe.steps[0].command);
    report_recipe_release(&made.recipe);
    free(made.image.beside.copy);
}

/* ---- by convert ---- */

/* Along a chain: an image that is copied by convert, into a file like itself. */
static void make_chain(struct made *made, const char *path)
{
    make(made, path);
    made->table.chain_depth = 2;
}

static void where_defrag_refuses_convert_copies_and_the_page_says_why(void **state)
{
    struct made made;

    (void)state;
    make_chain(&made, "disk");
    cook(&made);
    assert_non_null(command_with(&made, "convert"));
    assert_true(has_text(&made, "leaves the chain as it is"));
    report_recipe_release(&made.recipe);
    make(&made, "disk");
    made.image.format.encryption = FORMAT_CRYPT_LUKS;
    cook(&made);
    assert_non_null(command_with(&made, "convert"));
    assert_true(has_text(&made, "What LUKS has encrypted"));
    report_recipe_release(&made.recipe);
    make(&made, "disk");
    made.image.beside.is_device = true;
    cook(&made);
    assert_non_null(command_with(&made, "convert"));
    assert_true(has_text(&made, "lies on a block device"));
    report_recipe_release(&made.recipe);
}

static void the_format_is_kept(void **state)
{
    struct made made;

    (void)state;
    make_chain(&made, "disk");
    made.image.format.version = 2;
    made.image.format.cluster_bytes = 4096;
    expect_command(&made, "convert",
                   "(umask 077; qemu-img convert -p -O qcow2 -o compat=0.10,cluster_size=4096 disk "
                   "disk.new)");
    made.image.format.version = 3;
    made.image.format.refcount_bits = 1;
    made.image.format.lazy_refcounts = made.image.format.extended_l2 = true;
    expect_command(&made, "convert",
                   "(umask 077; qemu-img convert -p -O qcow2 -o compat=1.1,cluster_size=4096,"
                   "refcount_bits=1,lazy_refcounts=on,extended_l2=on disk disk.new)");
}

/* More than half of the clusters: else most of the copy would be slower to write to than before. */
static void what_is_mostly_compressed_stays_so(void **state)
{
    struct made made;

    (void)state;
    make(&made, "disk");
    made.image.beside.is_device = true;
    made.image.format.compression = FORMAT_ZSTD;
    made.table.walk.compressed_clusters = 50;
    cook(&made);
    assert_null(strstr(command_with(&made, "convert"), " -c "));
    assert_true(has_text(&made, "50 of its clusters are compressed"));
    report_recipe_release(&made.recipe);
    made.table.walk.compressed_clusters = 51;
    cook(&made);
    assert_non_null(strstr(command_with(&made, "convert"), " -c "));
    assert_non_null(strstr(command_with(&made, "convert"), ",compression_type=zstd "));
    report_recipe_release(&made.recipe);
    made.image.format.encryption = FORMAT_CRYPT_LUKS; /* QEMU does not do both */
    cook(&made);
    assert_null(strstr(command_with(&made, "convert"), " -c "));
    report_recipe_release(&made.recipe);
}

static void a_chain_that_was_walked_is_copied_whole(void **state)
{
    struct made made;

    (void)state;
    make_chain(&made, "disk");
    set_name(&made, &made.image.format.backing_file, 0, "base");
    set_name(&made, &made.image.format.backing_format, 1, "raw");
    made.table.chain_depth = 2;
    cook(&made);
    assert_null(strstr(command_with(&made, "convert"), " -B "));
    assert_non_null(command_with(&made, "qcow2frag --chain disk"));
    assert_true(has_text(&made, "about 6 MiB"));
    report_recipe_release(&made.recipe);
}

static void bitmaps_in_use_are_named(void **state)
{
    struct made made;

    (void)state;
    make_chain(&made, "disk");
    made.image.format.bitmap_count = 9;
    cook(&made);
    assert_non_null(strstr(command_with(&made, "convert"), " --bitmaps -O"));
    report_recipe_release(&made.recipe);

    made.image.format.bitmaps_in_use = 5;
    made.image.format.in_use_names = made.in_use_names;
    made.image.format.n_in_use_names = 4;
    for (unsigned i = 0; i < 4; i++)
        set_name(&made, &made.in_use_names[i], i, (const char *[]){"a", "b\n", "c", "d"}[i]);
    cook(&made);
    assert_non_null(strstr(command_with(&made, "convert"), " --bitmaps --skip-broken-bitmaps -O"));
    assert_true(has_text(&made, "bitmaps \"a\", \"b\\x0a\", \"c\" and 2 more ended"));
    report_recipe_release(&made.recipe);

    made.image.in_use = opt_bool_of(true); /* whoever has it open will save them */
    cook(&made);
    assert_false(has_text(&made, "bitmaps"));
    assert_non_null(command_with(&made, "--skip-broken-bitmaps"));
    report_recipe_release(&made.recipe);
}

static void options_of_an_encrypted_image_are_its_own(void **state)
{
    struct made made;

    (void)state;
    make(&made, "a,b");
    made.image.format.encryption = FORMAT_CRYPT_LUKS;
    set_name(&made, &made.image.format.backing_file, 0, "base");
    set_name(&made, &made.image.format.backing_format, 1, "raw");
    made.image.format.bitmap_count = 1;
    expect_command(&made, "convert",
                   "(umask 077; qemu-img convert -p --bitmaps -B base -F raw --object "
                   "secret,id=key,file=KEYFILE --image-opts -O qcow2 -o "
                   "compat=1.1,cluster_size=65536,encrypt.format=luks,encrypt.key-secret=key "
                   "driver=qcow2,encrypt.key-secret=key,file.filename=a,,b a,b.new)");
    made.image.verdict.action = REPORT_SNAPSHOTS;
    expect_command(&made, "-l",
                   "qemu-img snapshot --object secret,id=key,file=KEYFILE --image-opts -l "
                   "driver=qcow2,encrypt.key-secret=key,file.filename=a,,b");
    made.image.verdict.action = REPORT_L2_CACHE;
    made.image.format.l2_cache_bytes = 128 * MIB;
    expect_command(&made, "-drive",
                   "qemu-system-x86_64 --object secret,id=key,file=KEYFILE -drive "
                   "format=qcow2,encrypt.key-secret=key,file=a,,b,l2-cache-size=134217728");
}

/* convert opens it with the copy, and cannot be told how. */
static void a_backing_file_that_may_be_encrypted_is_opened_with_the_key(void **state)
{
    struct made made;

    (void)state;
    make(&made, "disk");
    made.image.format.encryption = FORMAT_CRYPT_LUKS;
    set_name(&made, &made.image.format.backing_file, 0, "base");
    set_name(&made, &made.image.format.backing_format, 1, "qcow2");
    made.image.format.bitmap_count = 1;
    expect_command(
        &made, "convert",
        "(umask 077; qemu-img create -q --object secret,id=key,file=KEYFILE -f qcow2 -u -b base -F "
        "qcow2 -o compat=1.1,cluster_size=65536,encrypt.format=luks,encrypt.key-secret=key "
        "disk.new 67108864 && qemu-img convert -p -n --bitmaps -B base -F qcow2 --object "
        "secret,id=key,file=KEYFILE --image-opts --target-image-opts driver=qcow2,"
        "encrypt.key-secret=key,backing.encrypt.key-secret=key,file.filename=disk "
        "driver=qcow2,encrypt.key-secret=key,backing.encrypt.key-secret=key,"
        "file.filename=disk.new)");
}

/* The copy of all is in no chain, and gets the encryption of the image: here none. */
static void what_is_encrypted_below_is_in_plain_text_afterwards(void **state)
{
    struct made made;
    struct report_layer layers[] = {
        {.path = made.path}, {.path = made.names[0], .depth = 1, .encryption = FORMAT_CRYPT_LUKS}};

    (void)state;
    make(&made, "disk");
    set_name(&made, &made.image.format.backing_file, 0, "base");
    made.table.layers = layers;
    made.table.n_layers = 2;
    made.table.chain_depth = 2;
    cook(&made);
    assert_true(has_text(&made, "the copy is not: it will hold in plain text"));
    report_recipe_release(&made.recipe);
    made.image.format.encryption = FORMAT_CRYPT_LUKS;
    cook(&made);
    assert_true(has_text(&made, "The copy gets LUKS encryption."));
    assert_false(has_text(&made, "plain text"));
    report_recipe_release(&made.recipe);
}

/* What defrag, which does not flatten, could bring: no way between the images gets shorter by it.
 */
static void of_a_chain_it_is_said_what_the_top_alone_would_bring(void **state)
{
    struct made made;

    (void)state;
    make(&made, "disk");
    made.table.chain_depth = 2;
    made.table.disk = (struct report_disk){.known = true, .ideal_seconds = 1, .seconds = 12};
    made.table.alone_saved_seconds = opt_f64_of(0);
    cook(&made);
    assert_true(has_text(&made, "leaves the chain as it is: with this image alone in order, "
                                "reading the whole disk would still take 12 s at least."));
    report_recipe_release(&made.recipe);
    made.table.alone_saved_seconds = opt_f64_of(2.5);
    made.table.range.known = true;
    cook(&made);
    assert_true(has_text(&made, "reading this part of the disk would still take 9.5 s at least."));
    report_recipe_release(&made.recipe);
    made.table.alone_saved_seconds = opt_f64_of(19.5); /* more than is lost */
    cook(&made);
    assert_true(has_text(&made, "would still take 1.0 s at least."));
    report_recipe_release(&made.recipe);
    made.table.alone_saved_seconds.known = false;
    cook(&made);
    assert_true(has_text(&made, "leaves the chain as it is."));
    report_recipe_release(&made.recipe);
    made.table.alone_saved_seconds = opt_f64_of(2.5);
    made.image.format.encryption = FORMAT_CRYPT_LUKS; /* defrag refuses it */
    cook(&made);
    assert_true(has_text(&made, "leaves the chain as it is."));
    report_recipe_release(&made.recipe);
    made.image.format.encryption = FORMAT_CRYPT_NONE;
    made.table.end_to_end = (struct report_end_to_end){.known = true, .seconds = opt_f64_of(14)};
    cook(&made); /* with the host it may save more */
    assert_true(has_text(&made, "leaves the chain as it is."));
    report_recipe_release(&made.recipe);
}

static void names_are_nothing_but_files(void **state)
{
    static const struct {
        const char *path, *command;
    } cases[] = {
        {"-disk", "mv ./-disk.new ./-disk"},
        {"nbd:x", "mv ./nbd:x.new ./nbd:x"},
        {"vm/nbd:x", "mv vm/nbd:x.new vm/nbd:x"},
        {"/nbd:x", "mv /nbd:x.new /nbd:x"},
        {"a b", "mv 'a b.new' 'a b'"},
        {"a\nb", "mv $'a\\x0ab.new' $'a\\x0ab'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct made made;

        make_chain(&made, cases[i].path);
        expect_command(&made, "mv", cases[i].command);
    }
}

static void a_file_called_as_a_command_is_measured_as_a_file(void **state)
{
    struct made made;

    (void)state;
    make_chain(&made, "map");
    expect_command(&made, "qcow2frag", "qcow2frag --chain ./map");
    make_chain(&made, "mapped");
    expect_command(&made, "qcow2frag", "qcow2frag --chain mapped");
}

static void a_link_is_followed(void **state)
{
    struct made made;
    char target[] = "/images/real", copy[] = "/images/real.new2", beside[] = "link.new";

    (void)state;
    make(&made, "link");
    made.image.format.encryption = FORMAT_CRYPT_LUKS;
    made.image.beside = (struct io_beside){.target = target, .copy = copy, .link = beside};
    expect_command(&made, "mv", "mv /images/real.new2 /images/real");
    set_name(&made, &made.image.format.backing_file, 0, "/base"); /* the same from everywhere */
    set_name(&made, &made.image.format.backing_format, 1, "raw");
    expect_command(&made, "mv", "mv /images/real.new2 /images/real");
    set_name(&made, &made.image.format.backing_file, 0, "base");
    expect_command(&made, "ln", "ln -s /images/real.new2 link.new");
    expect_command(&made, "mv", "mv /images/real.new2 /images/real && rm link.new");
    expect_command(&made, "compare",
                   "qemu-img compare -p --object secret,id=key,file=KEYFILE --image-opts "
                   "driver=qcow2,encrypt.key-secret=key,file.filename=link "
                   "driver=qcow2,encrypt.key-secret=key,file.filename=link.new");
}

static void on_a_device_nothing_is_replaced(void **state)
{
    struct made made;

    (void)state;
    make(&made, "/dev/vg/lv");
    made.image.beside.is_device = true;
    made.image.format.bitmap_count = 1;
    cook(&made);
    assert_string_equal(command_with(&made, "create"),
                        "qemu-img create -q -f qcow2 -o compat=1.1,cluster_size=65536 NEW-VOLUME "
                        "67108864 && qemu-img convert -p -n --bitmaps --target-is-zero -O qcow2 "
                        "/dev/vg/lv NEW-VOLUME");
    for (size_t i = 0; i < made.recipe.n; i++)
        assert_true(made.recipe.steps[i].command == NULL ||
                    strncmp(made.recipe.steps[i].command, "mv ", 3) != 0);
    report_recipe_release(&made.recipe);
    set_name(&made, &made.image.format.backing_file, 0, "base");
    set_name(&made, &made.image.format.backing_format, 1, "raw");
    expect_command(&made, "create",
                   "qemu-img create -q -f qcow2 -b base -F raw -o compat=1.1,cluster_size=65536 "
                   "NEW-VOLUME 67108864 && qemu-img convert -p -n --bitmaps -B base -F raw -O "
                   "qcow2 /dev/vg/lv NEW-VOLUME");
}

static void what_btrfs_compressed_is_copied(void **state)
{
    struct made made;
    char filesystem[] = "btrfs";

    (void)state;
    make(&made, "disk");
    made.image.verdict.action = REPORT_HOST;
    made.image.host.filesystem = filesystem;
    expect_command(&made, "btrfs", "btrfs filesystem defragment -t 32M disk && sync disk");
    made.image.host.encoded = true;
    expect_command(
        &made, "cp",
        "cp -p --sparse=always --reflink=never disk disk.new && sync disk.new && cmp disk disk.new "
        "&& mv disk.new disk || ! rm -f disk.new");
}

/* Between pieces with holes its tool does nothing; what this program may not move is left to it. */
static void what_btrfs_has_with_holes_is_written_anew(void **state)
{
    struct made made;
    char filesystem[] = "btrfs";

    (void)state;
    make(&made, "disk");
    made.image.verdict.action = REPORT_HOST;
    made.image.host.filesystem = filesystem;
    made.table.end_to_end.known = true;
    made.table.end_to_end.hole_bytes = made.table.walk.mapped_bytes / 2;
    expect_command(&made, "defrag", "qcow2frag defrag --force disk");
    made.image.format.encryption = FORMAT_CRYPT_LUKS;
    expect_command(&made, "btrfs", "btrfs filesystem defragment -t 32M disk && sync disk");
}

/* Past the cache only where that is known to do good, and to be accepted. */
static void a_copy_is_written_in_order(void **state)
{
    struct made made;
    char ext4[] = "ext4", xfs[] = "xfs", btrfs[] = "btrfs", nfs[] = "nfs4";

    (void)state;
    make_chain(&made, "disk");
    made.image.host.filesystem = ext4;
    expect_command(&made, "convert",
                   "(umask 077; qemu-img convert -p -m 1 -t none -O qcow2 -o "
                   "compat=1.1,cluster_size=65536 disk disk.new)");
    made.image.host.filesystem = xfs;
    expect_command(&made, "convert",
                   "(umask 077; qemu-img convert -p -m 1 -t none -O qcow2 -o "
                   "compat=1.1,cluster_size=65536,extent_size_hint=0 disk disk.new)");
    made.image.host.filesystem = btrfs;
    expect_command(&made, "convert",
                   "(umask 077; qemu-img convert -p -m 1 -t none -O qcow2 -o "
                   "compat=1.1,cluster_size=65536 disk disk.new)");
    made.image.host.encoded = true;
    expect_command(&made, "convert",
                   "(umask 077; qemu-img convert -p -O qcow2 -o compat=1.1,cluster_size=65536 disk "
                   "disk.new)");
    made.image.host.encoded = false;
    made.image.host.filesystem = nfs;
    expect_command(&made, "convert",
                   "(umask 077; qemu-img convert -p -O qcow2 -o compat=1.1,cluster_size=65536 disk "
                   "disk.new)");
    made.image.host.filesystem = xfs;
    made.table.walk.compressed_clusters = made.table.mapped_clusters = 100;
    expect_command(&made, "convert",
                   "(umask 077; qemu-img convert -p -c -O qcow2 -o compat=1.1,cluster_size=65536 "
                   "disk disk.new)");
}

static void without_room_there_is_nothing_to_run(void **state)
{
    struct made made;
    char ext4[] = "ext4", btrfs[] = "btrfs";

    (void)state;
    make(&made, "disk");
    made.image.verdict.action = REPORT_HOST;
    made.image.host.filesystem = ext4;
    made.image.host.room = (struct host_room){opt_u64_of(8 << 20), opt_u64_of(8 << 20)};
    expect_command(&made, "e4defrag", "e4defrag -v disk");
    made.image.host.room.free_bytes.value--;
    cook(&made);
    assert_true(has_text(&made, "needs 8 MiB free in one piece"));
    assert_int_equal(made.recipe.n, 2);
    assert_string_equal(made.recipe.steps[1].command, "qcow2frag disk");
    report_recipe_release(&made.recipe);
    made.image.host.filesystem = btrfs; /* it does it in parts */
    expect_command(&made, "btrfs", "btrfs filesystem defragment -t 32M disk && sync disk");
    made.image.host.filesystem = ext4;
    made.image.host.encoded = true; /* how much it needs is not known */
    expect_command(&made, "e4defrag", "e4defrag -v disk");
}

static void the_vm_is_shut_down_before_the_switch(void **state)
{
    struct made made;

    (void)state;
    make_chain(&made, "disk");
    cook(&made);
    assert_true(has_text(&made, "and shut it down again"));
    report_recipe_release(&made.recipe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_remote_image_is_fetched_before_it_is_put_in_order),
        cmocka_unit_test(of_a_remote_image_the_rest_is_said_of_the_copy),
        cmocka_unit_test(a_cache_for_a_remote_image_has_no_command),
        cmocka_unit_test(a_plain_image),
        cmocka_unit_test(it_says_how_long_it_takes),
        cmocka_unit_test(what_the_image_has_is_kept_and_said),
        cmocka_unit_test(what_it_would_refuse_is_done_before),
        cmocka_unit_test(names_are_nothing_but_images),
        cmocka_unit_test(the_profile_that_was_given_is_given_again),
        cmocka_unit_test(snapshots_that_are_left_are_put_in_order),
        cmocka_unit_test(where_defrag_refuses_convert_copies_and_the_page_says_why),
        cmocka_unit_test(the_format_is_kept),
        cmocka_unit_test(what_is_mostly_compressed_stays_so),
        cmocka_unit_test(a_chain_that_was_walked_is_copied_whole),
        cmocka_unit_test(bitmaps_in_use_are_named),
        cmocka_unit_test(the_longest_recipe),
        cmocka_unit_test(options_of_an_encrypted_image_are_its_own),
        cmocka_unit_test(a_backing_file_that_may_be_encrypted_is_opened_with_the_key),
        cmocka_unit_test(what_is_encrypted_below_is_in_plain_text_afterwards),
        cmocka_unit_test(of_a_chain_it_is_said_what_the_top_alone_would_bring),
        cmocka_unit_test(names_are_nothing_but_files),
        cmocka_unit_test(a_file_called_as_a_command_is_measured_as_a_file),
        cmocka_unit_test(a_link_is_followed),
        cmocka_unit_test(without_room_there_is_nothing_to_run),
        cmocka_unit_test(on_a_device_nothing_is_replaced),
        cmocka_unit_test(what_btrfs_compressed_is_copied),
        cmocka_unit_test(what_btrfs_has_with_holes_is_written_anew),
        cmocka_unit_test(a_copy_is_written_in_order),
        cmocka_unit_test(the_vm_is_shut_down_before_the_switch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
