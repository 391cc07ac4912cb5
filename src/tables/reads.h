/* SPDX-License-Identifier: MIT */
/*
 * Cuts data into the reads that QEMU issues. Only for encrypted images: without a limit to their
 * length reads are counted quicker.
 */
#ifndef TABLES_READS_H
#define TABLES_READS_H

#include <stdint.h>

/* Of all images that a request goes through. */
struct tables_read_limits {
    uint64_t request_bytes; /* a read ends at multiples of this: a power of two */
    uint64_t bytes_max;     /* and this after it began; UINT64_MAX: no limit */
};

/* Where a read that has come to @at ends, if it began at @begin. */
static inline uint64_t tables_read_end(struct tables_read_limits limits, uint64_t begin,
                                       uint64_t at)
{
    uint64_t to_border = -at & (limits.request_bytes - 1), so_far = at - begin;
    uint64_t left = so_far < limits.bytes_max ? limits.bytes_max - so_far : 0;

    if (to_border == 0 && at == begin)
        to_border = limits.request_bytes;
    return at + (left < to_border ? left : to_border);
}

/*
 * The reads that begin in [begin, end). *@last: where the read began that is under way at @begin,
 * or @begin itself if there is none. It becomes where the last one began.
 */
static inline uint64_t tables_count_reads(struct tables_read_limits limits, uint64_t *last,
                                          uint64_t begin, uint64_t end)
{
    uint64_t stop = *last == begin ? begin : tables_read_end(limits, *last, begin), n = 0;

    for (; stop < end; n++) {
        *last = stop;
        stop = tables_read_end(limits, stop, stop);
    }
    return n;
}

#endif
