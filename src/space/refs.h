/* SPDX-License-Identifier: MIT */
/*
 * Every reference that an image holds, as one stream in three parts:
 *
 *   metadata   the header, what it refers to, the L1 tables of snapshots, refcount blocks, and the
 *              tables and bits of bitmaps
 *   L2 tables  of every L1 table, the active one and those of snapshots, beyond the end of the disk
 *              as well: at each L1 index the different ones, each with all the L1 entries there
 *   data       what the entries of each L2 table hold: once for the table, however many L1 entries
 *              of however many L1 tables name it
 *
 * So an L2 table that a thousand snapshots share is walked once, and counts a thousand times. What
 * is damaged so that what it refers to cannot be known is left out, and told to the sink.
 */
#ifndef SPACE_REFS_H
#define SPACE_REFS_H

#include "holding.h"
#include "holds.h"
#include "naming.h"
#include "reference.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_image;
struct format_refcounts;

/* Tables 1 .. n_tables - 1 are those of snapshots that can be read; 0 is the active one. */
struct space_refs;

struct space_refs_options {
    const struct format_refcounts *refcounts; /* whose table and blocks are metadata, if readable */
    /* For the active state and each snapshot: is the damage on its disk told by others? */
    const bool *told; /* NULL: of none */
};

/* Some of what the entries of an L2 table hold. Borrowed for the call. */
struct space_refs_data {
    const struct space_named_l2 *l2; /* weight, class and owner are those of all who name it */
    uint32_t l1_index;               /* one of those at which it is named */
    const struct space_holds_batch *batch;
    const struct format_entry_rules *rules;
    const uint64_t *raw; /* entries, as in the file */
    uint32_t raw_first;  /* the number of the first of them in the table */
};

/* One entry of them, looked at closely. */
struct space_refs_entry {
    uint64_t word; /* host offset of its (first) 8 bytes */
    uint64_t entry, bitmap;
    struct format_holding holding;
};

/* Gets the stream. What is NULL is passed over. A result that is not 0 ends the walk. */
struct space_refs_sink {
    void *context;
    format_take_reference *metadata;
    int (*l2)(void *context, const struct space_named_l2 *l2, uint32_t l1_index);
    /* Are the entries of this table wanted? NULL: of each. */
    bool (*wants_data)(void *context, const struct space_named_l2 *l2);
    /* The entries of this table come now, if it has any that hold something. */
    int (*begin_data)(void *context, const struct space_named_l2 *l2, uint32_t l1_index);
    void (*data)(void *context, const struct space_refs_data *data);
    /* @n references that cannot be known; damage of which @untold are not told by others. */
    void (*left_out)(void *context, uint64_t n, uint64_t untold);
};

/*
 * All is borrowed until space_refs_free. -EFBIG, without an error: the L1 tables are too many and
 * too long together.
 */
int space_refs_new(struct format_image *image, const struct space_refs_options *options,
                   struct space_refs **refs, struct err *err);
void space_refs_free(struct space_refs *refs);

size_t space_refs_n_tables(const struct space_refs *refs);
const struct space_l1_table *space_refs_table(const struct space_refs *refs, size_t number);

/* The three parts, each of which may be walked again. */
int space_refs_metadata(struct space_refs *refs, const struct space_refs_sink *sink,
                        struct err *err);
int space_refs_l2(struct space_refs *refs, const struct space_refs_sink *sink, struct err *err);
int space_refs_data(struct space_refs *refs, const struct space_refs_sink *sink, struct err *err);

/*
 * The data of one L1 table alone, at the indices [first, end): in their order, and every time that
 * an L2 table is named there. Its weight is 1.
 */
int space_refs_data_of(struct space_refs *refs, size_t number, uint32_t first, uint32_t end,
                       const struct space_refs_sink *sink, struct err *err);

/*
 * Within the sink's l2: the host offset of the L1 entry of table @number, at first l2->first, that
 * names @l2; and the table behind it that names it as well, or SPACE_NAMING_END.
 */
uint64_t space_refs_l1_word(const struct space_refs *refs, uint32_t number, uint32_t l1_index);
uint32_t space_refs_other(const struct space_refs *refs, const struct space_named_l2 *l2,
                          uint32_t number);

/* Within the sink's data: entry @index of the table, one of the batch's. */
struct space_refs_entry space_refs_entry_of(const struct space_refs_data *data, uint32_t index);

/* What was looked at in all walks so far, as bytes of L2 tables that take about as long. */
uint64_t space_refs_work_bytes(const struct space_refs *refs);

#endif
