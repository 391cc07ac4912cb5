/* SPDX-License-Identifier: MIT */
/*
 * One connection to a server of NBD: many requests in flight, each with a limit of time. Used by
 * one thread at a time. A connection that has failed can only be closed.
 */
#ifndef IO_NBD_LINK_H
#define IO_NBD_LINK_H

#include "split.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct io_nbd_link;

#define IO_NBD_IN_FLIGHT 64

/* What the server says of what it serves. */
struct io_nbd_export {
    struct io_split split;
    bool many_links; /* several connections see the same */
    bool has_holes;  /* it tells them */
};

/* A part of a read. */
struct io_nbd_part {
    uint64_t off;
    uint32_t len;
    void *buf;
};

/* Holes and data from an offset on, in turn. */
#define IO_NBD_EXTENTS_MAX 1024
struct io_nbd_extents {
    uint64_t begin;
    size_t n; /* 0: nothing is known */
    struct {
        uint64_t end;
        bool zero;
    } list[IO_NBD_EXTENTS_MAX];
};

/* Begins to connect: nothing but the name of the server is waited for. Close @link on success. */
int io_nbd_link_begin(const char *uri, struct io_nbd_link **link, struct err *err);

/* Waits so long for the connection: 1 when it is there, and @export is filled; else 0. */
int io_nbd_link_await(struct io_nbd_link *link, int milliseconds, struct io_nbd_export *export,
                      struct err *err);

/* Reads all parts. -ETIMEDOUT if @seconds pass without one of them. */
int io_nbd_link_read(struct io_nbd_link *link, const struct io_nbd_part *parts, size_t n,
                     unsigned seconds, struct err *err);

/* Has the connection failed? What the server only could not read is no such failure. */
bool io_nbd_link_is_broken(const struct io_nbd_link *link);

/* Asks for what begins in [off, off + len), as many extents as the server tells, and there is room
 * for. */
int io_nbd_link_extents(struct io_nbd_link *link, uint64_t off, uint32_t len, unsigned seconds,
                        struct io_nbd_extents *extents, struct err *err);

/* NULL is allowed. Waits for nobody. */
void io_nbd_link_close(struct io_nbd_link *link);

#endif
