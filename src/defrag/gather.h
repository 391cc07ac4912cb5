/* SPDX-License-Identifier: MIT */
/*
 * Reads the parts of a window into their places, in the order in which they lie on the disk. What
 * is in memory already is taken from there, in whatever order. All that is mapped is read, whatever
 * the source says of its holes.
 */
#ifndef DEFRAG_GATHER_H
#define DEFRAG_GATHER_H

#include <stdbool.h>
#include <stdint.h>

struct defrag_parts;
struct err;
struct io;

/* Filled by the caller but for what is counted. Release with defrag_gather_free. */
struct defrag_gather {
    struct io *source;
    uint64_t gap_bytes;          /* so much is read over rather than passed over */
    bool (*stop)(void *context); /* as in struct defrag_watch */
    void *context;

    uint64_t read_bytes;   /* with those that were read over */
    uint64_t waited_bytes; /* those of them that were not in memory */
    double waited_seconds;
    unsigned char *scratch;
};

/*
 * @parts are sorted by place afterwards; part @at, @bytes of each is in @window then. Behind the
 * end of the source are zeros. -EINTR, without an error, if it was told to stop.
 */
int defrag_gather(struct defrag_gather *gather, struct defrag_parts *parts, unsigned char *window,
                  struct err *err);

void defrag_gather_free(struct defrag_gather *gather);

#endif
