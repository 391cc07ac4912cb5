// SPDX-License-Identifier: MIT
/* Owns the pages and what they all take. Knows not where the bytes come from. */
#include "pages.h"

#include "sector.h"
#include "zeros.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SECTORS 8u
#define PAGE_BYTES (PAGE_SECTORS * SECTOR_BYTES)
#define CAP_MIN 256u

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
    struct io_pages larger = {.n = pages->n, .cap = pages->cap > 0 ? 2 * pages->cap : CAP_MIN};

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

static bool keep_sector(struct io_page *page, uint64_t off, const char *bytes)
{
    if (page->bytes == NULL && !is_zeros(bytes, SECTOR_BYTES)) {
        if (!take_room(PAGE_BYTES))
            return false;
        page->bytes = calloc(1, PAGE_BYTES);
        if (page->bytes == NULL) {
            atomic_fetch_sub(&taken, PAGE_BYTES);
            return false;
        }
    }
    if (page->bytes != NULL)
        memcpy(page->bytes + off % PAGE_BYTES, bytes, SECTOR_BYTES);
    return true;
}

void io_pages_put(struct io_pages *pages, uint64_t off, const void *buf, size_t len)
{
    const uint64_t whole = off + len;
    const char *from = buf;
    uint64_t at = (off + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;

    for (; at + SECTOR_BYTES <= whole; at += SECTOR_BYTES) {
        const uint64_t sector = at / SECTOR_BYTES;
        struct io_page *page;

        if (!make_place(pages))
            return;
        page = find(pages, sector / PAGE_SECTORS);
        if (!keep_sector(page, at, from + (at - off)))
            return;
        pages->n += page->known == 0;
        page->number = sector / PAGE_SECTORS;
        page->known |= 1u << sector % PAGE_SECTORS;
    }
}

void io_pages_forget(struct io_pages *pages)
{
    for (size_t i = 0; i < pages->cap; i++) {
        if (pages->list[i].bytes == NULL)
            continue;
        free(pages->list[i].bytes);
        atomic_fetch_sub(&taken, PAGE_BYTES);
    }
    atomic_fetch_sub(&taken, pages->cap * sizeof(*pages->list));
    free(pages->list);
    *pages = (struct io_pages){.n = 0};
}
