// SPDX-License-Identifier: MIT
// How often each host cluster is referenced, for up to 2^47 clusters.
//
// A tree of pages of 4096 clusters. A page whose clusters all have one count needs no array, so
// that a 64 TiB image with everything referenced once costs a few megabytes. Neighbouring
// additions are collected into one before they reach the pages.

#include "mkqcow2.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_BITS = 12, LEAF_BITS = 12, MIDDLE_BITS = 12, TOP_BITS = 11 };

#define PAGE_CLUSTERS (1ull << PAGE_BITS)

struct page {
    uint32_t *each;     // NULL: all clusters have the count `all`
    uint32_t all;
};

static struct page **top[1 << TOP_BITS];

static struct {
    uint64_t first, n_clusters, weight;
} pending;

void refs_forget(void)
{
    memset(top, 0, sizeof(top));
    memset(&pending, 0, sizeof(pending));
}

static struct page *page_of(uint64_t cluster, bool make)
{
    uint64_t page = cluster >> PAGE_BITS;
    struct page ***middle = &top[page >> (LEAF_BITS + MIDDLE_BITS)], **leaf;

    if (!*middle) {
        if (!make)
            return NULL;
        *middle = get_zeroed(1 << MIDDLE_BITS, sizeof(**middle));
    }
    leaf = &(*middle)[page >> LEAF_BITS & ((1 << MIDDLE_BITS) - 1)];
    if (!*leaf) {
        if (!make)
            return NULL;
        *leaf = get_zeroed(1 << LEAF_BITS, sizeof(**leaf));
    }
    return &(*leaf)[page & ((1 << LEAF_BITS) - 1)];
}

static void page_unfold(struct page *page)
{
    if (page->each)
        return;
    page->each = get(PAGE_CLUSTERS * sizeof(*page->each));
    for (uint64_t i = 0; i < PAGE_CLUSTERS; i++)
        page->each[i] = page->all;
}

static void page_fold(struct page *page)
{
    for (uint64_t i = 1; i < PAGE_CLUSTERS; i++)
        if (page->each[i] != page->each[0])
            return;
    page->all = page->each[0];
    give_back(page->each);
    page->each = NULL;
}

static uint32_t raised(const struct image *image, uint64_t cluster, uint32_t count, uint64_t weight)
{
    uint64_t sum = count + weight;

    if (sum > image->refcount_max || sum > UINT32_MAX)
        die(image, 0, "host cluster %llu is referenced %llu times: too often for the refcount bits",
            (unsigned long long)cluster, (unsigned long long)sum);
    return (uint32_t)sum;
}

static void page_add(const struct image *image, uint64_t first, uint64_t n_clusters,
                     uint64_t weight)
{
    struct page *page = page_of(first, true);

    if (n_clusters == PAGE_CLUSTERS && !page->each) {
        page->all = raised(image, first, page->all, weight);
        return;
    }
    page_unfold(page);
    for (uint64_t i = first; i < first + n_clusters; i++) {
        uint32_t *count = &page->each[i & (PAGE_CLUSTERS - 1)];

        *count = raised(image, i, *count, weight);
    }
    // A page that was filled piece by piece is often even again when its border is reached.
    if (first % PAGE_CLUSTERS == 0 || (first + n_clusters) % PAGE_CLUSTERS == 0)
        page_fold(page);
}

// Notes which refcount blocks have something to say.
static void blocks_need(struct image *image, uint64_t first, uint64_t n_clusters)
{
    uint64_t last = (first + n_clusters - 1) / image->block_entries;

    if (last >= REFTABLE_BYTES_MAX / 8)
        die(image, 0, "host cluster %llu needs a refcount table above 8 MiB",
            (unsigned long long)(first + n_clusters - 1));
    if (last >= image->n_refblocks)
        image->n_refblocks = last + 1;
    memset(image->refblock_needed + first / image->block_entries, 1,
           last - first / image->block_entries + 1);
}

void refs_flush(struct image *image)
{
    uint64_t first = pending.first, n_left = pending.n_clusters;

    if (n_left && first + n_left > image->end_cluster)
        image->end_cluster = first + n_left;
    if (n_left)
        blocks_need(image, first, n_left);
    while (n_left) {
        uint64_t n = PAGE_CLUSTERS - (first & (PAGE_CLUSTERS - 1));

        n = n < n_left ? n : n_left;
        page_add(image, first, n, pending.weight);
        first += n;
        n_left -= n;
    }
    pending.n_clusters = 0;
}

void refs_add(struct image *image, uint64_t first, uint64_t n_clusters, uint64_t weight)
{
    if (first == pending.first + pending.n_clusters && weight == pending.weight) {
        pending.n_clusters += n_clusters;
        return;
    }
    refs_flush(image);
    pending.first = first;
    pending.n_clusters = n_clusters;
    pending.weight = weight;
}

uint64_t refs_get(uint64_t cluster)
{
    const struct page *page = page_of(cluster, false);

    if (!page)
        return 0;
    return page->each ? page->each[cluster & (PAGE_CLUSTERS - 1)] : page->all;
}

void refs_set(uint64_t cluster, uint64_t value)
{
    struct page *page = page_of(cluster, true);

    page_unfold(page);
    page->each[cluster & (PAGE_CLUSTERS - 1)] = (uint32_t)value;
}
