// SPDX-License-Identifier: MIT
/* Which files of a chain are given which passphrase. That QEMU opens them so: cli/recipes.bats. */
#include "keys.h"

#include "made_report.h"

static void expect(const struct report_image *image, const char *objects, const char *own,
                   const char *below)
{
    char *found = report_keys_objects(image);

    assert_string_equal(found, objects);
    free(found);
    found = report_keys_options(image, false);
    assert_string_equal(found, own);
    free(found);
    found = report_keys_options(image, true);
    assert_string_equal(found, below);
    free(found);
}

static void expect_request(const struct report_image *image, const char *request)
{
    char *found = report_keys_request(image);

    assert_string_equal(found, request);
    free(found);
}

/* Without a chain: what the image says of itself and of its backing file is all. */
static struct report_image *alone(struct made_report *made, const char *backing_format)
{
    memset(made, 0, sizeof(*made));
    made_init(made);
    made->tables[0].layers = NULL;
    made->image.format.encryption = FORMAT_CRYPT_LUKS;
    made->image.format.backing_file = made_name("base");
    made->image.format.backing_format = made_name(backing_format);
    return &made->image;
}

static void without_encryption_there_are_none(void **state)
{
    struct made_report made;
    struct report_image *image = alone(&made, "qcow2");

    (void)state;
    image->format.encryption = FORMAT_CRYPT_NONE;
    expect(image, "", "", "");
    expect_request(image, "");
    image->n_tables = 0;
    expect(image, "", "", "");
}

static void an_encrypted_image_has_one(void **state)
{
    struct made_report made;
    struct report_image *image = alone(&made, "raw");

    (void)state;
    expect(image, " --object secret,id=key,file=KEYFILE", "encrypt.key-secret=key,", "");
    expect_request(image, "The image is encrypted: put its passphrase, without a newline, into a "
                          "file KEYFILE that only you can read.");
    image->format.encryption = FORMAT_CRYPT_AES;
    image->format.backing_file = image->format.backing_format = (struct format_name){NULL, 0};
    expect(image, " --object secret,id=key,file=KEYFILE", "encrypt.key-secret=key,", "");
}

static void a_backing_file_that_nobody_looked_at_may_have_the_same(void **state)
{
    struct made_report made;
    struct report_image *image = alone(&made, "qcow2");

    (void)state;
    expect(image, " --object secret,id=key,file=KEYFILE", "encrypt.key-secret=key,",
           "backing.encrypt.key-secret=key,");
    expect_request(image,
                   "The image is encrypted: put its passphrase, without a newline, into a file "
                   "KEYFILE that only you can read. If its backing file is encrypted, too, it is "
                   "taken to have the same one.");
}

static void a_luks_container_below_has_its_own(void **state)
{
    struct made_report made;
    struct report_image *image = alone(&made, "luks");

    (void)state;
    expect(image, " --object secret,id=key,file=KEYFILE --object secret,id=key1,file=KEYFILE1",
           "encrypt.key-secret=key,", "backing.key-secret=key1,");
    expect_request(image, "Several files of the chain are encrypted: put the passphrase of each, "
                          "without a newline, into a file that only you can read: KEYFILE for the "
                          "image and KEYFILE1 for its backing file.");
    image->format.encryption = FORMAT_CRYPT_NONE;
    expect(image, " --object secret,id=key1,file=KEYFILE1", "", "backing.key-secret=key1,");
    expect_request(image, "Of the chain, its backing file is encrypted: put its passphrase, "
                          "without a newline, into a file KEYFILE1 that only you can read.");
}

static void along_a_chain_each_has_its_own(void **state)
{
    struct made_report made;
    struct report_image *image = alone(&made, "qcow2");
    struct report_layer layers[4] = {
        {.path = (char *)(uintptr_t) "top", .depth = 0},
        {.path = (char *)(uintptr_t) "one", .depth = 1, .encryption = FORMAT_CRYPT_AES},
        {.path = (char *)(uintptr_t) "two", .depth = 2},
        {.path = (char *)(uintptr_t) "thr\x1b", .depth = 3, .encryption = FORMAT_CRYPT_LUKS},
    };

    (void)state;
    made.tables[0].layers = layers;
    made.tables[0].n_layers = 4;
    expect(image,
           " --object secret,id=key,file=KEYFILE --object secret,id=key1,file=KEYFILE1"
           " --object secret,id=key3,file=KEYFILE3",
           "encrypt.key-secret=key,",
           "backing.encrypt.key-secret=key1,backing.backing.backing.encrypt.key-secret=key3,");
    expect_request(image, "Several files of the chain are encrypted: put the passphrase of each, "
                          "without a newline, into a file that only you can read: KEYFILE for the "
                          "image, KEYFILE1 for the backing file \"one\" and KEYFILE3 for the "
                          "backing file \"thr\\x1b\".");
    image->format.encryption = FORMAT_CRYPT_NONE;
    layers[3].encryption = FORMAT_CRYPT_NONE;
    expect(image, " --object secret,id=key1,file=KEYFILE1", "", "backing.encrypt.key-secret=key1,");
    expect_request(image, "Of the chain, the backing file \"one\" is encrypted: put its "
                          "passphrase, without a newline, into a file KEYFILE1 that only you can "
                          "read.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_encryption_there_are_none),
        cmocka_unit_test(an_encrypted_image_has_one),
        cmocka_unit_test(a_backing_file_that_nobody_looked_at_may_have_the_same),
        cmocka_unit_test(a_luks_container_below_has_its_own),
        cmocka_unit_test(along_a_chain_each_has_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
