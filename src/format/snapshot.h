/* SPDX-License-Identifier: MIT */
/* The table of internal snapshots. Names are a stranger's bytes: escape them before showing. */
#ifndef FORMAT_SNAPSHOT_H
#define FORMAT_SNAPSHOT_H

#include "arena.h"
#include "header.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_findings;
struct io;

/* QEMU keeps an id in 128 bytes and a name in 256, with the final NUL. */
#define FORMAT_SNAPSHOT_ID_MAX 127
#define FORMAT_SNAPSHOT_NAME_MAX 255
#define FORMAT_SNAPSHOT_EXTRA_MAX 1024                       /* QCOW_MAX_SNAPSHOT_EXTRA_DATA */
#define FORMAT_SNAPSHOT_TABLE_BYTES_MAX (UINT64_C(64) << 20) /* QCOW_MAX_SNAPSHOTS_SIZE */

struct format_snapshot {
    struct format_name id;
    struct format_name name;
    uint64_t l1_off;        /* host offset */
    uint32_t l1_entries;    /* 0 is legal: an empty disk */
    bool readable;          /* false: its L1 table cannot be read; a finding says why */
    uint64_t virtual_bytes; /* of the disk at that time, rounded down to 512 */
    uint64_t entry_off;     /* host offset of its entry in the table */
    uint32_t entry_bytes;   /* of its entry in the table, as QEMU would write it anew */
};

struct format_snapshots {
    struct format_snapshot *list;
    size_t n_list, cap_list;
    struct arena names;   /* where ids and names lie */
    uint64_t table_bytes; /* from the header's offset on; of the entries in the list */
    bool whole; /* false: there are more, but the table could not be followed to its end */
};

/*
 * Reads the table as far as it can be followed: what is wrong with it is a finding, for nothing but
 * snapshots depends on it. One whose own L1 table is damaged is kept, marked unreadable. Release
 * with format_snapshots_free, also on failure.
 */
int format_snapshots_read(struct io *io, uint64_t file_bytes, const struct format_header *header,
                          struct format_snapshots *snapshots, struct format_findings *findings,
                          struct err *err);

void format_snapshots_free(struct format_snapshots *snapshots);

#endif
