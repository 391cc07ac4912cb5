/* SPDX-License-Identifier: MIT */
/*
 * A spinning disk that exists as a clock and the place of its head: it says what a read costs, and
 * takes no time itself, so that a run can be repeated to the last digit.
 *
 * 7,200 rpm, 150 MB/s, 4 TB. The formulas are those of doc/definitions.md, written down a second
 * time on purpose: this is the witness that the program is compared with.
 */
#ifndef DISK_H
#define DISK_H

#include <stdint.h>

/* Zeroed: a new disk, its head at the beginning of region 0. Each file that lies somewhere else on
 * the disk is a region of its own, with offsets of its own. */
struct disk {
    unsigned region;
    uint64_t head; /* in bytes: the end of the last read */
    double seconds;
};

/* Reads @len bytes at @off, and advances the clock. */
void disk_read(struct disk *disk, unsigned region, uint64_t off, uint64_t len);

#endif
