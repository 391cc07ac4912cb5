/* SPDX-License-Identifier: MIT */
/*
 * The first cluster of a qcow2 image: header, header extensions and the names they carry.
 *
 * The checks, their order and their limits are those of QEMU's own open (block/qcow2.c,
 * qcow2_do_open), with two differences: what QEMU lets pass although no figure could be true (an L1
 * table outside the file) is an error here, and what hinders only writing (a missing refcount
 * table) is a finding.
 */
#ifndef FORMAT_HEADER_H
#define FORMAT_HEADER_H

#include "entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_findings;
struct io;

#define FORMAT_MAGIC UINT32_C(0x514649fb) /* "QFI\xfb" */
#define FORMAT_HEADER_V2_BYTES 72
#define FORMAT_HEADER_V3_BYTES 104 /* the least that version 3 allows */
#define FORMAT_CLUSTER_BITS_MIN 9
#define FORMAT_CLUSTER_BITS_MAX 21

/* QCOW_MAX_L1_SIZE: 32 MiB of 8-byte entries, enough for 2 EiB with 2 MiB clusters. */
#define FORMAT_L1_ENTRIES_MAX (UINT32_C(32) << 20 >> 3)
/* QCOW_MAX_REFTABLE_SIZE */
#define FORMAT_REFTABLE_BYTES_MAX (UINT64_C(8) << 20)
#define FORMAT_SNAPSHOTS_MAX UINT32_C(65536)
#define FORMAT_BITMAPS_MAX UINT32_C(65535)
/* QCOW2_MAX_BITMAP_DIRECTORY_SIZE: 1 KiB for each. */
#define FORMAT_BITMAP_DIRECTORY_BYTES_MAX (UINT64_C(1024) * FORMAT_BITMAPS_MAX)
#define FORMAT_BACKING_NAME_MAX 1023
/* QEMU keeps a format name in 16 bytes. */
#define FORMAT_BACKING_FORMAT_MAX 15
/* PATH_MAX; QEMU sets no limit of its own. */
#define FORMAT_DATA_FILE_NAME_MAX 4096

/* A rewrite puts L2 tables together in front from this cluster size on, below it each before what it
 * maps: those who plan one and those who foretell it agree on that. */
#define FORMAT_L2_IN_FRONT_BYTES (UINT64_C(64) << 10)

static inline bool format_l2_in_front(uint64_t cluster_bytes)
{
    return cluster_bytes >= FORMAT_L2_IN_FRONT_BYTES;
}

/* Where each field lies; all are big endian (QEMU docs/interop/qcow2.txt). */
enum format_field {
    FORMAT_FIELD_MAGIC = 0,
    FORMAT_FIELD_VERSION = 4,
    FORMAT_FIELD_BACKING_OFF = 8,
    FORMAT_FIELD_BACKING_SIZE = 16,
    FORMAT_FIELD_CLUSTER_BITS = 20,
    FORMAT_FIELD_SIZE = 24,
    FORMAT_FIELD_CRYPT = 32,
    FORMAT_FIELD_L1_ENTRIES = 36,
    FORMAT_FIELD_L1_OFF = 40,
    FORMAT_FIELD_REFTABLE_OFF = 48,
    FORMAT_FIELD_REFTABLE_CLUSTERS = 56,
    FORMAT_FIELD_N_SNAPSHOTS = 60,
    FORMAT_FIELD_SNAPSHOTS_OFF = 64,
    FORMAT_FIELD_INCOMPATIBLE = 72,
    FORMAT_FIELD_COMPATIBLE = 80,
    FORMAT_FIELD_AUTOCLEAR = 88,
    FORMAT_FIELD_REFCOUNT_ORDER = 96,
    FORMAT_FIELD_HEADER_LENGTH = 100,
    FORMAT_FIELD_COMPRESSION = 104,
};

enum format_incompatible {
    FORMAT_INCOMPAT_DIRTY = 1 << 0,
    FORMAT_INCOMPAT_CORRUPT = 1 << 1,
    FORMAT_INCOMPAT_DATA_FILE = 1 << 2,
    FORMAT_INCOMPAT_COMPRESSION = 1 << 3,
    FORMAT_INCOMPAT_EXTENDED_L2 = 1 << 4,
    FORMAT_INCOMPAT_KNOWN = (1 << 5) - 1,
};

enum format_compatible {
    FORMAT_COMPAT_LAZY_REFCOUNTS = 1 << 0,
};

enum format_autoclear {
    FORMAT_AUTOCLEAR_BITMAPS = 1 << 0,
    FORMAT_AUTOCLEAR_DATA_FILE_RAW = 1 << 1,
};

enum format_crypt { FORMAT_CRYPT_NONE, FORMAT_CRYPT_AES, FORMAT_CRYPT_LUKS };
enum format_compression { FORMAT_ZLIB, FORMAT_ZSTD };

/* A name from inside the image: bytes of a stranger. @bytes is NULL when there is none. */
struct format_name {
    char *bytes; /* followed by a NUL that is not counted */
    size_t len;
};

/* The copy is the caller's to free. A name that is not there (NULL) stays so. 0 or -ENOMEM. */
int format_name_copy(const struct format_name *from, struct format_name *to);

struct format_header {
    uint32_t version;       /* 2 or 3 */
    unsigned cluster_bits;  /* 9 .. 21 */
    uint64_t cluster_bytes; /* 1 << cluster_bits */
    uint64_t virtual_bytes; /* rounded down to 512, as QEMU does */
    uint32_t header_bytes;  /* 72 in version 2 */
    uint64_t incompatible;  /* 0 in version 2, like the next two */
    uint64_t compatible;
    uint64_t autoclear;
    unsigned refcount_bits; /* 1, 2, 4 .. 64 */
    enum format_crypt crypt;
    enum format_compression compression;
    bool extended_l2;
    bool external_data;      /* guest clusters live in another file */
    unsigned l2_entry_bytes; /* 8, or 16 with extended L2 */
    unsigned l2_bits;        /* log2 of the entries in an L2 table */
    uint32_t l2_entries;     /* 1 << l2_bits */
    uint64_t l1_off;         /* host offset; the table lies wholly inside the file */
    uint32_t l1_entries;     /* as stored: may exceed what the disk needs (VM state) */
    uint64_t reftable_off;   /* host offset; not yet compared with the file */
    uint32_t reftable_clusters;
    uint64_t snapshots_off; /* host offset */
    uint32_t n_snapshots;
    uint32_t n_bitmaps;         /* 0 when there are none that are valid */
    bool bitmaps_invalid;       /* there are some, but what says where makes no sense */
    uint64_t bitmaps_off;       /* host offset of their directory; 0: none */
    uint64_t bitmaps_word;      /* host offset of the word that says so */
    uint64_t bitmaps_bytes;     /* of the directory */
    bool unknown_extensions;    /* they may refer to clusters, and nobody here can tell */
    uint64_t stale_bitmaps_off; /* of an extension for bitmaps that no longer counts; 0: none */
    uint64_t luks_off;          /* host offset of the LUKS header; 0: none */
    uint64_t luks_word;         /* as bitmaps_word */
    uint64_t luks_bytes;
    struct format_name backing_file;
    struct format_name backing_format;
    struct format_name data_file;
};

/* As the JSON and QEMU call them. */
const char *format_crypt_name(enum format_crypt crypt);
const char *format_compression_name(enum format_compression compression);

/* Guest bytes that one L2 table maps. At most 2^39: no overflow. */
static inline uint64_t format_l2_span(const struct format_header *header)
{
    return header->cluster_bytes << header->l2_bits;
}

/* Guest bytes of what can be mapped alone: a cluster or, with extended L2 entries, a part of one.
 */
static inline uint64_t format_unit_bytes(const struct format_header *header)
{
    return header->extended_l2 ? header->cluster_bytes / FORMAT_SUBCLUSTERS : header->cluster_bytes;
}

/* So many may refer to one cluster. */
static inline uint64_t format_refcount_max(const struct format_header *header)
{
    return header->refcount_bits < 64 ? (UINT64_C(1) << header->refcount_bits) - 1 : UINT64_MAX;
}

/* L1 entries that a disk of @virtual_bytes needs. */
uint64_t format_l1_needed(const struct format_header *header, uint64_t virtual_bytes);

/*
 * Reads and checks the header and its extensions. @file_bytes is the length of the file. On
 * failure @header holds nothing to free. On success release it with format_header_free.
 */
int format_header_read(struct io *io, uint64_t file_bytes, struct format_header *header,
                       struct format_findings *findings, struct err *err);

void format_header_free(struct format_header *header);

/* Do these bytes begin a qcow2 image of any version from 2 up? For finding images in a folder. */
bool format_header_probe(const unsigned char *bytes, size_t len);

#endif
