// SPDX-License-Identifier: MIT
/*
 * Owns the fixed fields of the header: decodes them, checks each before anything is computed from
 * it. Never allocates or reads by a number that has not been compared with the file's length.
 */
#include "header.h"

#include "be.h"
#include "checked.h"
#include "err.h"
#include "extension.h"
#include "finding.h"
#include "io.h"
#include "refcount.h"
#include "size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_READ_BYTES 112 /* all fields that are known, and the padding behind them */

/* Signatures that people meet where they expect qcow2; offset 0 unless said. */
static const struct {
    const char *bytes;
    size_t len;
    const char *name;
} other_formats[] = {
    {"KDMV", 4, "VMDK"},
    {"COWD", 4, "VMDK"},
    {"# Disk DescriptorFile", 21, "a VMDK descriptor"},
    {"vhdxfile", 8, "VHDX"},
    {"conectix", 8, "VHD"},
    {"QED", 4, "QED"},
    {"LUKS\xba\xbe", 6, "a LUKS volume"},
    {"<<< ", 4, "VDI"},
};

static const char *guess_format(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < sizeof(other_formats) / sizeof(other_formats[0]); i++)
        if (len >= other_formats[i].len &&
            memcmp(bytes, other_formats[i].bytes, other_formats[i].len) == 0)
            return other_formats[i].name;
    return NULL;
}

static int not_qcow2(const unsigned char *bytes, uint64_t file_bytes, struct err *err)
{
    size_t len = file_bytes < HEADER_READ_BYTES ? (size_t)file_bytes : HEADER_READ_BYTES;
    const char *other = guess_format(bytes, len);

    if (file_bytes == 0)
        return err_set(err, EINVAL, "is not a qcow2 image: the file is empty");
    if (other != NULL)
        return err_set(err, EINVAL,
                       "is not a qcow2 image but %s; `qemu-img convert -O qcow2` makes one of it",
                       other);
    return err_set(err, EINVAL,
                   "is not a qcow2 image: it does not begin with the qcow2 signature%s",
                   file_bytes < 4 ? " (the file is too short for one)" : "");
}

bool format_header_probe(const unsigned char *bytes, size_t len)
{
    return len >= 8 && be32_load(bytes) == FORMAT_MAGIC && be32_load(bytes + 4) >= 2;
}

/* Signature, version and whether the fixed part is there at all. */
static int check_signature(const unsigned char *raw, uint64_t file_bytes,
                           struct format_header *header, struct err *err)
{
    uint64_t need;

    if (file_bytes < 4 || be32_load(raw + FORMAT_FIELD_MAGIC) != FORMAT_MAGIC)
        return not_qcow2(raw, file_bytes, err);
    header->version = be32_load(raw + FORMAT_FIELD_VERSION);
    if (file_bytes >= 8 && header->version == 1)
        return err_set(err, ENOTSUP,
                       "is a qcow image of version 1, not qcow2; `qemu-img convert -f qcow "
                       "-O qcow2` makes one of it");
    if (file_bytes >= 8 && header->version != 2 && header->version != 3)
        return err_set(err, ENOTSUP,
                       "header: version %" PRIu32 " of qcow2 is unknown; versions 2 and 3 are",
                       header->version);
    need = header->version == 2 ? FORMAT_HEADER_V2_BYTES : FORMAT_HEADER_V3_BYTES;
    if (file_bytes < need)
        return err_set(err, EINVAL,
                       "header: the file ends after %" PRIu64
                       " bytes, inside the header of %" PRIu64
                       "; it was cut short: restore it from a copy",
                       file_bytes, need);
    return 0;
}

static int decode_cluster_bits(const unsigned char *raw, struct format_header *header,
                               struct err *err)
{
    uint32_t bits = be32_load(raw + FORMAT_FIELD_CLUSTER_BITS);

    if (bits < FORMAT_CLUSTER_BITS_MIN || bits > FORMAT_CLUSTER_BITS_MAX)
        return err_set(err, EINVAL,
                       "header: cluster_bits is %" PRIu32 "; only %d to %d are allowed (512 bytes "
                       "to 2 MiB)",
                       bits, FORMAT_CLUSTER_BITS_MIN, FORMAT_CLUSTER_BITS_MAX);
    header->cluster_bits = bits;
    header->cluster_bytes = UINT64_C(1) << bits;
    return 0;
}

/* Version 2 ends at byte 72; what version 3 added has fixed values there. */
static int decode_version_3(const unsigned char *raw, struct format_header *header,
                            struct format_findings *findings, struct err *err)
{
    uint32_t order;
    const uint64_t place = FORMAT_FIELD_HEADER_LENGTH;

    if (header->version == 2) {
        header->header_bytes = FORMAT_HEADER_V2_BYTES;
        header->refcount_bits = 16;
        return 0;
    }
    header->header_bytes = be32_load(raw + FORMAT_FIELD_HEADER_LENGTH);
    if (header->header_bytes < FORMAT_HEADER_V3_BYTES ||
        header->header_bytes > header->cluster_bytes)
        return err_set(err, EINVAL,
                       "header: header_length is %" PRIu32 "; it must lie between %d and the "
                       "cluster size, %" PRIu64,
                       header->header_bytes, FORMAT_HEADER_V3_BYTES, header->cluster_bytes);
    if (header->header_bytes % 8 != 0)
        format_findings_add(findings, FORMAT_FINDING_HEADER_LENGTH_ODD, "header", &place,
                            "header_length is %" PRIu32 ", not a multiple of 8 as it should be",
                            header->header_bytes);
    header->incompatible = be64_load(raw + FORMAT_FIELD_INCOMPATIBLE);
    header->compatible = be64_load(raw + FORMAT_FIELD_COMPATIBLE);
    header->autoclear = be64_load(raw + FORMAT_FIELD_AUTOCLEAR);
    order = be32_load(raw + FORMAT_FIELD_REFCOUNT_ORDER);
    if (order > 6)
        return err_set(err, EINVAL, "header: refcount_order is %" PRIu32 "; at most 6 is allowed",
                       order);
    header->refcount_bits = 1u << order;
    return 0;
}

/* The type byte exists only in headers longer than 104, and must agree with the feature bit. */
static int decode_compression(const unsigned char *raw, struct format_header *header,
                              struct err *err)
{
    bool flagged = header->incompatible & FORMAT_INCOMPAT_COMPRESSION;
    unsigned type = header->header_bytes > FORMAT_FIELD_COMPRESSION ? raw[FORMAT_FIELD_COMPRESSION] : FORMAT_ZLIB;

    if (type > FORMAT_ZSTD)
        return err_set(err, ENOTSUP,
                       "header: compression type %u is unknown; zlib (0) and zstd (1) are", type);
    if (flagged != (type != FORMAT_ZLIB))
        return err_set(err, EINVAL,
                       "header: compression type %u contradicts incompatible feature bit 3, which "
                       "is %s",
                       type, flagged ? "set" : "clear");
    header->compression = type;
    return 0;
}

static int decode_features(const unsigned char *raw, struct format_header *header, struct err *err)
{
    uint32_t crypt = be32_load(raw + FORMAT_FIELD_CRYPT);
    int ret = decode_compression(raw, header, err);

    if (ret < 0)
        return ret;
    header->external_data = header->incompatible & FORMAT_INCOMPAT_DATA_FILE;
    header->extended_l2 = header->incompatible & FORMAT_INCOMPAT_EXTENDED_L2;
    if (header->extended_l2 && header->cluster_bits < 14)
        return err_set(err, EINVAL,
                       "header: extended L2 entries need clusters of 16 KiB or more; these have "
                       "%" PRIu64 " bytes",
                       header->cluster_bytes);
    if ((header->autoclear & FORMAT_AUTOCLEAR_DATA_FILE_RAW) && !header->external_data)
        return err_set(err, EINVAL,
                       "header: the feature bit \"raw external data\" is set on an image without "
                       "an external data file");
    if (crypt > FORMAT_CRYPT_LUKS)
        return err_set(err, ENOTSUP, "header: encryption method %" PRIu32 " is unknown", crypt);
    header->crypt = crypt;
    header->l2_entry_bytes = header->extended_l2 ? 16 : 8;
    header->l2_bits = header->cluster_bits - (header->extended_l2 ? 4 : 3);
    header->l2_entries = UINT32_C(1) << header->l2_bits;
    return 0;
}

uint64_t format_l1_needed(const struct format_header *header, uint64_t virtual_bytes)
{
    return div_round_up(virtual_bytes, format_l2_span(header));
}

static int decode_size(const unsigned char *raw, struct format_header *header,
                       struct format_findings *findings, struct err *err)
{
    uint64_t size = be64_load(raw + FORMAT_FIELD_SIZE);
    uint64_t needed = format_l1_needed(header, size);
    const uint64_t place = FORMAT_FIELD_SIZE;

    if (needed > FORMAT_L1_ENTRIES_MAX)
        return err_set(err, EFBIG,
                       "header: a virtual size of %" PRIu64 " bytes needs more L1 entries than "
                       "the format allows with %" PRIu64 "-byte clusters",
                       size, header->cluster_bytes);
    if (needed > header->l1_entries)
        return err_set(err, EINVAL,
                       "header: the L1 table has %" PRIu32 " %s, but a virtual size of "
                       "%" PRIu64 " %s needs %" PRIu64,
                       header->l1_entries, size_noun(header->l1_entries, "entry", "entries"), size,
                       size_noun(size, "byte", "bytes"), needed);
    if (size % 512 != 0)
        format_findings_add(findings, FORMAT_FINDING_SIZE_UNALIGNED, "header", &place,
                            "the virtual size, %" PRIu64 " %s, is no multiple of 512; QEMU "
                            "ignores the rest, and so do the figures",
                            size, size_noun(size, "byte", "bytes"));
    header->virtual_bytes = size & ~UINT64_C(511);
    return 0;
}

/* Alignment and overflow, as for every table that the header points to. */
static int check_table(const char *name, uint64_t off, uint64_t len_bytes,
                       const struct format_header *header, struct err *err)
{
    if (!is_aligned(off, header->cluster_bytes))
        return err_set(err, EINVAL,
                       "header: the %s at offset 0x%" PRIx64 " does not start at a cluster", name,
                       off);
    if (off > INT64_MAX || len_bytes > INT64_MAX - off)
        return err_set(err, EINVAL,
                       "header: the %s at offset 0x%" PRIx64 " lies outside any possible file",
                       name, off);
    return 0;
}

static int decode_l1(struct io *io, const unsigned char *raw, uint64_t file_bytes,
                     struct format_header *header, struct err *err)
{
    uint64_t len_bytes;
    bool cut;
    int ret;

    header->l1_entries = be32_load(raw + FORMAT_FIELD_L1_ENTRIES);
    header->l1_off = be64_load(raw + FORMAT_FIELD_L1_OFF);
    len_bytes = (uint64_t)header->l1_entries * 8;
    if (header->l1_entries > FORMAT_L1_ENTRIES_MAX)
        return err_set(err, EFBIG,
                       "header: the L1 table has %" PRIu32 " entries; at most %" PRIu32
                       " are allowed",
                       header->l1_entries, FORMAT_L1_ENTRIES_MAX);
    ret = check_table("L1 table", header->l1_off, len_bytes, header, err);
    if (ret < 0 || header->l1_entries == 0)
        return ret;
    if (header->l1_off == 0)
        return err_set(err, EINVAL,
                       "header: the L1 table overlaps the header (offset 0); the "
                       "image is damaged: restore it from a copy");
    if (checked_inside(header->l1_off, len_bytes, file_bytes))
        return 0;
    ret = format_refcounts_cut(io, file_bytes, header, &cut, err);
    if (ret < 0)
        return ret;
    return err_set(err, EINVAL,
                   "header: the L1 table (%" PRIu64 " bytes at offset 0x%" PRIx64
                   ") %s the end of the file at 0x%" PRIx64 "; %s: restore it from a copy",
                   len_bytes, header->l1_off,
                   header->l1_off < file_bytes || cut ? "reaches past" : "lies behind", file_bytes,
                   cut ? "the file was cut short"
                       : "no refcount tells of anything there, so the image was written so, or its "
                         "header is damaged; QEMU reads what is missing of the table as empty");
}

/* Measuring never reads the refcounts, so what is wrong here is only told. */
static int decode_reftable(const unsigned char *raw, uint64_t file_bytes,
                           struct format_header *header, struct format_findings *findings,
                           struct err *err)
{
    uint64_t len_bytes, place = FORMAT_FIELD_REFTABLE_OFF;
    int ret;

    header->reftable_off = be64_load(raw + FORMAT_FIELD_REFTABLE_OFF);
    header->reftable_clusters = be32_load(raw + FORMAT_FIELD_REFTABLE_CLUSTERS);
    len_bytes = (uint64_t)header->reftable_clusters << header->cluster_bits;
    if (header->reftable_clusters == 0) {
        format_findings_add(findings, FORMAT_FINDING_REFTABLE_MISSING, "header", &place,
                            "there is no refcount table; `qemu-img check -r all` makes a new one");
        return 0;
    }
    if (len_bytes > FORMAT_REFTABLE_BYTES_MAX)
        return err_set(err, EFBIG,
                       "header: the refcount table has %" PRIu32 " clusters, more than the 8 MiB "
                       "that are allowed",
                       header->reftable_clusters);
    ret = check_table("refcount table", header->reftable_off, len_bytes, header, err);
    if (ret < 0)
        return ret;
    if (header->reftable_off == 0 || !checked_inside(header->reftable_off, len_bytes, file_bytes))
        format_findings_add(findings, FORMAT_FINDING_REFTABLE_PAST_END, "header", &place,
                            "the refcount table at offset 0x%" PRIx64 " %s; the figures do not "
                            "depend on it, but do not write to this image",
                            header->reftable_off,
                            header->reftable_off == 0 ? "overlaps the header"
                                                      : "reaches past the end of the file");
    return 0;
}

/* What is judged here keeps QEMU from opening an image; the table itself, snapshot.c judges. */
static int decode_snapshots(const unsigned char *raw, struct format_header *header, struct err *err)
{
    int ret;

    header->n_snapshots = be32_load(raw + FORMAT_FIELD_N_SNAPSHOTS);
    header->snapshots_off = be64_load(raw + FORMAT_FIELD_SNAPSHOTS_OFF);
    if (header->n_snapshots > FORMAT_SNAPSHOTS_MAX)
        return err_set(err, EFBIG,
                       "header: %" PRIu32 " internal snapshots; at most %" PRIu32 " are allowed",
                       header->n_snapshots, FORMAT_SNAPSHOTS_MAX);
    ret = check_table("snapshot table", header->snapshots_off, 0, header, err);
    if (ret < 0 || header->n_snapshots == 0)
        return ret;
    if (header->external_data)
        return err_set(err, EINVAL,
                       "header: the image has an external data file and %" PRIu32
                       " internal %s, which exclude each other",
                       header->n_snapshots, size_noun(header->n_snapshots, "snapshot", "snapshots"));
    return 0;
}

static void tell_state(const struct format_header *header, struct format_findings *findings)
{
    const uint64_t place = FORMAT_FIELD_INCOMPATIBLE;

    if (header->incompatible & FORMAT_INCOMPAT_DIRTY)
        format_findings_add(findings, FORMAT_FINDING_DIRTY, "header", &place,
                            "the image was not closed cleanly, or is in use: its mapping is valid, "
                            "its refcounts may be stale");
    if (header->incompatible & FORMAT_INCOMPAT_CORRUPT)
        format_findings_add(findings, FORMAT_FINDING_CORRUPT, "header", &place,
                            "QEMU marked this image as corrupt: it refuses to write to it until "
                            "`qemu-img check -r all` has repaired it");
}

static int check_backing(const struct format_backing *backing, const struct format_header *header,
                         struct err *err)
{
    if (backing->name_off <= header->cluster_bytes)
        return 0;
    return err_set(err, EINVAL,
                   "header: the backing file name at offset 0x%" PRIx64 " lies outside the first "
                   "cluster",
                   backing->name_off);
}

static int decode(struct io *io, const unsigned char *raw, uint64_t file_bytes,
                  struct format_header *header, struct format_findings *findings, struct err *err)
{
    struct format_backing backing = {.name_off = be64_load(raw + FORMAT_FIELD_BACKING_OFF),
                                     .name_bytes = be32_load(raw + FORMAT_FIELD_BACKING_SIZE)};
    int ret;

    ret = check_signature(raw, file_bytes, header, err)
              ?: decode_cluster_bits(raw, header, err)
              ?: decode_version_3(raw, header, findings, err)
              ?: check_backing(&backing, header, err)
              ?: format_unknown_features(io, header, backing.name_off, err)
              ?: decode_features(raw, header, err)
              ?: decode_reftable(raw, file_bytes, header, findings, err)
              ?: decode_snapshots(raw, header, err)
              ?: decode_l1(io, raw, file_bytes, header, err)
              ?: decode_size(raw, header, findings, err)
              ?: format_extensions_read(io, file_bytes, backing, header, findings, err);
    if (ret == 0)
        tell_state(header, findings);
    return ret;
}

/* Who found the damage names the place; the cure is the same for all of it. */
static void add_cure(struct err *err)
{
    size_t used = strlen(err->text);

    if ((err->code == EINVAL || err->code == EFBIG) && strncmp(err->text, "header", 6) == 0 &&
        strstr(err->text, "restore it") == NULL)
        snprintf(err->text + used, sizeof(err->text) - used,
                 "; the image is damaged: restore it from a copy");
}

int format_header_read(struct io *io, uint64_t file_bytes, struct format_header *header,
                       struct format_findings *findings, struct err *err)
{
    unsigned char raw[HEADER_READ_BYTES];
    int ret = io_read(io, 0, raw, sizeof(raw), err);

    memset(header, 0, sizeof(*header));
    if (ret == 0)
        ret = decode(io, raw, file_bytes, header, findings, err);
    if (ret < 0) {
        add_cure(err);
        format_header_free(header);
    }
    return ret;
}

const char *format_crypt_name(enum format_crypt crypt)
{
    static const char *const names[] = {
        [FORMAT_CRYPT_NONE] = "none", [FORMAT_CRYPT_AES] = "aes", [FORMAT_CRYPT_LUKS] = "luks"};

    return names[crypt];
}

const char *format_compression_name(enum format_compression compression)
{
    return compression == FORMAT_ZSTD ? "zstd" : "zlib";
}

void format_header_free(struct format_header *header)
{
    free(header->backing_file.bytes);
    free(header->backing_format.bytes);
    free(header->data_file.bytes);
    memset(header, 0, sizeof(*header));
}
