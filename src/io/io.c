// SPDX-License-Identifier: MIT
/* Owns nothing but the dispatch to an implementation. */
#include "io.h"

int io_size(struct io *io, uint64_t *bytes, struct err *err)
{
    return io->ops->size(io, bytes, err);
}

int io_read_batch(struct io *io, struct io_request *requests, size_t n, struct err *err)
{
    return io->ops->read(io, requests, n, err);
}

int io_read(struct io *io, uint64_t off, void *buf, size_t len, struct err *err)
{
    struct io_request request = {.off = off, .len = len, .buf = buf};

    return io->ops->read(io, &request, 1, err);
}

uint64_t io_next_data(struct io *io, uint64_t off)
{
    return io->ops->next_data(io, off);
}

struct io_users io_users(struct io *io)
{
    return io->ops->users(io);
}

int io_descriptor(struct io *io)
{
    return io->ops->descriptor != NULL ? io->ops->descriptor(io) : -1;
}

void io_close(struct io *io)
{
    if (io != NULL)
        io->ops->close(io);
}
