// SPDX-License-Identifier: MIT
/*
 * What a read costs on a spinning disk. Knows nothing of files or requests.
 */
#include "disk.h"

#include <math.h>

#define DISK_BYTES 4e12
#define BYTES_PER_SECOND 150e6
#define HALF_TURN 4.17e-3
#define SECTOR 512

/* The time of a move of the arm over @share of the disk, and of the half turn after it. */
static double seek(double share)
{
    double move = share < 0.49 ? 0.8e-3 + 13.1e-3 * sqrt(share) : 5.4e-3 + 9.3e-3 * share;

    return move + HALF_TURN;
}

/* From where the head stands to @off, in the same region. */
static double reach(uint64_t head, uint64_t off)
{
    if (off == head)
        return 0;
    if (off < head)
        return seek((double)(head - off) / DISK_BYTES);
    return fmin(seek((double)(off - head) / DISK_BYTES), (double)(off - head) / BYTES_PER_SECOND);
}

void disk_read(struct disk *disk, unsigned region, uint64_t off, uint64_t len)
{
    uint64_t known = 0;

    if (region != disk->region) {
        disk->seconds += seek(1.0 / 3);
    } else if (off < disk->head && disk->head - off <= SECTOR) {
        /* The sector under the head has just been read: only what follows it is new. */
        known = disk->head - off;
        if (known >= len)
            return;
    } else {
        disk->seconds += reach(disk->head, off);
    }
    disk->seconds += (double)(len - known) / BYTES_PER_SECOND;
    disk->region = region;
    disk->head = off + len;
}
