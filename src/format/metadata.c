// SPDX-License-Identifier: MIT
/* Owns the list of metadata extents. Places that make no sense are passed over: others judge. */
#include "metadata.h"

#include "be.h"
#include "checked.h"
#include "err.h"
#include "image.h"
#include "io.h"
#include "refcount.h"
#include "search.h"
#include "vec.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES 65536

static int add(struct format_metadata *metadata, uint64_t begin, uint64_t len,
               enum format_metadata_kind kind, struct err *err)
{
    uint64_t end;

    if (len == 0 || !checked_add(begin, len, &end))
        return 0;
    if (vec_reserve(metadata, list) < 0)
        return err_no_memory(err);
    metadata->list[metadata->n_list++] = (struct format_extent){begin, end, kind};
    return 0;
}

/*
 * A refcount table that lies on something else, or past the end, says nothing of where refcount
 * blocks are. The mapping does not depend on it.
 */
static bool reftable_is_sound(const struct format_image *image,
                              const struct format_metadata *metadata, uint64_t len)
{
    uint64_t off = image->header.reftable_off;

    if (off == 0 || !checked_inside(off, len, image->file_bytes))
        return false;
    for (size_t i = 0; i < metadata->n_list; i++)
        if (metadata->list[i].begin < off + len && metadata->list[i].end > off)
            return false;
    return true;
}

/* The refcount table and its blocks. To be called when all else is in the list. */
static int add_refcounts(const struct format_image *image, size_t max_refblocks,
                         struct format_metadata *metadata, bool *all, struct err *err)
{
    const struct format_header *header = &image->header;
    uint64_t left = (uint64_t)header->reftable_clusters << header->cluster_bits;
    uint64_t off = header->reftable_off;
    unsigned char window[WINDOW_BYTES];
    size_t n_found = 0;
    int ret = 0;

    if (!reftable_is_sound(image, metadata, left))
        return 0;
    ret = add(metadata, off, left, FORMAT_META_REFTABLE, err);
    for (; left > 0 && ret == 0; off += sizeof(window)) {
        size_t len = left < sizeof(window) ? (size_t)left : sizeof(window);

        left -= len;
        ret = io_read(image->io, off, window, len, err);
        for (size_t i = 0; i < len && ret == 0; i += 8) {
            uint64_t block = be64_load(window + i) & FORMAT_REFTABLE_OFFSET;

            if (block == 0 || block >= image->file_bytes ||
                !is_aligned(block, header->cluster_bytes))
                continue;
            *all = *all && n_found < max_refblocks;
            if (n_found++ < max_refblocks)
                ret = add(metadata, block, header->cluster_bytes, FORMAT_META_REFBLOCK, err);
        }
    }
    return ret;
}

struct collecting {
    struct format_metadata *metadata;
    struct err *err;
};

static int take_reference(void *context, const struct format_reference *reference)
{
    const struct collecting *collecting = context;

    if (reference->kind == FORMAT_META_REFTABLE) /* see add_refcounts */
        return 0;
    return add(collecting->metadata, reference->off, reference->len_bytes, reference->kind,
               collecting->err);
}

static int by_begin(const void *a, const void *b)
{
    const struct format_extent *left = a, *right = b;

    return (left->begin > right->begin) - (left->begin < right->begin);
}

static void sort_and_join(struct format_metadata *metadata)
{
    size_t n = 0;

    qsort(metadata->list, metadata->n_list, sizeof(*metadata->list), by_begin);
    for (size_t i = 0; i < metadata->n_list; i++) {
        const struct format_extent *extent = &metadata->list[i];

        if (n == 0 || extent->begin >= metadata->list[n - 1].end)
            metadata->list[n++] = *extent;
        else if (extent->end > metadata->list[n - 1].end)
            metadata->list[n - 1].end = extent->end;
    }
    metadata->n_list = n;
}

int format_metadata_collect(const struct format_image *image, size_t max_refblocks,
                            struct format_metadata *metadata, bool *all, struct err *err)
{
    struct collecting collecting = {metadata, err};
    int ret;

    memset(metadata, 0, sizeof(*metadata));
    *all = true;
    ret = format_references(image, take_reference, &collecting);
    if (ret == 0)
        ret = add_refcounts(image, max_refblocks, metadata, all, err);
    if (ret == 0)
        sort_and_join(metadata);
    return ret;
}

const struct format_extent *format_metadata_find(const struct format_metadata *metadata,
                                                 uint64_t off, uint64_t len)
{
    size_t at = search_first(i, 0, metadata->n_list, metadata->list[i].end <= off);

    if (at == metadata->n_list || metadata->list[at].begin >= off + len)
        return NULL;
    return &metadata->list[at];
}

void format_metadata_free(struct format_metadata *metadata)
{
    free(metadata->list);
    memset(metadata, 0, sizeof(*metadata));
}
