/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a file that have been read and would be dear to read again: kept by sectors, as many as
 * there is room for. Not for two threads at once.
 */
#ifndef IO_PAGES_H
#define IO_PAGES_H

#include <stddef.h>
#include <stdint.h>

/*
 * Of all files that a process has open. The metadata of a disk of 1 TiB in an image of common
 * clusters take 160 MiB.
 */
#define IO_PAGES_BYTES_MAX ((size_t)192 << 20)

/* All 0 at first. Release with io_pages_forget. */
struct io_pages {
    struct io_page *list; /* hashed by their numbers; a power of two */
    size_t n, cap;
    unsigned char **blocks; /* that their bytes lie in */
    size_t n_blocks, cap_blocks;
    size_t left_bytes; /* in the last one */
};

/*
 * Copies what is known of [off, off + len) into @buf, and says which part of it has to be read:
 * [*begin, *end), both @off if none. Between its ends something may be known.
 */
void io_pages_get(const struct io_pages *pages, uint64_t off, void *buf, size_t len,
                  uint64_t *begin, uint64_t *end);

/* Whole sectors are kept, as long as there is room and memory. */
void io_pages_put(struct io_pages *pages, uint64_t off, const void *buf, size_t len);

void io_pages_forget(struct io_pages *pages);

#endif
