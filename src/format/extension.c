// SPDX-License-Identifier: MIT
/*
 * Owns the way through the header extensions. It ends: each goes forward by at least the eight
 * bytes of an extension's head, and the area is at most one cluster. Reads names, opens nothing.
 */
#include "extension.h"

#include "be.h"
#include "checked.h"
#include "err.h"
#include "finding.h"
#include "header.h"
#include "io.h"
#include "size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum extension_magic {
    EXTENSION_END = 0,
    EXTENSION_BACKING_FORMAT = 0xe2792aca,
    EXTENSION_DATA_FILE = 0x44415441,
    EXTENSION_FEATURES = 0x6803f857,
    EXTENSION_CRYPTO = 0x0537be77,
    EXTENSION_BITMAPS = 0x23852875,
};

#define LUKS_HEADER_BYTES_MIN 592 /* struct luks_phdr of version 1 */
#define FEATURE_ENTRY_BYTES 48    /* type 1, bit 1, name 46 */
#define FEATURE_NAME_BYTES 46

struct extension {
    uint32_t magic;
    uint32_t len_bytes;
    uint64_t head_off; /* host offset of the 8-byte head; the data follow it */
};

struct area {
    struct io *io;
    uint64_t off; /* of the next head */
    uint64_t end; /* of the area: the backing file name, or the first cluster's end */
};

static struct area area_begin(struct io *io, const struct format_header *header,
                              uint64_t backing_name_off)
{
    return (struct area){io, header->header_bytes,
                         backing_name_off != 0 ? backing_name_off : header->cluster_bytes};
}

/* 1 with the next extension, 0 at the end of the area or of the list, or a negative error. */
static int area_next(struct area *area, struct extension *extension, struct err *err)
{
    unsigned char head[8];
    uint64_t data_off;
    int ret;

    if (area->off >= area->end)
        return 0;
    ret = io_read(area->io, area->off, head, sizeof(head), err);
    if (ret < 0)
        return ret;
    *extension = (struct extension){be32_load(head), be32_load(head + 4), area->off};
    if (extension->magic == EXTENSION_END)
        return 0;
    data_off = area->off + sizeof(head);
    if (!checked_inside(data_off, extension->len_bytes, area->end))
        return err_set(err, EINVAL,
                       "header extension 0x%08" PRIx32 " at offset 0x%" PRIx64 ": its %" PRIu32
                       " bytes reach past the end of the header area at 0x%" PRIx64,
                       extension->magic, extension->head_off, extension->len_bytes, area->end);
    area->off = data_off + ((uint64_t)extension->len_bytes + 7) / 8 * 8;
    return 1;
}

/* Replaces @name; at most @max bytes are kept. */
static int read_name(struct io *io, uint64_t off, size_t len, size_t max, struct format_name *name,
                     struct err *err)
{
    size_t keep = len < max ? len : max;
    char *bytes = malloc(keep + 1);
    int ret;

    if (bytes == NULL)
        return err_no_memory(err);
    ret = io_read(io, off, bytes, keep, err);
    if (ret < 0) {
        free(bytes);
        return ret;
    }
    bytes[keep] = '\0';
    free(name->bytes);
    *name = (struct format_name){bytes, keep};
    return 0;
}

/* Looks in one feature name table for the incompatible feature @bit. */
static int find_feature_name(struct io *io, const struct extension *table, unsigned bit,
                             char name[FEATURE_NAME_BYTES + 1], struct err *err)
{
    for (uint32_t at = 0; at + FEATURE_ENTRY_BYTES <= table->len_bytes; at += FEATURE_ENTRY_BYTES) {
        unsigned char entry[FEATURE_ENTRY_BYTES];
        int ret = io_read(io, table->head_off + 8 + at, entry, sizeof(entry), err);

        if (ret < 0)
            return ret;
        if (entry[0] == 0 && entry[1] == bit) { /* type 0: incompatible */
            memcpy(name, entry + 2, FEATURE_NAME_BYTES);
            name[FEATURE_NAME_BYTES] = '\0';
        }
    }
    return 0;
}

int format_unknown_features(struct io *io, const struct format_header *header,
                            uint64_t backing_name_off, struct err *err)
{
    uint64_t unknown = header->incompatible & ~(uint64_t)FORMAT_INCOMPAT_KNOWN;
    struct area area = area_begin(io, header, backing_name_off);
    char name[FEATURE_NAME_BYTES + 1] = "";
    struct extension extension;
    struct err unnamed = {0}; /* a broken extension area must not hide what matters more */
    unsigned bit;

    if (unknown == 0)
        return 0;
    bit = (unsigned)__builtin_ctzll(unknown);
    while (area_next(&area, &extension, &unnamed) == 1)
        if (extension.magic == EXTENSION_FEATURES &&
            find_feature_name(io, &extension, bit, name, &unnamed) < 0)
            break;
    for (char *c = name; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    return err_set(err, ENOTSUP,
                   "header: incompatible feature bit %u%s%s%s is unknown to this version; the "
                   "image cannot be read without knowing what it means",
                   bit, *name != '\0' ? " (\"" : "", name, *name != '\0' ? "\")" : "");
}

/* The length must be 24; what the directory holds is checked by those who read bitmaps. */
static int read_bitmaps(struct io *io, uint64_t file_bytes, const struct extension *extension,
                        struct format_header *header, struct format_findings *findings,
                        struct err *err)
{
    unsigned char raw[24];
    uint64_t directory_off, directory_bytes;
    uint32_t n;
    int ret;

    if (!(header->autoclear & FORMAT_AUTOCLEAR_BITMAPS)) {
        format_findings_add(findings, FORMAT_FINDING_BITMAPS, "header extension",
                            &extension->head_off,
                            "there are bitmaps, but a program that does not know them has written "
                            "to the image since: their contents are no longer valid");
        header->stale_bitmaps_off = extension->len_bytes == sizeof(raw) ? extension->head_off : 0;
        return 0;
    }
    if (extension->len_bytes != sizeof(raw)) {
        format_findings_add(findings, FORMAT_FINDING_BITMAPS, "header extension",
                            &extension->head_off,
                            "the bitmaps extension has %" PRIu32 " %s instead of 24; QEMU "
                            "refuses such an image",
                            extension->len_bytes, size_noun(extension->len_bytes, "byte", "bytes"));
        header->bitmaps_invalid = true;
        return 0;
    }
    ret = io_read(io, extension->head_off + 8, raw, sizeof(raw), err);
    if (ret < 0)
        return ret;
    n = be32_load(raw);
    directory_bytes = be64_load(raw + 8);
    directory_off = be64_load(raw + 16);
    if (n == 0 || n > FORMAT_BITMAPS_MAX || be32_load(raw + 4) != 0 || directory_bytes == 0 ||
        directory_bytes > FORMAT_BITMAP_DIRECTORY_BYTES_MAX || directory_off == 0 ||
        !is_aligned(directory_off, header->cluster_bytes) ||
        !checked_inside(directory_off, directory_bytes, file_bytes)) {
        format_findings_add(findings, FORMAT_FINDING_BITMAPS, "header extension",
                            &extension->head_off,
                            "the bitmaps extension is invalid (%" PRIu32 " %s, directory at "
                            "0x%" PRIx64 "); QEMU refuses such an image",
                            n, size_noun(n, "bitmap", "bitmaps"), directory_off);
        header->bitmaps_invalid = true;
        return 0;
    }
    header->n_bitmaps = n;
    header->bitmaps_off = directory_off;
    header->bitmaps_word = extension->head_off + 24; /* behind number and size */
    header->bitmaps_bytes = directory_bytes;
    return 0;
}

static int read_crypto(struct io *io, uint64_t file_bytes, const struct extension *extension,
                       struct format_header *header, struct format_findings *findings,
                       struct err *err)
{
    unsigned char raw[16] = {0};
    const char *problem = NULL;
    uint64_t off, len;
    int ret = extension->len_bytes == sizeof(raw)
                  ? io_read(io, extension->head_off + 8, raw, sizeof(raw), err)
                  : 0;

    if (ret < 0)
        return ret;
    off = be64_load(raw);
    len = be64_load(raw + 8);
    if (header->crypt != FORMAT_CRYPT_LUKS)
        problem = "there is a LUKS header extension, but the image is not LUKS encrypted";
    else if (extension->len_bytes != sizeof(raw))
        problem = "the LUKS header extension does not have 16 bytes";
    else if (off == 0 || !is_aligned(off, header->cluster_bytes))
        problem = "the LUKS header does not begin at a cluster";
    else if (len < LUKS_HEADER_BYTES_MIN)
        problem = "the LUKS header is too short to be one";
    else if (!checked_inside(off, len, file_bytes))
        problem = "the LUKS header reaches past the end of the file";
    if (problem != NULL) {
        format_findings_add(findings, FORMAT_FINDING_CRYPTO_HEADER, "header extension",
                            &extension->head_off, "%s", problem);
        return 0;
    }
    header->luks_off = off;
    header->luks_word = extension->head_off + 8;
    header->luks_bytes = len;
    return 0;
}

static int read_one(struct io *io, uint64_t file_bytes, const struct extension *extension,
                    struct format_header *header, struct format_findings *findings, struct err *err)
{
    uint64_t data_off = extension->head_off + 8;

    switch (extension->magic) {
    case EXTENSION_BACKING_FORMAT:
        if (header->backing_format.bytes != NULL)
            format_findings_add(findings, FORMAT_FINDING_BACKING_FORMAT, "header extension",
                                &extension->head_off,
                                "the backing format is given twice; the last one counts");
        if (extension->len_bytes > FORMAT_BACKING_FORMAT_MAX)
            format_findings_add(findings, FORMAT_FINDING_BACKING_FORMAT, "header extension",
                                &extension->head_off,
                                "the backing format has %" PRIu32 " bytes; QEMU refuses more than "
                                "%d",
                                extension->len_bytes, FORMAT_BACKING_FORMAT_MAX);
        return read_name(io, data_off, extension->len_bytes, FORMAT_BACKING_FORMAT_MAX,
                         &header->backing_format, err);
    case EXTENSION_DATA_FILE:
        if (!header->external_data)
            return 0;
        return read_name(io, data_off, extension->len_bytes, FORMAT_DATA_FILE_NAME_MAX,
                         &header->data_file, err);
    case EXTENSION_CRYPTO:
        return read_crypto(io, file_bytes, extension, header, findings, err);
    case EXTENSION_BITMAPS:
        return read_bitmaps(io, file_bytes, extension, header, findings, err);
    case EXTENSION_FEATURES:
        return 0;
    default:
        header->unknown_extensions = true; /* whatever others keep there */
        return 0;
    }
}

static int read_backing_name(struct io *io, struct format_backing backing,
                             struct format_header *header, struct format_findings *findings,
                             struct err *err)
{
    struct format_name *name = &header->backing_file;
    uint64_t room = header->cluster_bytes - backing.name_off;
    int ret;

    if (backing.name_off == 0)
        return 0;
    if (room > FORMAT_BACKING_NAME_MAX)
        room = FORMAT_BACKING_NAME_MAX;
    if (backing.name_bytes > room)
        return err_set(err, EINVAL,
                       "header: the backing file name has %" PRIu32 " %s; at most %" PRIu64
                       " are allowed at offset 0x%" PRIx64,
                       backing.name_bytes, size_noun(backing.name_bytes, "byte", "bytes"), room,
                       backing.name_off);
    if (backing.name_bytes == 0 || backing.name_off < header->header_bytes)
        format_findings_add(findings, FORMAT_FINDING_BACKING_NAME, "header", &backing.name_off,
                            backing.name_bytes == 0 ? "the backing file name is empty"
                                                    : "the backing file name lies in the header");
    if (backing.name_bytes == 0)
        return 0;
    ret = read_name(io, backing.name_off, backing.name_bytes, FORMAT_BACKING_NAME_MAX, name, err);
    if (ret == 0 && memchr(name->bytes, '\0', name->len) != NULL)
        format_findings_add(findings, FORMAT_FINDING_BACKING_NAME, "header", &backing.name_off,
                            "the backing file name holds a NUL byte; QEMU takes what stands "
                            "before it");
    return ret;
}

/* What should have come with an extension and did not. */
static void tell_missing(const struct format_header *header, bool seen_crypto, bool seen_bitmaps,
                         struct format_findings *findings)
{
    if (header->crypt == FORMAT_CRYPT_LUKS && !seen_crypto)
        format_findings_add(findings, FORMAT_FINDING_CRYPTO_HEADER, "header", NULL,
                            "the image is LUKS encrypted, but says nowhere where its LUKS header "
                            "is; QEMU cannot open it");
    if ((header->autoclear & FORMAT_AUTOCLEAR_BITMAPS) && !seen_bitmaps)
        format_findings_add(findings, FORMAT_FINDING_BITMAPS, "header", NULL,
                            "the feature bit for bitmaps is set, but there are none");
    if (header->external_data && header->data_file.bytes == NULL)
        format_findings_add(findings, FORMAT_FINDING_DATA_FILE_NAME, "header", NULL,
                            "the guest's data are in another file, but its name is missing; QEMU "
                            "needs it given as data-file");
}

int format_extensions_read(struct io *io, uint64_t file_bytes, struct format_backing backing,
                           struct format_header *header, struct format_findings *findings,
                           struct err *err)
{
    struct area area = area_begin(io, header, backing.name_off);
    bool seen_crypto = false, seen_bitmaps = false;
    struct extension extension;
    int ret;

    while ((ret = area_next(&area, &extension, err)) == 1) {
        seen_crypto |= extension.magic == EXTENSION_CRYPTO;
        seen_bitmaps |= extension.magic == EXTENSION_BITMAPS;
        ret = read_one(io, file_bytes, &extension, header, findings, err);
        if (ret < 0)
            break;
    }
    if (ret == 0)
        ret = read_backing_name(io, backing, header, findings, err);
    if (ret == 0)
        tell_missing(header, seen_crypto, seen_bitmaps, findings);
    return ret;
}
