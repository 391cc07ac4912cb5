// SPDX-License-Identifier: MIT
/* Owns nothing but the dispatch to an implementation. */
#include "io.h"

#include "err.h"

#include <errno.h>
#include <inttypes.h>

int io_size(struct io *io, uint64_t *bytes, struct err *err)
{
    return io->ops->size(io, bytes, err);
}

int io_read_batch(struct io *io, struct io_request *requests, size_t n, struct err *err)
{
    return io->ops->read(io, requests, n, err);
}

void io_read_cached(struct io *io, struct io_request *requests, size_t n)
{
    for (size_t i = 0; i < n; i++)
        requests[i].got = 0;
    if (io->ops->read_cached != NULL)
        io->ops->read_cached(io, requests, n);
}

size_t io_ahead(struct io *io)
{
    return io->ops->ahead != NULL ? io->ops->ahead(io) : 0;
}

void io_renew(struct io *io)
{
    if (io->ops->renew != NULL)
        io->ops->renew(io);
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

uint64_t io_next_hole(struct io *io, uint64_t off)
{
    return io->ops->next_hole != NULL ? io->ops->next_hole(io, off) : UINT64_MAX;
}

static struct io_identity identity_of(struct io *io)
{
    return io->ops->identity != NULL ? io->ops->identity(io) : (struct io_identity){.known = false};
}

bool io_is_same(struct io *a, struct io *b)
{
    struct io_identity left = identity_of(a), right = identity_of(b);

    return a == b || (left.known && right.known && left.is_device == right.is_device &&
                      left.device == right.device && left.inode == right.inode);
}

struct io_users io_users(struct io *io)
{
    return io->ops->users(io);
}

struct io_stamp io_stamp(struct io *io)
{
    return io->ops->stamp != NULL ? io->ops->stamp(io) : (struct io_stamp){.known = false};
}

bool io_stamps_differ(const struct io_stamp *before, const struct io_stamp *after)
{
    return !before->known || before->fresh || !after->known || before->seconds != after->seconds ||
           before->nanoseconds != after->nanoseconds || before->bytes != after->bytes;
}

int io_descriptor(struct io *io)
{
    return io->ops->descriptor != NULL ? io->ops->descriptor(io) : -1;
}

struct opt_u64 io_allocated(struct io *io)
{
    return io->ops->allocated != NULL ? io->ops->allocated(io) : (struct opt_u64){.known = false};
}

void io_close(struct io *io)
{
    if (io != NULL)
        io->ops->close(io);
}

int io_became_shorter(const char *file, const char *what, uint64_t off, struct err *err)
{
    return err_set(err, EIO,
                   "%s became shorter while it was read: %s at offset 0x%" PRIx64
                   " is gone; measure again when nobody changes it",
                   file, what, off);
}
