/* SPDX-License-Identifier: MIT */
/*
 * What a layout costs on a disk: a pure function of what a meter has counted. Definitions:
 * doc/definitions.md.
 */
#ifndef METER_DISK_H
#define METER_DISK_H

#include "converted.h"
#include "defragged.h"
#include "meter.h"

#include <stdint.h>

enum meter_disk_kind {
    METER_DISK_HDD,  /* 7,200 rpm, 150 MB/s, 4 TB */
    METER_DISK_SSD,  /* SATA: 530 MB/s, 60 us a command */
    METER_DISK_NVME, /* 3.2 GB/s, 20 us a command */
};

/* "hdd", "ssd" or "nvme". */
const char *meter_disk_name(enum meter_disk_kind kind);

/* Seconds to read the whole guest disk in order. */
struct meter_disk_time {
    double seconds;       /* one command at a time */
    double ideal_seconds; /* the same bytes, as often, without breaks and ways to tables */
    /* seconds / ideal_seconds, with up to 8 commands at a time and with one; the same on a spinning
     * disk, which has one head. 1 if nothing is read. */
    double slowdown_low, slowdown_high;
};

/*
 * @reads: data reads that QEMU issues, @reads_unbroken: the same without any break. Only disks
 * without a head need them.
 */
struct meter_disk_time meter_disk_time(enum meter_disk_kind kind, const struct meter *meter,
                                       uint64_t reads, uint64_t reads_unbroken);

/* A layout that does not exist yet. */
struct meter_disk_plan {
    /* One of the two. */
    const struct meter_layout *layout;
    const struct meter_defragged *defragged;
    uint64_t front_bytes;     /* of the latter: see meter_defragged_pour */
    uint64_t more_bytes;      /* that are read on the way: tables of nothing but zeros */
    uint64_t over_bytes;      /* that are read over */
    uint64_t gaps, gap_bytes; /* so many more, so large: the image's refcounts lie there */
    uint64_t reads;           /* data reads */
};

/* With one command at a time. */
double meter_disk_plan_seconds(enum meter_disk_kind kind, const struct meter_disk_plan *plan);

/* Of @bytes, in one piece. */
double meter_disk_transfer_seconds(enum meter_disk_kind kind, uint64_t bytes);

/* Of a jump on a spinning disk, half a turn included. Bytes, and seconds. */
double meter_disk_jump_seconds(enum meter_direction direction, double distance_bytes);

#endif
