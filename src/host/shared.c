// SPDX-License-Identifier: MIT
/* Owns the sum of shared extents. */
#include "shared.h"

#include "err.h"
#include "fiemap.h"
#include "io.h"

#include <linux/fiemap.h>

static int add(void *context, const struct host_fiemap_extent *extent, struct err *err)
{
    uint64_t *bytes = context;

    (void)err;
    if (extent->flags & FIEMAP_EXTENT_SHARED)
        *bytes += extent->bytes;
    return 0;
}

struct opt_u64 host_shared_bytes(struct io *io)
{
    int fd = io_descriptor(io);
    uint64_t bytes = 0;
    struct host_fiemap_source source = host_fiemap_of(&fd);
    const struct host_fiemap_sink sink = {add, &bytes};
    struct err err = {0};

    if (fd < 0 || host_fiemap_read(&source, &sink, &err) < 0)
        return (struct opt_u64){.known = false};
    return opt_u64_of(bytes);
}
