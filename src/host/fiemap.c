// SPDX-License-Identifier: MIT
/* Owns the asking in batches. Believes nothing of the answers but what can be checked. */
#include "fiemap.h"

#include "checked.h"
#include "err.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define BATCH 1024 /* extents: 56 KiB */

struct reading {
    const struct host_fiemap_sink *sink;
    uint64_t done; /* handed over up to here */
    bool last;     /* the kernel says that no more follow */
};

static int ask_kernel(void *context, struct fiemap *request)
{
    const int *fd = context;

    return ioctl(*fd, FS_IOC_FIEMAP, request) < 0 ? -errno : 0;
}

struct host_fiemap_source host_fiemap_of(int *fd)
{
    return (struct host_fiemap_source){ask_kernel, fd};
}

/* File systems without FIEMAP say so in several ways. */
static int refused(int error, struct err *err)
{
    if (error == EOPNOTSUPP || error == ENOTTY || error == ENOSYS || error == EINVAL ||
        error == EBADR)
        return err_set(err, EOPNOTSUPP, "the file system does not tell where its files lie");
    return err_set(err, error, "cannot read the extents of the file: %s", strerror(error));
}

static int take_extent(struct reading *reading, const struct fiemap_extent *told, struct err *err)
{
    struct host_fiemap_extent extent = {told->fe_logical, told->fe_length, told->fe_physical,
                                        told->fe_flags};
    uint64_t end;
    int ret;

    if (!checked_add(extent.file_off, extent.bytes, &end))
        return err_set(err, EIO, "the kernel tells of an extent at 0x%" PRIx64 " that has no end",
                       extent.file_off);
    if (extent.bytes == 0 || end <= reading->done)
        return 0;
    if (extent.file_off < reading->done) { /* said again, in part */
        if (!(extent.flags & FIEMAP_EXTENT_ENCODED))
            extent.physical += reading->done - extent.file_off;
        extent.file_off = reading->done;
        extent.bytes = end - reading->done;
    }
    ret = reading->sink->take(reading->sink->context, &extent, err);
    reading->done = end;
    return ret;
}

static int take_batch(struct reading *reading, const struct fiemap *answer, struct err *err)
{
    uint64_t before = reading->done;

    if (answer->fm_mapped_extents > BATCH)
        return err_set(err, EIO, "the kernel tells of more extents than it was asked for");
    for (uint32_t i = 0; i < answer->fm_mapped_extents; i++) {
        int ret = take_extent(reading, &answer->fm_extents[i], err);

        if (ret < 0)
            return ret;
        reading->last |= answer->fm_extents[i].fe_flags & FIEMAP_EXTENT_LAST;
    }
    if (answer->fm_mapped_extents == 0 || reading->done > INT64_MAX) /* no file goes on there */
        reading->last = true;
    if (!reading->last && reading->done == before)
        return err_set(err, EIO,
                       "the kernel tells of no further extent behind 0x%" PRIx64
                       ", nor that there is none",
                       before);
    return 0;
}

int host_fiemap_read(const struct host_fiemap_source *source, const struct host_fiemap_sink *sink,
                     struct err *err)
{
    size_t bytes = sizeof(struct fiemap) + BATCH * sizeof(struct fiemap_extent);
    struct fiemap *request = malloc(bytes);
    struct reading reading = {.sink = sink};
    int ret = 0;

    if (request == NULL)
        return err_no_memory(err);
    while (ret == 0 && !reading.last) {
        /* Without FIEMAP_FLAG_SYNC: what is not on the disk yet stays where it is. */
        memset(request, 0, bytes);
        request->fm_start = reading.done;
        request->fm_length = FIEMAP_MAX_OFFSET - reading.done;
        request->fm_extent_count = BATCH;
        ret = source->ask(source->context, request);
        if (ret < 0)
            ret = refused(-ret, err);
        else
            ret = take_batch(&reading, request, err);
    }
    free(request);
    return ret;
}
