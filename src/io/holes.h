/* SPDX-License-Identifier: MIT */
/*
 * Holes of a file that have been met: what lies in one is zeros, and need not be read. A hostile
 * file has tables in holes by the million, in any order; so several holes are remembered, and each
 * grows backwards as well.
 */
#ifndef IO_HOLES_H
#define IO_HOLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io;
struct io_request;

#define IO_HOLES_MAX 32768u /* 512 KiB; as many cost a file 128 MiB of data between them */

struct io_hole {
    uint64_t begin, end;
};

/* Release with io_holes_free. */
struct io_holes {
    struct io *io;        /* borrowed; filled by the caller, the rest is 0 at first */
    size_t most;          /* to be remembered; 0: IO_HOLES_MAX */
    uint64_t file_bytes;  /* behind that the file may grow: no hole reaches further */
    struct io_hole *list; /* rising, apart from one another */
    size_t n_list, cap_list;
    uint64_t back; /* so far a hole may reach to the front as well: doubles while it does */
    unsigned asks; /* so many may yet be of no use: see io_holes_have */
};

void io_holes_free(struct io_holes *holes);

/* Is [off, off + len) in a hole that is known? */
bool io_holes_know(const struct io_holes *holes, uint64_t off, uint64_t len);

/* Where the known hole around @off ends; @off if none is known there. */
uint64_t io_holes_end(const struct io_holes *holes, uint64_t off);

/* Asks the file whether it is in a hole, and remembers that as far as there is memory. */
bool io_holes_look(struct io_holes *holes, uint64_t off, uint64_t len);

/*
 * Is it in a hole? Asks the file only as long as that has been of use now and then: a file without
 * holes is not asked before each read. To read a hole is dear, as the kernel fills memory with zeros
 * for that.
 */
bool io_holes_have(struct io_holes *holes, uint64_t off, uint64_t len);

/* After a read: did it give nothing but zeros? Then it is looked whether it was in a hole. */
bool io_holes_learn(struct io_holes *holes, const struct io_request *request);

#endif
