// SPDX-License-Identifier: MIT
/* Owns the reading of sparse strings as images. Every string is an image; reads never fail. */
#include "sparse.h"

#include "io.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

struct sparse {
    struct io io;
    const uint8_t *records;
    size_t len;
    uint64_t file_bytes;
};

static int sparse_size(struct io *io, uint64_t *bytes, struct err *err)
{
    (void)err;
    *bytes = ((struct sparse *)io)->file_bytes;
    return 0;
}

/* Copies what of one record lies in the request. */
static void copy_record(const uint8_t *record, size_t len, struct io_request *request)
{
    uint32_t number;
    uint64_t from, to, end = request->off + request->len;

    memcpy(&number, record, sizeof(number));
    from = (uint64_t)le32toh(number) * SPARSE_SECTOR_BYTES;
    to = from + (len - sizeof(number));
    if (to <= request->off || from >= end)
        return;
    if (from < request->off) {
        record += request->off - from;
        from = request->off;
    }
    if (to > end)
        to = end;
    memcpy((uint8_t *)request->buf + (from - request->off), record + sizeof(number), to - from);
}

static void read_one(const struct sparse *sparse, struct io_request *request)
{
    uint64_t left = request->off < sparse->file_bytes ? sparse->file_bytes - request->off : 0;

    memset(request->buf, 0, request->len);
    request->got = left < request->len ? (size_t)left : request->len;
    for (size_t at = 0; at + 4 < sparse->len; at += SPARSE_RECORD_BYTES) {
        size_t room = sparse->len - at;

        copy_record(sparse->records + at, room < SPARSE_RECORD_BYTES ? room : SPARSE_RECORD_BYTES,
                    request);
    }
    memset((uint8_t *)request->buf + request->got, 0, request->len - request->got);
}

static int sparse_read(struct io *io, struct io_request *requests, size_t n, struct err *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++)
        if (requests[i].len > 0)
            read_one((const struct sparse *)io, &requests[i]);
    return 0;
}

/* The next sector that a record names, were it only zeros. */
static uint64_t sparse_next_data(struct io *io, uint64_t off)
{
    const struct sparse *sparse = (const struct sparse *)io;
    uint64_t found = UINT64_MAX;

    for (size_t at = 0; at + 4 < sparse->len; at += SPARSE_RECORD_BYTES) {
        uint64_t from;
        uint32_t number;

        memcpy(&number, sparse->records + at, sizeof(number));
        from = (uint64_t)le32toh(number) * SPARSE_SECTOR_BYTES;
        if (from + SPARSE_SECTOR_BYTES <= off || from >= sparse->file_bytes)
            continue;
        from = from < off ? off : from;
        found = from < found ? from : found;
    }
    return found;
}

static struct io_users sparse_users(struct io *io)
{
    (void)io;
    return (struct io_users){.known = false};
}

static void sparse_close(struct io *io)
{
    free(io);
}

static const struct io_ops sparse_ops = {
    .size = sparse_size,
    .read = sparse_read,
    .next_data = sparse_next_data,
    .users = sparse_users,
    .close = sparse_close,
};

struct io *sparse_open(const uint8_t *bytes, size_t len)
{
    struct sparse *sparse = calloc(1, sizeof(*sparse));
    uint64_t size = 0;

    if (sparse == NULL)
        return NULL;
    memcpy(&size, bytes, len < sizeof(size) ? len : sizeof(size));
    sparse->io.ops = &sparse_ops;
    sparse->file_bytes = le64toh(size) % SPARSE_FILE_BYTES_MAX;
    if (len > sizeof(size)) {
        sparse->records = bytes + sizeof(size);
        sparse->len = len - sizeof(size);
    }
    return &sparse->io;
}
