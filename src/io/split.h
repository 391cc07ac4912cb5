/* SPDX-License-Identifier: MIT */
/* A read as a server wants it: in parts that are long, short and aligned enough. Pure. */
#ifndef IO_SPLIT_H
#define IO_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

/* What a server says of its export. */
struct io_split {
    uint64_t size;
    uint32_t
        minimum; /* a power of two, a sector at least: offsets and lengths are multiples of it, */
    uint32_t maximum; /* and no length is above this, which is one, too; but the end is the end */
};

/* Not longer than this, so that a slow line gives signs of life. */
#define IO_SPLIT_PART_BYTES (256u << 10)

/*
 * Of a server's own limits, of which 0 says nothing. False: they contradict themselves, or the
 * protocol (a minimum is at most 64 KiB), or let nobody read a sector.
 */
bool io_split_init(struct io_split *split, uint64_t size, uint64_t minimum, uint64_t maximum);

/* [*begin, *end), which is not empty and inside the export, becomes what has to be asked for. */
void io_split_widen(const struct io_split *split, uint64_t *begin, uint64_t *end);

/* The length of the first part of it. */
uint32_t io_split_part(const struct io_split *split, uint64_t begin, uint64_t end);

#endif
