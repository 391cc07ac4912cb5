/* SPDX-License-Identifier: MIT */
/*
 * Damage and oddities of an image, as data: one cause, one finding. A finding never stops a
 * measurement; what does stop it is a struct err.
 *
 * A hostile image can hold millions of damaged entries, so only the first few of each code are
 * kept; all are counted. Two lists can be merged in the order of the image, so that parts of it
 * may be read apart and give the same list as one reading.
 */
#ifndef FORMAT_FINDING_H
#define FORMAT_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORMAT_FINDINGS_PER_CODE 20
#define FORMAT_FINDINGS_MAX 200

/* name, severity. The names are part of the JSON format: never change one. */
#define FORMAT_FINDING_CODES(X)                                                                    \
    X(DIRTY, "dirty", WARNING)                                                                     \
    X(CORRUPT, "corrupt", WARNING)                                                                 \
    X(HEADER_LENGTH_ODD, "header-length-odd", WARNING)                                             \
    X(SIZE_UNALIGNED, "size-unaligned", WARNING)                                                   \
    X(REFTABLE_MISSING, "refcount-table-missing", WARNING)                                         \
    X(REFTABLE_PAST_END, "refcount-table-past-end", WARNING)                                       \
    X(CRYPTO_HEADER, "crypto-header", WARNING)                                                     \
    X(BACKING_NAME, "backing-name", WARNING)                                                       \
    X(BACKING_FORMAT, "backing-format", WARNING)                                                   \
    X(DATA_FILE_NAME, "data-file-name", WARNING)                                                   \
    X(BITMAPS, "bitmaps", WARNING)                                                                 \
    X(SNAPSHOT_DUPLICATE_ID, "snapshot-duplicate-id", WARNING)                                     \
    X(SNAPSHOT_SIZE, "snapshot-size", WARNING)                                                     \
    X(SNAPSHOT_L1_SHARED, "snapshot-l1-shared", WARNING)                                           \
    X(SNAPSHOT_EXTRA_SHORT, "snapshot-extra-short", WARNING)                                       \
    X(SNAPSHOT_EXTRA_LONG, "snapshot-extra-long", ERROR)                                           \
    X(SNAPSHOT_TABLE, "snapshot-table", ERROR)                                                     \
    X(BITMAP_TABLE, "bitmap-table", ERROR)                                                         \
    X(SNAPSHOT_L1, "snapshot-l1", ERROR)                                                           \
    X(SNAPSHOT_NAME, "snapshot-name", ERROR)                                                       \
    X(L1_RESERVED, "l1-reserved-bits", ERROR)                                                      \
    X(L1_UNALIGNED, "l1-unaligned", ERROR)                                                         \
    X(L1_PAST_END, "l1-past-end", ERROR)                                                           \
    X(L1_COPIED_EMPTY, "l1-copied-empty", ERROR)                                                   \
    X(L2_SHARED, "l2-shared", WARNING)                                                             \
    X(L2_OVERLAP, "l2-overlap", ERROR)                                                             \
    X(L2_RESERVED, "l2-reserved-bits", ERROR)                                                      \
    X(L2_UNALIGNED, "l2-unaligned", ERROR)                                                         \
    X(L2_PAST_END, "l2-past-end", ERROR)                                                           \
    X(L2_ZERO_V2, "l2-zero-in-v2", ERROR)                                                          \
    X(L2_COMPRESSED_COPIED, "l2-compressed-copied", ERROR)                                         \
    X(L2_COMPRESSED_RESERVED, "l2-compressed-reserved-bits", ERROR)                                \
    X(L2_COMPRESSED_PAST_END, "l2-compressed-past-end", ERROR)                                     \
    X(L2_COMPRESSED_HEADER, "l2-compressed-in-header", ERROR)                                      \
    X(L2_COMPRESSED_DATA_FILE, "l2-compressed-with-data-file", ERROR)                              \
    X(L2_COMPRESSED_BITMAP, "l2-compressed-bitmap", ERROR)                                         \
    X(L2_BITMAP, "l2-subcluster-bitmap", ERROR)                                                    \
    X(L2_DATA_FILE_OFFSET, "l2-data-file-offset", ERROR)                                           \
    X(REFTABLE_OVERLAP, "refcount-table-overlap", WARNING)                                         \
    X(REFBLOCK_RESERVED, "refblock-reserved-bits", WARNING)                                        \
    X(REFBLOCK_UNALIGNED, "refblock-unaligned", WARNING)                                           \
    X(REFBLOCK_PAST_END, "refblock-past-end", WARNING)                                             \
    X(REFBLOCK_OVERLAP, "refblock-overlap", WARNING)                                               \
    X(REFCOUNT_LOW, "refcount-too-low", WARNING)                                                   \
    X(REFCOUNT_HIGH, "refcount-too-high", WARNING)                                                 \
    X(DATA_OVERLAP, "data-overlap", ERROR)                                                         \
    X(SPACE_LEFT_OUT, "space-left-out", ERROR)                                                     \
    X(SPACE_NOT_MEASURED, "space-not-measured", WARNING)                                           \
    X(NOT_LOOKED_FOR, "overlap-not-checked", WARNING)                                              \
    X(IMAGE_CHANGING, "image-changing", WARNING)

enum format_finding_code {
#define X(id, name, severity) FORMAT_FINDING_##id,
    FORMAT_FINDING_CODES(X)
#undef X
        FORMAT_FINDING_N_CODES
};

enum format_severity { FORMAT_WARNING, FORMAT_ERROR };

struct format_finding {
    enum format_finding_code code;
    char where[64];    /* "header", "l1[5]", "l2[5][17]", "snapshot[2] l1[0]" */
    bool has_host_off; /* not every finding has a place in the file */
    uint64_t host_off; /* where the damaged field lies in the file */
    char message[224]; /* one sentence: what is wrong, and what it means for the figures */
};

struct format_findings {
    struct format_finding *list;
    size_t n_list, cap_list;
    uint64_t total;                            /* with those that were not kept */
    uint64_t errors;                           /* of them */
    uint16_t per_code[FORMAT_FINDING_N_CODES]; /* likewise; no more than UINT16_MAX are counted */
    bool lost; /* memory ran out: one that belongs into the list is not there */
};

const char *format_finding_name(enum format_finding_code code);
enum format_severity format_finding_severity(enum format_finding_code code);

/* Would one more finding of this code be kept? Spares the caller the wording. */
bool format_findings_wants(const struct format_findings *findings, enum format_finding_code code);

/* Counts @n findings without keeping any: for those that format_findings_wants declined. */
void format_findings_count(struct format_findings *findings, enum format_finding_code code,
                           uint64_t n);

/*
 * Counts the finding, and keeps it when format_findings_wants. Out of memory it is counted only.
 * @host_off may be NULL.
 */
void format_findings_add(struct format_findings *findings, enum format_finding_code code,
                         const char *where, const uint64_t *host_off, const char *message, ...)
    __attribute__((format(printf, 5, 6)));

/* @right comes after @left in the image; it is emptied. */
void format_findings_merge(struct format_findings *left, struct format_findings *right);

/* Puts @prefix before every place. */
void format_findings_prefix(struct format_findings *findings, const char *prefix);

/* Forgets all findings of severity error: they were not found in one state of the image. */
void format_findings_drop_errors(struct format_findings *findings);

bool format_findings_have_error(const struct format_findings *findings);

/* The first one of severity error that is kept; NULL: there is none. */
const struct format_finding *format_findings_first_error(const struct format_findings *findings);
/* Forgets all but the first @n, and gives their memory back; the counts stay. */
void format_findings_shorten(struct format_findings *findings, size_t n);

void format_findings_free(struct format_findings *findings);

#endif
