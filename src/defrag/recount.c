// SPDX-License-Identifier: MIT
/* Owns the blocks of the new refcounts, a window of clusters at a time. */
#include "recount.h"

#include "cells.h"
#include "checked.h"
#include "claim.h"
#include "encode.h"
#include "err.h"
#include "image.h"
#include "new_file.h"
#include "plan.h"
#include "refcount.h"
#include "refs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES (UINT64_C(32) << 20) /* of cells, two bytes a cluster */

struct recount {
    const struct defrag_plan *plan;
    struct store_new_file *file;
    struct err *err;
    struct format_image image;
    struct format_refcounts refcounts;
    struct space_claims claims;
    struct space_cells cells;
    uint64_t entries; /* of a block */
    unsigned order;
    unsigned char *block;
    uint16_t *counts; /* of a block */
    uint8_t *classes; /* likewise; not looked at */
};

/* The block of the clusters from @first on. One of zeros stays a hole. */
static int write_block(struct recount *recount, uint64_t first)
{
    uint64_t top = recount->cells.top, n = top > first ? top - first : 0;
    uint64_t off = recount->plan->refblocks_off +
                   first / recount->entries * recount->image.header.cluster_bytes;

    if (n == 0)
        return 0;
    n = n < recount->entries ? n : recount->entries;
    space_cells_read(&recount->cells, first, (size_t)n, recount->counts, recount->classes);
    memset(recount->block, 0, recount->image.header.cluster_bytes);
    if (!store_refcounts(recount->order, recount->counts, (size_t)n, recount->block))
        return err_set(recount->err, EOVERFLOW,
                       "a cluster near offset 0x%" PRIx64 " of the new file would have more "
                       "references than its refcounts of %u %s can tell",
                       first << recount->image.header.cluster_bits, 1u << recount->order,
                       recount->order > 0 ? "bits" : "bit");
    return store_new_file_write(recount->file, off, recount->block,
                                recount->image.header.cluster_bytes, recount->err);
}

static int write_window(struct recount *recount, uint64_t first)
{
    uint64_t end = recount->plan->n_refblocks * recount->entries;
    int ret;

    space_cells_begin(&recount->cells, first);
    ret = space_claims_count(&recount->claims, &recount->cells, recount->err);
    if (ret == 0 && recount->cells.full)
        ret = err_set(recount->err, EOVERFLOW,
                      "a cluster has more than %" PRIu32 " references; so many cannot be counted",
                      space_cells_count_max(true) - 1);
    end = end < recount->cells.end ? end : recount->cells.end;
    for (uint64_t at = first; at < end && ret == 0; at += recount->entries)
        ret = write_block(recount, at);
    return ret;
}

static int allocate(struct recount *recount)
{
    uint64_t all = recount->plan->n_refblocks * recount->entries;
    uint64_t window = WINDOW_BYTES / 2 / recount->entries * recount->entries;

    recount->block = malloc(recount->image.header.cluster_bytes);
    recount->counts = calloc(recount->entries, sizeof(*recount->counts));
    recount->classes = calloc(recount->entries, sizeof(*recount->classes));
    if (recount->block == NULL || recount->counts == NULL || recount->classes == NULL ||
        space_cells_init(&recount->cells, 2 * (window > 0 ? window : recount->entries), all, true) <
            0)
        return err_no_memory(recount->err);
    return 0;
}

static int count_all(struct recount *recount)
{
    const struct space_refs_options options = {&recount->refcounts, NULL};
    struct format_findings findings = {0};
    uint64_t end = recount->plan->n_refblocks * recount->entries;
    int ret = format_refcounts_open(&recount->image, &recount->refcounts, &findings, recount->err);

    format_findings_free(&findings);
    if (ret == 0)
        ret = space_refs_new(&recount->image, &options, &recount->claims.refs, recount->err);
    recount->claims.image = &recount->image;
    for (uint64_t first = 0; first < end && ret == 0; first = recount->cells.end)
        ret = write_window(recount, first);
    return ret;
}

int defrag_recount(const struct defrag_plan *plan, struct io *written, struct store_new_file *file,
                   struct err *err)
{
    struct recount recount = {.plan = plan, .file = file, .err = err};
    int ret = format_image_open(written, &recount.image, err);

    if (ret < 0)
        return ret;
    recount.entries = recount.image.header.cluster_bytes * 8 / recount.image.header.refcount_bits;
    recount.order = (unsigned)__builtin_ctz(recount.image.header.refcount_bits);
    ret = allocate(&recount);
    if (ret == 0)
        ret = count_all(&recount);
    space_refs_free(recount.claims.refs);
    space_cells_free(&recount.cells);
    format_refcounts_close(&recount.refcounts);
    format_image_close(&recount.image);
    free(recount.block);
    free(recount.counts);
    free(recount.classes);
    return ret;
}
