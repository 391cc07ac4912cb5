/* SPDX-License-Identifier: MIT */
/*
 * The picture of an image: what a raster of the walk over one of its tables holds, with the names
 * of its axes; and the same in as many cells as there is room for. Of the file, or of the device
 * under it.
 */
#ifndef REPORT_PICTURE_H
#define REPORT_PICTURE_H

#include "owner.h"
#include "raster.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report_picture_choice {
    bool by_host;        /* bins along the host: see raster.h */
    bool file;           /* host is the file, or the files of a chain one behind the other */
    bool device;         /* host is the device under it, if that is known and not as the file */
    uint32_t bins, rows; /* at most */
};

struct report_picture {
    struct meter_raster *raster;
    struct meter_raster_shape shape; /* of it */
    uint64_t *file_begins;           /* which is there; NULL: one file */
    bool end_to_end;                 /* host is the device */
    uint64_t guest_begin, guest_end; /* of the part of the disk that was walked */
    uint64_t host_begin, host_end;
    /* By host, of the file of one image: whose the bytes of each bin are. NULL: not known. */
    uint64_t (*owned)[SPACE_N_OWNERS];
};

/* NULL is allowed. */
void report_picture_free(struct report_picture *picture);

/* ---- cells ---- */

enum report_cell_kind {
    REPORT_CELL_EMPTY,      /* nothing; by host: holds nothing of this disk */
    REPORT_CELL_ZERO,       /* zero clusters */
    REPORT_CELL_DATA,       /* mapped, */
    REPORT_CELL_COMPRESSED, /* and more than half of it compressed */
    /* By host only, where nothing of the disk is: most of it is */
    REPORT_CELL_FREE,
    REPORT_CELL_LEAKED,
    REPORT_CELL_SNAPSHOT, /* what snapshots alone hold, and VM state */
    REPORT_CELL_METADATA,
    REPORT_N_CELLS,
};

/* How much of the time that a spinning disk takes for a cell goes into getting there. */
enum report_cell_order {
    REPORT_CELL_WHOLE,   /* less than an eighth */
    REPORT_CELL_CRACKED, /* than a third */
    REPORT_CELL_BROKEN,  /* than two thirds */
    REPORT_CELL_IN_PIECES,
};

struct report_cell {
    uint64_t off, len_bytes; /* the stretch of the guest disk (by host: of the host) */
    struct meter_raster_bin bytes;
    enum report_cell_kind kind;
    enum report_cell_order order;
    uint32_t row; /* the one with the most bytes, the first of those; of mapped ones only */
    double place; /* the middle of that row, 0 .. 1 of the other axis */
};

/*
 * Sets *@cells to at most @most cells of equal size (the last may be shorter), in order. Returns
 * their number; 0: there is no memory. Free them.
 */
size_t report_picture_cells(const struct report_picture *picture, size_t most,
                            struct report_cell **cells);

/* At which of the breaks a spinning disk seeks: what a near jump leaves out it reads over. */
static inline uint64_t report_picture_seeks(const struct meter_raster_bin *bytes)
{
    return bytes->breaks - bytes->near_jumps;
}

/* The part of the time for so many bytes that goes into so many seeks, roughly; 0: no bytes. */
double report_picture_lost(uint64_t seeks, uint64_t mapped_bytes);
enum report_cell_order report_picture_order(uint64_t seeks, uint64_t mapped_bytes);

const char *report_cell_name(enum report_cell_kind kind);

#endif
