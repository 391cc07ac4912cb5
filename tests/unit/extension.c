// SPDX-License-Identifier: MIT
/* Proves what header extensions are read for, which are refused in what words, and which told. */
#include "made_header.h"

/* ---- header extensions ---- */

static void extensions_are_read(void **state)
{
    size_t at = 112;
    unsigned char bitmaps[24] = {0};
    struct opened opened;

    (void)state;
    make_version_3();
    put_be64(image + 72, FORMAT_INCOMPAT_DATA_FILE);
    put_be64(image + 88, FORMAT_AUTOCLEAR_BITMAPS | FORMAT_AUTOCLEAR_DATA_FILE_RAW);
    put_be32(bitmaps, 3);
    put_be64(bitmaps + 8, 48);
    put_be64(bitmaps + 16, 5 * CLUSTER);
    at = put_extension(at, EXTENSION_UNKNOWN, "12345", 5); /* padded to eight */
    at = put_extension(at, EXTENSION_BACKING_FORMAT, "qcow2", 5);
    at = put_extension(at, EXTENSION_DATA_FILE, "guest.raw", 9);
    at = put_extension(at, EXTENSION_BITMAPS, bitmaps, sizeof(bitmaps));
    at += 8; /* the end: a magic of 0 */
    put_extension(at, EXTENSION_BACKING_FORMAT, "no", 2);
    opened = open_image();
    assert_int_equal(opened.ret, 0);
    assert_name(&opened.header.backing_format, "qcow2", 5);
    assert_name(&opened.header.data_file, "guest.raw", 9);
    assert_int_equal(opened.header.n_bitmaps, 3);
    assert_true(opened.header.external_data);
    assert_accepted(&opened);
}

/* The area ends where the name of the backing file begins. */
static void extensions_end_at_the_backing_name(void **state)
{
    size_t end;
    struct opened opened;

    (void)state;
    make_version_3();
    end = put_extension(112, EXTENSION_BACKING_FORMAT, "raw", 3);
    put_extension(end, EXTENSION_BACKING_FORMAT, "no", 2); /* is the name */
    put_be64(image + 8, end);
    put_be32(image + 16, 8);
    opened = open_image();
    assert_int_equal(opened.ret, 0);
    assert_name(&opened.header.backing_format, "raw", 3);
    assert_int_equal(opened.header.backing_file.len, 8);
    release(&opened);
}

static void an_extension_that_overruns_its_area_is_refused(void **state)
{
    static const struct refusal cases[] = {
        {{BE32(112, EXTENSION_UNKNOWN), BE32(116, 0x7fffffff)},
         EINVAL,
         "header extension 0x12345678 at offset 0x70"},
        {{BE32(112, EXTENSION_UNKNOWN), BE32(116, 0xffffffff)},
         EINVAL,
         "header extension 0x12345678"},
        {{BE32(112, EXTENSION_UNKNOWN), BE32(116, CLUSTER - 120 + 1)},
         EINVAL,
         "header extension 0x12345678"},
        /* With a backing file the area is smaller. */
        {{BE32(112, EXTENSION_UNKNOWN), BE32(116, 100), BE64(8, 219), BE32(16, 4)},
         EINVAL,
         "header extension 0x12345678"},
        /* The area ends inside the head of the extension. */
        {{BE32(112, EXTENSION_UNKNOWN), BE64(8, 116), BE32(16, 4)},
         EINVAL,
         "header extension 0x12345678"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void a_large_unknown_extension_is_passed_over(void **state)
{
    static unsigned char noise[8192];
    struct opened opened;
    size_t at;

    (void)state;
    memset(noise, 0xe2, sizeof(noise));
    make_version_3();
    at = put_extension(112, EXTENSION_UNKNOWN, noise, sizeof(noise));
    put_extension(at, EXTENSION_BACKING_FORMAT, "raw", 3);
    opened = open_image();
    assert_name(&opened.header.backing_format, "raw", 3);
    assert_accepted(&opened);

    make_version_3();
    put_be32(image + 112, EXTENSION_UNKNOWN);
    put_be32(image + 116, CLUSTER - 120); /* up to the very end of the cluster */
    opened = open_image();
    assert_accepted(&opened);
}

static void an_odd_backing_format_is_told(void **state)
{
    struct opened opened;
    size_t at;

    (void)state;
    make_version_3();
    at = put_extension(112, EXTENSION_BACKING_FORMAT, "raw", 3);
    put_extension(at, EXTENSION_BACKING_FORMAT, "qcow2", 5);
    opened = open_image();
    assert_name(&opened.header.backing_format, "qcow2", 5); /* the last one counts */
    assert_found(&opened, FORMAT_FINDING_BACKING_FORMAT, "given twice", at);

    make_version_3();
    put_extension(112, EXTENSION_BACKING_FORMAT, "0123456789abcdef", 16);
    opened = open_image();
    assert_name(&opened.header.backing_format, "0123456789abcde", 15);
    assert_found(&opened, FORMAT_FINDING_BACKING_FORMAT, "backing format has 16 bytes", 112);

    make_version_3();
    put_extension(112, EXTENSION_BACKING_FORMAT, "0123456789abcde", 15);
    opened = open_image();
    assert_accepted(&opened);
}

static void luks_needs_its_extension(void **state)
{
    static const struct observation cases[] = {
        {{BE32(32, 2)}, FORMAT_FINDING_CRYPTO_HEADER, "where its LUKS header is", 0},
        {{BE32(32, 2), BE32(112, EXTENSION_CRYPTO), BE32(116, 15)},
         FORMAT_FINDING_CRYPTO_HEADER,
         "does not have 16 bytes",
         112},
        {{BE32(112, EXTENSION_CRYPTO), BE32(116, 16), BE64(120, CLUSTER), BE64(128, 4096)},
         FORMAT_FINDING_CRYPTO_HEADER,
         "the image is not LUKS",
         112},
    };

    (void)state;
    check_findings(cases, COUNT(cases));
}

static struct opened open_luks(uint64_t off, uint64_t len)
{
    unsigned char where[16];

    make_version_3();
    put_be32(image + 32, 2);
    put_be64(where, off);
    put_be64(where + 8, len);
    put_extension(112, EXTENSION_CRYPTO, where, sizeof(where));
    return open_image();
}

static void a_sound_luks_header_is_accepted(void **state)
{
    struct opened opened = open_luks(4 * CLUSTER, 2 * CLUSTER);

    (void)state;
    assert_int_equal(opened.header.crypt, FORMAT_CRYPT_LUKS);
    assert_accepted(&opened);
}

static void a_luks_header_that_is_not_at_a_cluster_is_told(void **state)
{
    struct opened opened = open_luks(4 * CLUSTER + 512, 4096);

    (void)state;
    assert_found(&opened, FORMAT_FINDING_CRYPTO_HEADER, "LUKS header", 112);
}

static void a_luks_header_past_the_end_is_told(void **state)
{
    struct opened opened = open_luks(FILE_BYTES, 4096);

    (void)state;
    assert_found(&opened, FORMAT_FINDING_CRYPTO_HEADER, "LUKS header", 112);
}

static void a_data_file_needs_a_name(void **state)
{
    static const struct observation cases[] = {
        {{BE64(72, 4)}, FORMAT_FINDING_DATA_FILE_NAME, "its name is missing", 0},
    };

    (void)state;
    check_findings(cases, COUNT(cases));
}

static void a_data_file_name_without_its_bit_is_ignored(void **state)
{
    struct opened opened;

    (void)state;
    make_version_3();
    put_extension(112, EXTENSION_DATA_FILE, "/etc/shadow", 11);
    opened = open_image();
    assert_null(opened.header.data_file.bytes);
    assert_false(opened.header.external_data);
    assert_accepted(&opened);
}

static void a_long_data_file_name_is_cut(void **state)
{
    static char name[8000];
    struct opened opened;

    (void)state;
    make_version_3();
    memset(name, 'n', sizeof(name));
    put_be64(image + 72, FORMAT_INCOMPAT_DATA_FILE);
    put_extension(112, EXTENSION_DATA_FILE, name, sizeof(name));
    opened = open_image();
    assert_name(&opened.header.data_file, name, FORMAT_DATA_FILE_NAME_MAX);
    release(&opened);
}

/* The last of several counts, and the ones before are not lost memory. */
static void a_name_given_twice_is_replaced(void **state)
{
    struct opened opened;
    size_t at;

    (void)state;
    make_version_3();
    put_be64(image + 72, FORMAT_INCOMPAT_DATA_FILE);
    at = put_extension(112, EXTENSION_DATA_FILE, "first", 5);
    put_extension(at, EXTENSION_DATA_FILE, "second", 6);
    opened = open_image();
    assert_name(&opened.header.data_file, "second", 6);
    release(&opened);
}

struct bitmaps_case {
    uint32_t len, n, reserved;
    uint64_t directory_off, directory_bytes;
    const char *words; /* NULL: sound */
};

static void bitmaps_are_counted_or_told(void **state)
{
    static const struct bitmaps_case cases[] = {
        {24, 1, 0, 5 * CLUSTER, 48, NULL},
        {24, 65535, 0, 5 * CLUSTER, 48, NULL},
        {24, 0, 0, 5 * CLUSTER, 48, "bitmaps extension is invalid (0 bitmaps"},
        {24, 65536, 0, 5 * CLUSTER, 48, "bitmaps extension is invalid (65536 bitmaps"},
        {24, 1, 1, 5 * CLUSTER, 48, "bitmaps extension is invalid"},
        {24, 1, 0, 5 * CLUSTER + 8, 48, "directory at 0x50008"},
        {24, 1, 0, 0, 48, "directory at 0x0"},
        {24, 1, 0, 5 * CLUSTER, CLUSTER, NULL}, /* ends with the file */
        {24, 1, 0, 5 * CLUSTER, CLUSTER + 1, "bitmaps extension is invalid"},
        {24, 1, 0, 5 * CLUSTER, 0, "bitmaps extension is invalid"},
        {24, 1, 0, 5 * CLUSTER, UINT64_MAX, "bitmaps extension is invalid"},
        {24, 1, 0, FILE_BYTES, 48, "bitmaps extension is invalid"},
        {20, 1, 0, 5 * CLUSTER, 48, "bitmaps extension has 20 bytes"},
        {32, 1, 0, 5 * CLUSTER, 48, "bitmaps extension has 32 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned char data[32] = {0};
        struct opened opened;

        make_version_3();
        put_be64(image + 88, FORMAT_AUTOCLEAR_BITMAPS);
        put_be32(data, cases[i].n);
        put_be32(data + 4, cases[i].reserved);
        put_be64(data + 8, cases[i].directory_bytes);
        put_be64(data + 16, cases[i].directory_off);
        put_extension(112, EXTENSION_BITMAPS, data, cases[i].len);
        opened = open_image();
        assert_int_equal(opened.header.n_bitmaps, cases[i].words == NULL ? cases[i].n : 0);
        if (cases[i].words == NULL)
            assert_accepted(&opened);
        else
            assert_found(&opened, FORMAT_FINDING_BITMAPS, cases[i].words, 112);
    }
}

static void the_bit_for_bitmaps_needs_an_extension(void **state)
{
    static const struct observation cases[] = {
        {{BE64(88, 1)}, FORMAT_FINDING_BITMAPS, "feature bit for bitmaps is set", 0},
    };

    (void)state;
    check_findings(cases, COUNT(cases));
}

/* Without the bit their contents are no longer valid, whatever the extension says. */
static void bitmaps_without_their_bit_are_not_counted(void **state)
{
    struct opened opened;

    (void)state;
    make_version_3();
    put_extension(112, EXTENSION_BITMAPS, "short", 5);
    opened = open_image();
    assert_int_equal(opened.header.n_bitmaps, 0);
    assert_found(&opened, FORMAT_FINDING_BITMAPS, "no longer valid", 112);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extensions_are_read),
        cmocka_unit_test(extensions_end_at_the_backing_name),
        cmocka_unit_test(an_extension_that_overruns_its_area_is_refused),
        cmocka_unit_test(a_large_unknown_extension_is_passed_over),
        cmocka_unit_test(an_odd_backing_format_is_told),
        cmocka_unit_test(luks_needs_its_extension),
        cmocka_unit_test(a_sound_luks_header_is_accepted),
        cmocka_unit_test(a_luks_header_that_is_not_at_a_cluster_is_told),
        cmocka_unit_test(a_luks_header_past_the_end_is_told),
        cmocka_unit_test(a_data_file_needs_a_name),
        cmocka_unit_test(a_data_file_name_without_its_bit_is_ignored),
        cmocka_unit_test(a_long_data_file_name_is_cut),
        cmocka_unit_test(a_name_given_twice_is_replaced),
        cmocka_unit_test(bitmaps_are_counted_or_told),
        cmocka_unit_test(the_bit_for_bitmaps_needs_an_extension),
        cmocka_unit_test(bitmaps_without_their_bit_are_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
