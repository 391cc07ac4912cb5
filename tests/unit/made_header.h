/* SPDX-License-Identifier: MIT */
/*
 * A sound image of six clusters, of which a test changes a few bytes; and what must come of opening
 * it: a header, a refusal in these words, or a finding.
 */
#ifndef UNIT_MADE_HEADER_H
#define UNIT_MADE_HEADER_H

#include "finding.h"
#include "header.h"
#include "io_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CLUSTER 65536u
#define FILE_BYTES (6 * CLUSTER)
#define VIRTUAL (UINT64_C(1) << 30) /* two L2 tables */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned char image[FILE_BYTES];

/* ---- how an image is made ---- */

static inline void make_version_3(void)
{
    memset(image, 0, sizeof(image));
    memcpy(image, "QFI\xfb", 4);
    put_be32(image + 4, 3);
    put_be32(image + 20, 16); /* cluster_bits */
    put_be64(image + 24, VIRTUAL);
    put_be32(image + 36, 2);           /* L1 entries */
    put_be64(image + 40, 3 * CLUSTER); /* L1 */
    put_be64(image + 48, CLUSTER);     /* refcount table */
    put_be32(image + 56, 1);           /* its clusters */
    put_be32(image + 96, 4);           /* refcount_order */
    put_be32(image + 100, 112);        /* header_length */
}

static inline void make_version_2(void)
{
    make_version_3();
    put_be32(image + 4, 2);
    memset(image + 72, 0, 40);
}

#define EXTENSION_BACKING_FORMAT UINT32_C(0xe2792aca)
#define EXTENSION_DATA_FILE UINT32_C(0x44415441)
#define EXTENSION_FEATURES UINT32_C(0x6803f857)
#define EXTENSION_CRYPTO UINT32_C(0x0537be77)
#define EXTENSION_BITMAPS UINT32_C(0x23852875)
#define EXTENSION_UNKNOWN UINT32_C(0x12345678)

/* Returns where the next one belongs. */
static inline size_t put_extension(size_t at, uint32_t magic, const void *data, uint32_t len)
{
    put_be32(image + at, magic);
    put_be32(image + at + 4, len);
    memcpy(image + at + 8, data, len);
    return at + 8 + (len + 7) / 8 * 8;
}

struct change {
    unsigned bytes; /* 0: no change */
    unsigned at;
    uint64_t value;
};

#define BYTE(at, value)                                                                            \
    {                                                                                              \
        1, at, value                                                                               \
    }
#define BE32(at, value)                                                                            \
    {                                                                                              \
        4, at, value                                                                               \
    }
#define BE64(at, value)                                                                            \
    {                                                                                              \
        8, at, value                                                                               \
    }

static inline void apply(const struct change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct change *change = &changes[i];

        if (change->bytes == 1)
            image[change->at] = (unsigned char)change->value;
        else if (change->bytes == 4)
            put_be32(image + change->at, (uint32_t)change->value);
        else if (change->bytes == 8)
            put_be64(image + change->at, change->value);
    }
}

/* ---- what must come of it ---- */

struct opened {
    struct format_header header;
    struct format_findings findings;
    struct err err;
    int ret;
};

static inline struct opened open_bytes(const void *bytes, size_t len)
{
    struct io_memory memory = io_memory_of(bytes, len);
    struct opened opened = {.ret = 0};

    /* What was there before must not matter. */
    memset(&opened.header, 0xa5, sizeof(opened.header));
    opened.ret = format_header_read(&memory.io, len, &opened.header, &opened.findings, &opened.err);
    return opened;
}

static inline struct opened open_image(void)
{
    return open_bytes(image, sizeof(image));
}

static inline void release(struct opened *opened)
{
    format_header_free(&opened->header);
    format_findings_free(&opened->findings);
}

static inline void assert_refused(struct opened *opened, int code, const char *words)
{
    if (opened->ret == 0)
        fail_msg("accepted, instead of: %s", words);
    assert_int_equal(opened->ret, -code);
    assert_int_equal(opened->err.code, code);
    if (strstr(opened->err.text, words) == NULL)
        fail_msg("\"%s\" does not say: %s", opened->err.text, words);
    /* Nothing to free. */
    assert_null(opened->header.backing_file.bytes);
    assert_null(opened->header.backing_format.bytes);
    assert_null(opened->header.data_file.bytes);
    format_findings_free(&opened->findings);
}

static inline void assert_accepted(struct opened *opened)
{
    if (opened->ret < 0)
        fail_msg("refused: %s", opened->err.text);
    assert_int_equal(opened->ret, 0);
    assert_int_equal(opened->err.code, 0);
    if (opened->findings.total > 0)
        fail_msg("a finding: %s", opened->findings.list[0].message);
    release(opened);
}

/* One finding, of this code, with these words, at this place. */
static inline void assert_found(struct opened *opened, enum format_finding_code code,
                                const char *words, uint64_t place)
{
    if (opened->ret < 0)
        fail_msg("refused: %s", opened->err.text);
    if (opened->findings.total != 1)
        fail_msg("%" PRIu64 " findings, instead of: %s", opened->findings.total, words);
    assert_string_equal(format_finding_name(opened->findings.list[0].code),
                        format_finding_name(code));
    if (strstr(opened->findings.list[0].message, words) == NULL)
        fail_msg("\"%s\" does not say: %s", opened->findings.list[0].message, words);
    if (opened->findings.list[0].has_host_off)
        assert_int_equal(opened->findings.list[0].host_off, place);
    release(opened);
}

struct refusal {
    struct change changes[4];
    int code;
    const char *words;
};

static inline void check_refusals(const struct refusal *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct opened opened;

        make_version_3();
        apply(cases[i].changes, COUNT(cases[i].changes));
        opened = open_image();
        assert_refused(&opened, cases[i].code, cases[i].words);
    }
}

struct observation {
    struct change changes[4];
    enum format_finding_code code;
    const char *words;
    uint64_t place;
};

static inline void check_findings(const struct observation *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct opened opened;

        make_version_3();
        apply(cases[i].changes, COUNT(cases[i].changes));
        opened = open_image();
        assert_found(&opened, cases[i].code, cases[i].words, cases[i].place);
    }
}

static inline void check_accepted(const struct change (*cases)[4], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct opened opened;

        make_version_3();
        apply(cases[i], 4);
        opened = open_image();
        assert_accepted(&opened);
    }
}

static inline void assert_name(const struct format_name *name, const char *bytes, size_t len)
{
    assert_non_null(name->bytes);
    assert_int_equal(name->len, len);
    assert_memory_equal(name->bytes, bytes, len);
    assert_int_equal(name->bytes[len], '\0');
}

#endif
