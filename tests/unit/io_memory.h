/* SPDX-License-Identifier: MIT */
/*
 * An image in memory, and the tools to write one there. It can be longer than the bytes that are
 * stored (the rest reads as zeros), and can be told to fail.
 */
#ifndef UNIT_IO_MEMORY_H
#define UNIT_IO_MEMORY_H

#include "err.h"
#include "io.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IO_MEMORY_FAILS "the simulated disk fails"

struct io_memory {
    struct io io;
    const unsigned char *bytes; /* borrowed */
    size_t len;
    uint64_t file_bytes; /* what size says: at least len, unless a test wants it cut */
    uint64_t n_requests; /* read so far, by all threads */
    uint64_t fail_at;    /* the request, from 1 on, that fails; 0: none */
    unsigned n_closed;
};

static inline int io_memory_size(struct io *io, uint64_t *bytes, struct err *err)
{
    (void)err;
    *bytes = ((struct io_memory *)io)->file_bytes;
    return 0;
}

static inline int io_memory_read(struct io *io, struct io_request *requests, size_t n,
                                 struct err *err)
{
    struct io_memory *memory = (struct io_memory *)io;
    uint64_t end = memory->len < memory->file_bytes ? memory->len : memory->file_bytes;

    for (size_t i = 0; i < n; i++) {
        struct io_request *request = &requests[i];
        uint64_t left = request->off < memory->file_bytes ? memory->file_bytes - request->off : 0;
        uint64_t stored = request->off < end ? end - request->off : 0;

        if (__atomic_add_fetch(&memory->n_requests, 1, __ATOMIC_RELAXED) == memory->fail_at)
            return err_set(err, EIO, IO_MEMORY_FAILS);
        request->got = left < request->len ? (size_t)left : request->len;
        stored = stored < request->len ? stored : request->len;
        memset(request->buf, 0, request->len);
        if (stored > 0)
            memcpy(request->buf, memory->bytes + request->off, (size_t)stored);
    }
    return 0;
}

/* What is not stored is a hole. */
static inline uint64_t io_memory_next_data(struct io *io, uint64_t off)
{
    return off < ((struct io_memory *)io)->len ? off : UINT64_MAX;
}

static inline struct io_users io_memory_users(struct io *io)
{
    (void)io;
    return (struct io_users){.known = false};
}

static inline void io_memory_close(struct io *io)
{
    ((struct io_memory *)io)->n_closed++;
}

static inline struct io_memory io_memory_of(const void *bytes, size_t len)
{
    static const struct io_ops ops = {
        .size = io_memory_size,
        .read = io_memory_read,
        .next_data = io_memory_next_data,
        .users = io_memory_users,
        .close = io_memory_close,
    };

    return (struct io_memory){.io = {&ops}, .bytes = bytes, .len = len, .file_bytes = len};
}

/* ---- big-endian numbers ---- */

static inline void put_be16(void *at, uint16_t n)
{
    unsigned char *p = at;

    p[0] = (unsigned char)(n >> 8);
    p[1] = (unsigned char)n;
}

static inline void put_be32(void *at, uint32_t n)
{
    put_be16(at, (uint16_t)(n >> 16));
    put_be16((unsigned char *)at + 2, (uint16_t)n);
}

static inline void put_be64(void *at, uint64_t n)
{
    put_be32(at, (uint32_t)(n >> 32));
    put_be32((unsigned char *)at + 4, (uint32_t)n);
}

#endif
