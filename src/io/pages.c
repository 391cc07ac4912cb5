// SPDX-License-Identifier: MIT
/* Owns the pages and what they all take. Knows not where the bytes come from. */
#include "pages.h"

#include "sector.h"
#include "vec.h"
#include "zeros.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SECTORS 8u
#define PAGE_BYTES (PAGE_SECTORS * SECTOR_BYTES)
#define CAP_MIN 256u
/* Asked for one by one, pages take longer than to read them from a server near by. */
#define BLOCK_BYTES ((size_t)256 * PAGE_BYTES)

struct io_page {
    uint64_t number;
    unsigned char *bytes; /* NULL: what is known of it is zeros */
    unsigned known;       /* a bit for each sector; 0: the place is free */
};

static atomic_size_t taken;

/* False: there is no room, and nothing was taken. */
static bool take_room(size_t bytes)
{
    if (atomic_fetch_add(&taken, bytes) + bytes <= IO_PAGES_BYTES_MAX)
        return true;
    atomic_fetch_sub(&taken, bytes);
    return false;
}

/* ---- places ---- */

/* The page of that number, or the free place where it would be. One is always free. */
static struct io_page *find(const struct io_pages *pages, uint64_t number)
{
    size_t mask = pages->cap - 1,
           i = (size_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & mask;

    while (pages->list[i].known != 0 && pages->list[i].number != number)
        i = (i + 1) & mask;
    return &pages->list[i];
}

/* Half of the places stay free. */
static bool make_place(struct io_pages *pages)
{
    struct io_pages larger = *pages;

    larger.cap = pages->cap > 0 ? 2 * pages->cap : CAP_MIN;

    if (2 * (pages->n + 1) <= pages->cap)
        return true;
    if (!take_room(larger.cap * sizeof(*larger.list)))
        return false;
    larger.list = calloc(larger.cap, sizeof(*larger.list));
    if (larger.list == NULL) {
        atomic_fetch_sub(&taken, larger.cap * sizeof(*larger.list));
        return false;
    }
    for (size_t i = 0; i < pages->cap; i++)
        if (pages->list[i].known != 0)
            *find(&larger, pages->list[i].number) = pages->list[i];
    atomic_fetch_sub(&taken, pages->cap * sizeof(*pages->list));
    free(pages->list);
    *pages = larger;
    return true;
}

/* ---- sectors ---- */

static bool knows(const struct io_page *page, uint64_t sector)
{
    return (page->known >> sector % PAGE_SECTORS & 1) != 0;
}

void io_pages_get(const struct io_pages *pages, uint64_t off, void *buf, size_t len,
                  uint64_t *begin, uint64_t *end)
{
    const uint64_t whole = off + len;
    char *to = buf;

    *begin = *end = off;
    for (uint64_t at = off; at < whole;) {
        const uint64_t sector = at / SECTOR_BYTES, next = (sector + 1) * SECTOR_BYTES;
        const size_t part = (size_t)((next < whole ? next : whole) - at);
        const struct io_page *page = pages->cap > 0 ? find(pages, sector / PAGE_SECTORS) : NULL;

        if (page == NULL || !knows(page, sector)) {
            *begin = *end == off ? at : *begin;
            *end = at + part;
        } else if (page->bytes == NULL) {
            memset(to, 0, part);
        } else {
            memcpy(to, page->bytes + at % PAGE_BYTES, part);
        }
        to += part;
        at += part;
    }
}

/* All zeros; NULL: there is no room or no memory. */
static unsigned char *new_page(struct io_pages *pages)
{
    if (!take_room(PAGE_BYTES))
        return NULL;
    if (pages->left_bytes == 0 && vec_reserve(pages, blocks) == 0) {
        unsigned char *block = calloc(1, BLOCK_BYTES);

        if (block != NULL) {
            pages->blocks[pages->n_blocks++] = block;
            pages->left_bytes = BLOCK_BYTES;
        }
    }
    if (pages->left_bytes == 0) {
        atomic_fetch_sub(&taken, PAGE_BYTES);
        return NULL;
    }
    pages->left_bytes -= PAGE_BYTES;
    return pages->blocks[pages->n_blocks - 1] + pages->left_bytes;
}

/* Sectors of one page. */
static bool keep(struct io_pages *pages, struct io_page *page, uint64_t off, const char *bytes,
                 size_t len)
{
    if (page->bytes == NULL && !is_zeros(bytes, len)) {
        page->bytes = new_page(pages);
        if (page->bytes == NULL)
            return false;
    }
    if (page->bytes != NULL)
        memcpy(page->bytes + off % PAGE_BYTES, bytes, len);
    return true;
}

void io_pages_put(struct io_pages *pages, uint64_t off, const void *buf, size_t len)
{
    const uint64_t whole = (off + len) & ~(SECTOR_BYTES - 1);
    const char *from = buf;
    uint64_t at = (off + SECTOR_BYTES - 1) & ~(SECTOR_BYTES - 1), next;

    for (; at < whole; at = next) {
        struct io_page *page;
        unsigned first = (unsigned)(at / SECTOR_BYTES % PAGE_SECTORS), n;

        next = (at / PAGE_BYTES + 1) * PAGE_BYTES;
        next = next < whole ? next : whole;
        n = (unsigned)((next - at) / SECTOR_BYTES);
        if (!make_place(pages))
            return;
        page = find(pages, at / PAGE_BYTES);
        if (!keep(pages, page, at, from + (at - off), (size_t)(next - at)))
            return;
        pages->n += page->known == 0;
        page->number = at / PAGE_BYTES;
        page->known |= ((1u << n) - 1) << first;
    }
}

void io_pages_forget(struct io_pages *pages)
{
    for (size_t i = 0; i < pages->n_blocks; i++)
        free(pages->blocks[i]);
    atomic_fetch_sub(&taken, pages->n_blocks * BLOCK_BYTES - pages->left_bytes);
    free(pages->blocks);
    atomic_fetch_sub(&taken, pages->cap * sizeof(*pages->list));
    free(pages->list);
    *pages = (struct io_pages){.n = 0};
}
