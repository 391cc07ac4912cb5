/* SPDX-License-Identifier: MIT */
/* A kernel that answers FIEMAP from a list, or lies. */
#ifndef UNIT_KERNEL_H
#define UNIT_KERNEL_H

#include "fiemap.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct kernel {
    const struct host_fiemap_extent *list; /* in rising order */
    size_t n_list;
    size_t most;      /* it gives in one answer; 0: as many as asked for */
    unsigned n_asks;  /* so far */
    unsigned fail_at; /* the ask, from 1 on, that fails; 0: none */
    int error;        /* with this */
    uint32_t flags;   /* that were asked for, all of them */
};

/* What a kernel does: extents from fm_start on, and a mark on the last one of the file. */
static inline int kernel_ask(void *context, struct fiemap *request)
{
    struct kernel *kernel = context;
    uint32_t room = request->fm_extent_count, n = 0;

    if (++kernel->n_asks == kernel->fail_at)
        return -kernel->error;
    kernel->flags |= request->fm_flags;
    if (kernel->most > 0 && kernel->most < room)
        room = (uint32_t)kernel->most;
    for (size_t i = 0; i < kernel->n_list && n < room; i++) {
        const struct host_fiemap_extent *extent = &kernel->list[i];

        if (extent->file_off + extent->bytes <= request->fm_start)
            continue;
        request->fm_extents[n++] = (struct fiemap_extent){
            .fe_logical = extent->file_off,
            .fe_physical = extent->physical,
            .fe_length = extent->bytes,
            .fe_flags = extent->flags | (i + 1 == kernel->n_list ? FIEMAP_EXTENT_LAST : 0),
        };
    }
    request->fm_mapped_extents = n;
    return 0;
}

static inline struct host_fiemap_source kernel_source(struct kernel *kernel)
{
    return (struct host_fiemap_source){kernel_ask, kernel};
}

#endif
