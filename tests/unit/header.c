// SPDX-License-Identifier: MIT
/*
 * Proves which headers are read and with what meaning, which are refused and in what words, and
 * what is told as a finding. Extensions: see extension.c.
 */
#include "made_header.h"

/* ---- sound headers ---- */

static void version_3_is_read(void **state)
{
    struct opened opened;

    (void)state;
    make_version_3();
    opened = open_image();
    assert_int_equal(opened.ret, 0);
    assert_int_equal(opened.findings.total, 0);
    assert_int_equal(opened.header.version, 3);
    assert_int_equal(opened.header.cluster_bits, 16);
    assert_int_equal(opened.header.cluster_bytes, CLUSTER);
    assert_int_equal(opened.header.virtual_bytes, VIRTUAL);
    assert_int_equal(opened.header.header_bytes, 112);
    assert_int_equal(opened.header.incompatible, 0);
    assert_int_equal(opened.header.compatible, 0);
    assert_int_equal(opened.header.autoclear, 0);
    assert_int_equal(opened.header.refcount_bits, 16);
    assert_int_equal(opened.header.crypt, FORMAT_CRYPT_NONE);
    assert_int_equal(opened.header.compression, FORMAT_ZLIB);
    assert_false(opened.header.extended_l2);
    assert_false(opened.header.external_data);
    assert_int_equal(opened.header.l2_entry_bytes, 8);
    assert_int_equal(opened.header.l2_bits, 13);
    assert_int_equal(opened.header.l2_entries, 8192);
    assert_int_equal(opened.header.l1_off, 3 * CLUSTER);
    assert_int_equal(opened.header.l1_entries, 2);
    assert_int_equal(opened.header.reftable_off, CLUSTER);
    assert_int_equal(opened.header.reftable_clusters, 1);
    assert_int_equal(opened.header.n_snapshots, 0);
    assert_int_equal(opened.header.n_bitmaps, 0);
    assert_null(opened.header.backing_file.bytes);
    assert_null(opened.header.backing_format.bytes);
    assert_null(opened.header.data_file.bytes);
    release(&opened);
}

/* Its header ends at byte 72: what version 3 has there are extensions, and names, in version 2. */
static void version_2_has_no_feature_bits(void **state)
{
    struct opened opened;

    (void)state;
    make_version_2();
    put_extension(72, EXTENSION_BACKING_FORMAT, "raw", 3);
    opened = open_image();
    assert_int_equal(opened.ret, 0);
    assert_int_equal(opened.findings.total, 0);
    assert_int_equal(opened.header.version, 2);
    assert_int_equal(opened.header.header_bytes, 72);
    assert_int_equal(opened.header.incompatible, 0);
    assert_int_equal(opened.header.refcount_bits, 16);
    assert_int_equal(opened.header.compression, FORMAT_ZLIB);
    assert_name(&opened.header.backing_format, "raw", 3);
    release(&opened);
}

static void extended_l2_halves_the_entries(void **state)
{
    struct opened opened;

    (void)state;
    make_version_3();
    put_be64(image + 72, FORMAT_INCOMPAT_EXTENDED_L2);
    put_be32(image + 36, 4);
    opened = open_image();
    assert_int_equal(opened.ret, 0);
    assert_true(opened.header.extended_l2);
    assert_int_equal(opened.header.l2_entry_bytes, 16);
    assert_int_equal(opened.header.l2_bits, 12);
    assert_int_equal(opened.header.l2_entries, 4096);
    release(&opened);
}

static void every_cluster_size_is_read(void **state)
{
    (void)state;
    for (unsigned bits = 9; bits <= 21; bits++) {
        static unsigned char large[6 << 21];
        size_t cluster_bytes = (size_t)1 << bits;
        struct opened opened;

        make_version_3();
        put_be32(image + 20, bits);
        put_be64(image + 24, cluster_bytes); /* one cluster of disk */
        put_be64(image + 40, 3 * cluster_bytes);
        put_be64(image + 48, cluster_bytes);
        memcpy(large, image, 512);
        opened = open_bytes(large, 6 * cluster_bytes);
        assert_int_equal(opened.ret, 0);
        assert_int_equal(opened.header.cluster_bytes, cluster_bytes);
        assert_int_equal(opened.header.l2_entries, cluster_bytes / 8);
        assert_int_equal(format_l2_span(&opened.header), cluster_bytes * (cluster_bytes / 8));
        assert_accepted(&opened);
    }
}

static void every_refcount_width_is_read(void **state)
{
    (void)state;
    for (unsigned order = 0; order <= 6; order++) {
        struct opened opened;

        make_version_3();
        put_be32(image + 96, order);
        opened = open_image();
        assert_int_equal(opened.header.refcount_bits, 1u << order);
        assert_accepted(&opened);
    }
}

static void what_is_unusual_but_allowed_is_accepted(void **state)
{
    static const struct change cases[][4] = {
        {BE32(100, CLUSTER)},                    /* the header fills the cluster */
        {BE32(100, 104), BYTE(104, 1)},          /* no compression type in a header of 104 */
        {BE64(24, 0)},                           /* no disk */
        {BE64(24, 0), BE32(36, 0), BE64(40, 0)}, /* nor an L1 table */
        {BE32(36, 3)},                           /* an L1 table longer than the disk */
        {BE32(36, 3 * CLUSTER / 8)},             /* that ends where the file does */
        {BE32(96, 3)},                           /* another refcount width */
        {BE32(32, 1)},                           /* AES needs no header */
        {BE64(80, UINT64_MAX)},                  /* compatible features */
        {BE64(88, UINT64_MAX & ~UINT64_C(3))},   /* autoclear features */
        {BE32(56, 2), BE64(48, 4 * CLUSTER)},    /* the refcount table ends with the file */
        {BE64(64, 9 * CLUSTER)},                 /* no snapshots, wherever they are not */
        {BE64(8, CLUSTER), BE32(16, 0), BE64(8, 0)},
    };

    (void)state;
    check_accepted(cases, COUNT(cases));
}

static void compression_type_and_its_bit_agree(void **state)
{
    struct opened opened;

    (void)state;
    make_version_3();
    put_be64(image + 72, FORMAT_INCOMPAT_COMPRESSION);
    image[104] = 1;
    opened = open_image();
    assert_int_equal(opened.ret, 0);
    assert_int_equal(opened.header.compression, FORMAT_ZSTD);
    assert_accepted(&opened);
}

/* 105 to 111 bytes: longer than 104, so the byte counts. */
static void a_version_3_header_of_104_bytes_has_no_compression_type(void **state)
{
    struct opened opened;

    (void)state;
    make_version_3();
    put_be32(image + 100, 104);
    put_extension(104, EXTENSION_UNKNOWN, "", 0);
    opened = open_image();
    assert_int_equal(opened.header.compression, FORMAT_ZLIB);
    assert_accepted(&opened);
}

/* ---- signature, version, cluster and header size ---- */

static void other_files_are_named(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *words;
    } cases[] = {
        {"", 0, "the file is empty"},
        {"QFI", 3, "too short"},
        {"\0\0\0", 3, "too short"},
        {"QFI\xfa\0\0\0\3", 8, "signature"},
        {"MZ..............", 16, "signature"},
        {"KDMV............", 16, "VMDK"},
        {"COWD............", 16, "VMDK"},
        {"# Disk DescriptorFile\n", 22, "VMDK"},
        {"vhdxfile........", 16, "VHDX"},
        {"conectix........", 16, "VHD;"},
        {"QED\0............", 16, "QED"},
        {"LUKS\xba\xbe..........", 16, "LUKS"},
        {"<<< Oracle VM VirtualBox Disk Image >>>\n", 40, "VDI"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct opened opened = open_bytes(cases[i].bytes, cases[i].len);

        assert_refused(&opened, EINVAL, cases[i].words);
    }
}

static void other_versions_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {{BE32(4, 1)}, ENOTSUP, "version 1"},
        {{BE32(4, 0)}, ENOTSUP, "version 0"},
        {{BE32(4, 4)}, ENOTSUP, "version 4"},
        {{BE32(4, 0xffffffff)}, ENOTSUP, "version 4294967295"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void cluster_bits_outside_9_to_21_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {{BE32(20, 0)}, EINVAL, "cluster_bits is 0"},
        {{BE32(20, 8)}, EINVAL, "cluster_bits is 8"},
        {{BE32(20, 22)}, EINVAL, "cluster_bits is 22"},
        {{BE32(20, 63)}, EINVAL, "cluster_bits is 63"},
        {{BE32(20, 64)}, EINVAL, "cluster_bits is 64"},
        {{BE32(20, 0xffffffff)}, EINVAL, "cluster_bits is 4294967295"},
        {{BE32(20, 12)}, EINVAL, "L1 table has 2 entries"}, /* valid, but not what was written */
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void a_header_length_outside_the_cluster_is_refused(void **state)
{
    static const struct refusal cases[] = {
        {{BE32(100, 0)}, EINVAL, "header_length is 0"},
        {{BE32(100, 100)}, EINVAL, "header_length is 100"},
        {{BE32(100, 103)}, EINVAL, "header_length is 103"},
        {{BE32(100, CLUSTER + 1)}, EINVAL, "header_length is 65537"},
        {{BE32(100, 0xffffffff)}, EINVAL, "header_length is 4294967295"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void a_file_cut_inside_its_header_is_refused(void **state)
{
    static const struct {
        uint32_t version;
        size_t len;
        const char *words;
    } cases[] = {
        {2, 8, "ends after 8 bytes"},   {2, 71, "ends after 71 bytes, inside the header of 72"},
        {3, 72, "ends after 72 bytes"}, {3, 103, "ends after 103 bytes, inside the header of 104"},
        {3, 4, "ends after 4 bytes"},   {3, 7, "ends after 7 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct opened opened;

        make_version_3();
        put_be32(image + 4, cases[i].version);
        opened = open_bytes(image, cases[i].len);
        assert_refused(&opened, EINVAL, cases[i].words);
    }
}

static void a_file_that_is_all_header_is_read(void **state)
{
    struct opened opened;

    (void)state;
    make_version_2();
    put_be64(image + 24, 0); /* no disk, no L1 table: nothing is missing but the refcounts */
    put_be32(image + 36, 0);
    opened = open_bytes(image, 72);
    assert_found(&opened, FORMAT_FINDING_REFTABLE_PAST_END, "refcount table", 48);

    put_be32(image + 4, 3);
    put_be32(image + 96, 4);
    put_be32(image + 100, 104);
    opened = open_bytes(image, 104);
    assert_found(&opened, FORMAT_FINDING_REFTABLE_PAST_END, "refcount table", 48);
}

/* ---- header length, disk size, L1 table ---- */

static void an_odd_header_length_is_told(void **state)
{
    static const struct observation cases[] = {
        {{BE32(100, 105)}, FORMAT_FINDING_HEADER_LENGTH_ODD, "header_length is 105", 100},
        {{BE32(100, 113)}, FORMAT_FINDING_HEADER_LENGTH_ODD, "header_length is 113", 100},
    };

    (void)state;
    check_findings(cases, COUNT(cases));
}

static void a_size_of_no_whole_sectors_is_rounded_down(void **state)
{
    static const uint64_t sizes[] = {VIRTUAL - 1, VIRTUAL - 511, VIRTUAL - 512 + 1, 1};

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct opened opened;

        make_version_3();
        put_be64(image + 24, sizes[i]);
        opened = open_image();
        assert_int_equal(opened.ret, 0);
        assert_int_equal(opened.header.virtual_bytes, sizes[i] / 512 * 512);
        assert_found(&opened, FORMAT_FINDING_SIZE_UNALIGNED, "virtual size", 24);
    }
}

static void an_impossible_size_is_refused(void **state)
{
    static const struct refusal cases[] = {
        {{BE64(24, UINT64_C(1) << 62)}, EFBIG, "virtual size of 4611686018427387904"},
        {{BE64(24, UINT64_C(1) << 63)}, EFBIG, "virtual size of 9223372036854775808"},
        {{BE64(24, UINT64_MAX)}, EFBIG, "virtual size of 18446744073709551615"},
        {{BE64(24, (UINT64_C(1) << 51) + 512)}, EFBIG, "virtual size"}, /* 2 PiB is the most */
        {{BE64(24, UINT64_C(1) << 51)}, EINVAL, "L1 table has 2 entries"},
        {{BE64(24, VIRTUAL + 512)}, EINVAL, "L1 table has 2 entries"},
        {{BE64(24, VIRTUAL + 512)}, EINVAL, "needs 3"},
        {{BE32(36, 0)}, EINVAL, "L1 table has 0 entries"},
        {{BE32(36, 1)}, EINVAL, "L1 table has 1 entry"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void an_l1_table_that_cannot_be_is_refused(void **state)
{
    static const struct refusal cases[] = {
        {{BE32(36, 4194305)}, EFBIG, "L1 table has 4194305 entries"},
        {{BE32(36, 0xffffffff)}, EFBIG, "L1 table has 4294967295 entries"},
        {{BE32(36, 4194304)}, EINVAL, "L1 table (33554432 bytes"},
        {{BE32(36, 3 * CLUSTER / 8 + 1)}, EINVAL, "past the end of the file"},
        {{BE64(40, 3 * CLUSTER + 512)}, EINVAL, "L1 table at offset 0x30200 does not start"},
        {{BE64(40, 3 * CLUSTER + 1)}, EINVAL, "L1 table at offset 0x30001 does not start"},
        {{BE64(40, UINT64_C(1) << 63)}, EINVAL, "L1 table at offset 0x8000000000000000"},
        {{BE64(40, UINT64_C(0xffffffffffff0000))}, EINVAL, "outside any possible file"},
        {{BE64(40, UINT64_C(0x7fffffffffff0000)), BE32(36, 8193)},
         EINVAL,
         "outside any possible file"},
        {{BE64(40, UINT64_C(0x7fffffffffff0000))}, EINVAL, "lies behind the end of the file"},
        {{BE64(40, FILE_BYTES)}, EINVAL, "lies behind the end of the file"},
        {{BE64(40, 0)}, EINVAL, "L1 table overlaps the header"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

/* ---- refcounts, which measuring does not need ---- */

static void a_bad_refcount_table_is_told(void **state)
{
    static const struct observation cases[] = {
        {{BE32(56, 0)}, FORMAT_FINDING_REFTABLE_MISSING, "no refcount table", 48},
        {{BE64(48, FILE_BYTES)}, FORMAT_FINDING_REFTABLE_PAST_END, "past the end", 48},
        {{BE64(48, 5 * CLUSTER), BE32(56, 2)},
         FORMAT_FINDING_REFTABLE_PAST_END,
         "past the end",
         48},
        {{BE32(56, 128)}, FORMAT_FINDING_REFTABLE_PAST_END, "past the end", 48}, /* 8 MiB */
        {{BE64(48, 0)}, FORMAT_FINDING_REFTABLE_PAST_END, "overlaps the header", 48},
    };

    (void)state;
    check_findings(cases, COUNT(cases));
}

static void an_impossible_refcount_table_is_refused(void **state)
{
    static const struct refusal cases[] = {
        {{BE32(56, 129)}, EFBIG, "refcount table has 129 clusters"},
        {{BE32(56, 0xffffffff)}, EFBIG, "refcount table has 4294967295 clusters"},
        {{BE64(48, CLUSTER + 512)}, EINVAL, "refcount table at offset 0x10200 does not start"},
        {{BE64(48, UINT64_C(1) << 63)}, EINVAL, "refcount table at offset 0x8000000000000000"},
        {{BE64(48, UINT64_C(0x7fffffffffff0000))}, EINVAL, "outside any possible file"},
        {{BE32(96, 7)}, EINVAL, "refcount_order is 7"},
        {{BE32(96, 32)}, EINVAL, "refcount_order is 32"},
        {{BE32(96, 0xffffffff)}, EINVAL, "refcount_order is 4294967295"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

/* ---- encryption and feature bits ---- */

static void unknown_encryption_is_refused(void **state)
{
    static const struct refusal cases[] = {
        {{BE32(32, 3)}, ENOTSUP, "encryption method 3"},
        {{BE32(32, 0xffffffff)}, ENOTSUP, "encryption method 4294967295"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void unknown_incompatible_bits_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {{BE64(72, UINT64_C(1) << 5)}, ENOTSUP, "incompatible feature bit 5"},
        {{BE64(72, UINT64_C(1) << 63)}, ENOTSUP, "incompatible feature bit 63"},
        {{BE64(72, UINT64_C(1) << 6 | 1)}, ENOTSUP, "incompatible feature bit 6"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

/* Type, bit, and a name of 46 bytes that need not end in a NUL. */
static void put_feature(unsigned char *entry, unsigned type, unsigned bit, const char *name)
{
    entry[0] = (unsigned char)type;
    entry[1] = (unsigned char)bit;
    memset(entry + 2, 0, 46);
    memcpy(entry + 2, name, strnlen(name, 46));
}

static void an_unknown_bit_is_named_by_the_image(void **state)
{
    static const char long_name[] = "0123456789012345678901234567890123456789abcdefXYZ";
    unsigned char table[4 * 48];
    struct opened opened;

    (void)state;
    make_version_3();
    put_be64(image + 72, UINT64_C(1) << 40);
    put_feature(table, 1, 40, "a compatible one");
    put_feature(table + 48, 0, 41, "another one");
    put_feature(table + 96, 0, 40, "time travel");
    put_feature(table + 144, 2, 40, "an autoclear one");
    put_extension(112, EXTENSION_FEATURES, table, sizeof(table));
    opened = open_image();
    assert_refused(&opened, ENOTSUP, "incompatible feature bit 40 (\"time travel\")");

    put_feature(image + 120 + 96, 0, 40, "evil\x1b[2J\xff");
    opened = open_image();
    assert_refused(&opened, ENOTSUP, "(\"evil?[2J?\")");

    put_feature(image + 120 + 96, 0, 40, long_name); /* cut after 46 bytes */
    opened = open_image();
    assert_refused(&opened, ENOTSUP, "abcdef\")");

    put_be32(image + 116, 2 * 48 + 47); /* the table ends inside the entry */
    opened = open_image();
    assert_refused(&opened, ENOTSUP, "bit 40 is unknown");
}

/* A broken extension area must not hide what matters more. */
static void an_unknown_bit_goes_before_bad_extensions(void **state)
{
    static const struct refusal cases[] = {
        {{BE64(72, UINT64_C(1) << 40), BE32(112, EXTENSION_UNKNOWN), BE32(116, 0x7fffffff)},
         ENOTSUP,
         "incompatible feature bit 40"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void dirty_and_corrupt_are_told(void **state)
{
    static const struct observation cases[] = {
        {{BE64(72, 1)}, FORMAT_FINDING_DIRTY, "not closed cleanly", 72},
        {{BE64(72, 2)}, FORMAT_FINDING_CORRUPT, "marked this image as corrupt", 72},
    };

    (void)state;
    check_findings(cases, COUNT(cases));
}

static void contradicting_features_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {{BE64(72, 8)}, EINVAL, "compression type 0 contradicts"},
        {{BYTE(104, 1)}, EINVAL, "compression type 1 contradicts"},
        {{BYTE(104, 9)}, ENOTSUP, "compression type 9"},
        {{BE64(72, 8), BYTE(104, 2)}, ENOTSUP, "compression type 2"},
        {{BE64(72, 8), BYTE(104, 1), BE32(100, 104)}, EINVAL, "compression type 0 contradicts"},
        {{BE64(72, 16), BE32(20, 9)}, EINVAL, "extended L2"},
        {{BE64(72, 16), BE32(20, 13)}, EINVAL, "extended L2"},
        {{BE64(88, 2)}, EINVAL, "raw external data"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void extended_l2_begins_with_16_kib_clusters(void **state)
{
    static const struct change cases[][4] = {
        {BE64(72, 16), BE32(20, 14), BE64(24, 1 << 20)},
        {BE64(72, 16), BE32(20, 15), BE64(24, 1 << 20)},
    };

    (void)state;
    check_accepted(cases, COUNT(cases));
}

/* ---- the snapshot table ---- */

static void an_impossible_snapshot_table_is_refused(void **state)
{
    static const struct refusal cases[] = {
        {{BE32(60, 65537), BE64(64, CLUSTER)}, EFBIG, "65537 internal snapshots"},
        {{BE32(60, 0xffffffff)}, EFBIG, "4294967295 internal snapshots"},
        {{BE32(60, 1), BE64(64, CLUSTER + 512)}, EINVAL, "snapshot table at offset 0x10200"},
        {{BE64(64, 512)}, EINVAL, "snapshot table at offset 0x200"}, /* even if there is none */
        {{BE64(64, UINT64_C(1) << 63)}, EINVAL, "snapshot table at offset 0x8000000000000000"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void the_snapshot_table_is_not_read_here(void **state)
{
    struct opened opened;

    (void)state;
    make_version_3();
    put_be32(image + 60, 65536);
    put_be64(image + 64, 5 * CLUSTER);
    opened = open_image();
    assert_int_equal(opened.header.n_snapshots, 65536);
    assert_int_equal(opened.header.snapshots_off, 5 * CLUSTER);
    assert_accepted(&opened);
}

/* ---- the name of the backing file ---- */

static void a_backing_name_outside_the_cluster_is_refused(void **state)
{
    static const struct refusal cases[] = {
        {{BE64(8, CLUSTER + 1), BE32(16, 4)}, EINVAL, "backing file name at offset 0x10001"},
        {{BE64(8, UINT64_MAX), BE32(16, 4)}, EINVAL, "backing file name at offset"},
        {{BE64(8, 4096), BE32(16, 1024)}, EINVAL, "backing file name has 1024 bytes"},
        {{BE64(8, 4096), BE32(16, 0xffffffff)}, EINVAL, "backing file name has 4294967295"},
        {{BE64(8, CLUSTER - 10), BE32(16, 11)},
         EINVAL,
         "backing file name has 11 bytes; at most 10"},
        {{BE64(8, CLUSTER), BE32(16, 1)}, EINVAL, "backing file name has 1 byte; at most 0"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void backing_names_are_kept_byte_by_byte(void **state)
{
    char long_name[1023];
    const struct {
        const char *bytes;
        uint32_t len;
    } cases[] = {
        {"base.qcow2", 10}, {"back%s%n", 8},   {"\x1b[31m\xff\n", 7},
        {"json:{}", 7},     {long_name, 1023},
    };

    (void)state;
    memset(long_name, 'n', sizeof(long_name));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct opened opened;

        make_version_3();
        put_be64(image + 8, 4096);
        put_be32(image + 16, cases[i].len);
        memcpy(image + 4096, cases[i].bytes, cases[i].len);
        image[4096 + cases[i].len] = 'X'; /* not part of the name */
        opened = open_image();
        assert_int_equal(opened.ret, 0);
        assert_name(&opened.header.backing_file, cases[i].bytes, cases[i].len);
        assert_accepted(&opened);
    }
}

static void a_backing_name_may_end_with_the_cluster(void **state)
{
    struct opened opened;

    (void)state;
    make_version_3();
    put_be64(image + 8, CLUSTER - 4);
    put_be32(image + 16, 4);
    memcpy(image + CLUSTER - 4, "base", 4);
    opened = open_image();
    assert_name(&opened.header.backing_file, "base", 4);
    assert_accepted(&opened);
}

static void an_odd_backing_name_is_told(void **state)
{
    struct opened opened;

    (void)state;
    make_version_3();
    put_be64(image + 8, 4096);
    put_be32(image + 16, 0);
    opened = open_image();
    assert_null(opened.header.backing_file.bytes);
    assert_found(&opened, FORMAT_FINDING_BACKING_NAME, "name is empty", 4096);

    put_be64(image + 8, 40);
    put_be32(image + 16, 4);
    opened = open_image();
    assert_name(&opened.header.backing_file, "\0\0\0\0", 4);
    assert_int_equal(opened.findings.per_code[FORMAT_FINDING_BACKING_NAME],
                     2); /* and it has NULs */
    assert_non_null(strstr(opened.findings.list[0].message, "name lies in the header"));
    release(&opened);

    put_be64(image + 8, 4096);
    put_be32(image + 16, 3);
    memcpy(image + 4096, "a\0b", 3);
    opened = open_image();
    assert_name(&opened.header.backing_file, "a\0b", 3);
    assert_found(&opened, FORMAT_FINDING_BACKING_NAME, "name holds a NUL byte", 4096);
}

/* ---- reading ---- */

static void a_failing_read_is_passed_on_wherever_it_fails(void **state)
{
    unsigned char bitmaps[24] = {0};
    size_t at = 112;
    uint64_t n = 0;

    (void)state;
    make_version_3();
    put_be64(image + 8, 4096);
    put_be32(image + 16, 4);
    memcpy(image + 4096, "base", 4);
    put_be64(image + 72, FORMAT_INCOMPAT_DATA_FILE);
    put_be64(image + 88, FORMAT_AUTOCLEAR_BITMAPS);
    put_be32(bitmaps, 1);
    at = put_extension(at, EXTENSION_BACKING_FORMAT, "raw", 3);
    at = put_extension(at, EXTENSION_DATA_FILE, "data", 4);
    put_extension(at, EXTENSION_BITMAPS, bitmaps, sizeof(bitmaps));
    for (bool failed = true; failed;) {
        struct io_memory memory = io_memory_of(image, sizeof(image));
        struct opened opened = {.ret = 0};

        memory.fail_at = ++n;
        opened.ret = format_header_read(&memory.io, sizeof(image), &opened.header, &opened.findings,
                                        &opened.err);
        failed = opened.ret < 0;
        if (failed)
            assert_refused(&opened, EIO, IO_MEMORY_FAILS);
        release(&opened);
    }
    assert_int_equal(n, 1 + 4 + 3 + 1 + 1); /* header, heads, their data, backing name; success */
}

static void probing_looks_at_signature_and_version(void **state)
{
    static const unsigned char magic[] = "QFI\xfb\0\0\0";
    unsigned char bytes[8];

    (void)state;
    memcpy(bytes, magic, 8);
    for (unsigned version = 0; version < 6; version++) {
        bytes[7] = (unsigned char)version;
        assert_int_equal(format_header_probe(bytes, 8), version >= 2);
    }
    assert_false(format_header_probe(bytes, 7));
    assert_false(format_header_probe(bytes, 0));
    bytes[0] = 'q';
    assert_false(format_header_probe(bytes, 8));
}

static void l1_entries_that_a_disk_needs(void **state)
{
    const struct format_header small = {.cluster_bits = 9, .cluster_bytes = 512, .l2_bits = 6};
    const struct format_header large = {
        .cluster_bits = 21, .cluster_bytes = 1 << 21, .l2_bits = 18};

    (void)state;
    assert_int_equal(format_l2_span(&small), 32 << 10);
    assert_int_equal(format_l1_needed(&small, 0), 0);
    assert_int_equal(format_l1_needed(&small, 512), 1);
    assert_int_equal(format_l1_needed(&small, 32 << 10), 1);
    assert_int_equal(format_l1_needed(&small, (32 << 10) + 512), 2);
    assert_int_equal(format_l2_span(&large), UINT64_C(1) << 39);
    assert_int_equal(format_l1_needed(&large, UINT64_C(2) << 60), 4194304); /* 2 EiB */
    assert_int_equal(format_l1_needed(&large, UINT64_MAX), UINT64_C(1) << 25);
}

static void a_copy_of_a_name_is_whole_and_apart(void **state)
{
    char bytes[] = "a\0b";
    const struct format_name none = {NULL, 7}, name = {bytes, 3};
    struct format_name copy = {NULL, 9};

    (void)state;
    assert_int_equal(format_name_copy(&none, &copy), 0);
    assert_null(copy.bytes);
    assert_int_equal(copy.len, 9); /* left as it was */
    assert_int_equal(format_name_copy(&name, &copy), 0);
    assert_ptr_not_equal(copy.bytes, bytes);
    assert_memory_equal(copy.bytes, "a\0b\0", 4);
    assert_int_equal(copy.len, 3);
    free(copy.bytes);
}

/* Of a length behind which no allocator leaves anything by chance. */
static void a_copy_of_a_name_has_room_for_its_end(void **state)
{
    char bytes[] = "123456789012345678901234";
    const struct format_name name = {bytes, 24};
    struct format_name copy = {NULL, 0};

    (void)state;
    assert_int_equal(format_name_copy(&name, &copy), 0);
    assert_true(malloc_usable_size(copy.bytes) >= 25);
    free(copy.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_of_a_name_is_whole_and_apart),
        cmocka_unit_test(a_copy_of_a_name_has_room_for_its_end),
        cmocka_unit_test(version_3_is_read),
        cmocka_unit_test(version_2_has_no_feature_bits),
        cmocka_unit_test(extended_l2_halves_the_entries),
        cmocka_unit_test(every_cluster_size_is_read),
        cmocka_unit_test(every_refcount_width_is_read),
        cmocka_unit_test(what_is_unusual_but_allowed_is_accepted),
        cmocka_unit_test(compression_type_and_its_bit_agree),
        cmocka_unit_test(a_version_3_header_of_104_bytes_has_no_compression_type),
        cmocka_unit_test(other_files_are_named),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(cluster_bits_outside_9_to_21_are_refused),
        cmocka_unit_test(a_header_length_outside_the_cluster_is_refused),
        cmocka_unit_test(a_file_cut_inside_its_header_is_refused),
        cmocka_unit_test(a_file_that_is_all_header_is_read),
        cmocka_unit_test(an_odd_header_length_is_told),
        cmocka_unit_test(a_size_of_no_whole_sectors_is_rounded_down),
        cmocka_unit_test(an_impossible_size_is_refused),
        cmocka_unit_test(an_l1_table_that_cannot_be_is_refused),
        cmocka_unit_test(a_bad_refcount_table_is_told),
        cmocka_unit_test(an_impossible_refcount_table_is_refused),
        cmocka_unit_test(unknown_encryption_is_refused),
        cmocka_unit_test(unknown_incompatible_bits_are_refused),
        cmocka_unit_test(an_unknown_bit_is_named_by_the_image),
        cmocka_unit_test(an_unknown_bit_goes_before_bad_extensions),
        cmocka_unit_test(dirty_and_corrupt_are_told),
        cmocka_unit_test(contradicting_features_are_refused),
        cmocka_unit_test(extended_l2_begins_with_16_kib_clusters),
        cmocka_unit_test(an_impossible_snapshot_table_is_refused),
        cmocka_unit_test(the_snapshot_table_is_not_read_here),
        cmocka_unit_test(a_backing_name_outside_the_cluster_is_refused),
        cmocka_unit_test(backing_names_are_kept_byte_by_byte),
        cmocka_unit_test(a_backing_name_may_end_with_the_cluster),
        cmocka_unit_test(an_odd_backing_name_is_told),
        cmocka_unit_test(a_failing_read_is_passed_on_wherever_it_fails),
        cmocka_unit_test(probing_looks_at_signature_and_version),
        cmocka_unit_test(l1_entries_that_a_disk_needs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
