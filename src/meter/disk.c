// SPDX-License-Identifier: MIT
/*
 * Owns the disk model. The seek curve is that of a 3.5" drive: it rises with the square root of the
 * distance while the arm accelerates, then with the distance (Ruemmler and Wilkes, An introduction
 * to disk drive modeling, 1994); the constants are those of the contract in doc/definitions.md.
 */
#include "disk.h"

#include "counts.h"

#include <math.h>
#include <string.h>

#define HDD_BYTES 4e12
#define HDD_BYTES_A_MICROSECOND 150
#define HDD_RATE (1e6 * HDD_BYTES_A_MICROSECOND) /* bytes a second */
#define SHORTEST_MICROSECONDS 800
#define HALF_TURN_MICROSECONDS 4170
#define SHORT_SEEK 0.49       /* of the disk: the arm accelerates all the way */
#define SWITCH_PART (1.0 / 3) /* of the disk, to another file: the mean of two random places */

_Static_assert(PIECE_READ_OVER_BYTES ==
                   (SHORTEST_MICROSECONDS + HALF_TURN_MICROSECONDS) * HDD_BYTES_A_MICROSECOND,
               "the head reads over what takes no longer than the shortest seek");

#define COMMANDS_AT_A_TIME 8.0

static const struct {
    double rate;            /* bytes a second */
    double command_seconds; /* for each read, at one a time */
} flash[] = {
    [METER_DISK_SSD] = {530e6, 60e-6},
    [METER_DISK_NVME] = {3.2e9, 20e-6},
};

const char *meter_disk_name(enum meter_disk_kind kind)
{
    return kind == METER_DISK_HDD ? "hdd" : kind == METER_DISK_SSD ? "ssd" : "nvme";
}

static double seek_seconds(double part_of_disk)
{
    double milliseconds = part_of_disk < SHORT_SEEK
                              ? SHORTEST_MICROSECONDS / 1e3 + 13.1 * sqrt(part_of_disk)
                              : 5.4 + 9.3 * part_of_disk;

    return milliseconds / 1e3 + HALF_TURN_MICROSECONDS / 1e6;
}

double meter_disk_jump_seconds(enum meter_direction direction, double distance_bytes)
{
    double seek = seek_seconds(distance_bytes / HDD_BYTES);

    if (distance_bytes == 0)
        return 0;
    if (direction == METER_FORWARD)
        return fmin(seek, distance_bytes / HDD_RATE); /* or read over the gap */
    return distance_bytes <= METER_HEAD_BUFFER_BYTES ? 0 : seek;
}

/* The distances of a bin lie within a sixteenth of each other: their mean stands for them. */
static double jumps_seconds(enum meter_direction direction, const struct meter_jumps *jumps)
{
    double seconds = 0;

    for (unsigned i = 0; i < METER_JUMP_BINS; i++) {
        double count = (double)jumps->bin[i].count;

        if (jumps->bin[i].count > 0)
            seconds +=
                count * meter_disk_jump_seconds(direction, (double)jumps->bin[i].sum / count);
    }
    return seconds;
}

static double moves_seconds(enum meter_direction direction, const struct meter_sparse_jumps *moves)
{
    struct meter_jumps jumps;

    if (moves->used == 0)
        return 0;
    memset(&jumps, 0, sizeof(jumps));
    meter_sparse_jumps_pour(moves, &jumps);
    return jumps_seconds(direction, &jumps);
}

/*
 * All the ways of the head. Holes are poured in before the sum is taken: one that the head left for
 * a table and never crossed was taken back as a detour.
 */
static double way_seconds(const struct meter *meter)
{
    const struct meter_head *head = &meter->head;
    struct meter_jumps way[METER_N_DIRECTIONS];
    double seconds = 0;

    if (!meter_has_jumps(meter) && (head->gaps.used | head->detours[METER_BACKWARD].used |
                                    head->detours[METER_FORWARD].used) == 0)
        return 0;
    memset(way, 0, sizeof(way));
    meter_pour_jumps(meter, way);
    meter_sparse_jumps_pour(&head->gaps, &way[METER_FORWARD]);
    for (unsigned direction = 0; direction < METER_N_DIRECTIONS; direction++) {
        meter_sparse_jumps_pour(&head->detours[direction], &way[direction]);
        seconds += jumps_seconds((enum meter_direction)direction, &way[direction]);
    }
    return seconds;
}

static struct meter_disk_time spinning_time(const struct meter *meter)
{
    double transfer = (double)meter->head.read_bytes / HDD_RATE;
    double ideal = transfer + moves_seconds(METER_FORWARD, &meter->head.gaps) +
                   moves_seconds(METER_BACKWARD, &meter->head.again);
    double seconds =
        transfer + way_seconds(meter) + (double)meter->head.switches * seek_seconds(SWITCH_PART);
    double slowdown = ideal > 0 ? seconds / ideal : 1;

    return (struct meter_disk_time){seconds, ideal, slowdown, slowdown};
}

static double flash_seconds(enum meter_disk_kind kind, uint64_t bytes, uint64_t reads,
                            double at_a_time)
{
    return (double)bytes / flash[kind].rate +
           (double)reads * flash[kind].command_seconds / at_a_time;
}

double meter_disk_transfer_seconds(enum meter_disk_kind kind, uint64_t bytes)
{
    return kind == METER_DISK_HDD ? (double)bytes / HDD_RATE : (double)bytes / flash[kind].rate;
}

struct meter_disk_time meter_disk_time(enum meter_disk_kind kind, const struct meter *meter,
                                       uint64_t reads, uint64_t reads_unbroken)
{
    uint64_t bytes = meter->head.read_bytes;
    struct meter_disk_time time;
    double overlapped;

    if (kind == METER_DISK_HDD)
        return spinning_time(meter);
    time.seconds = flash_seconds(kind, bytes, reads, 1);
    time.ideal_seconds = flash_seconds(kind, bytes, reads_unbroken, 1);
    time.slowdown_high = time.ideal_seconds > 0 ? time.seconds / time.ideal_seconds : 1;
    overlapped = flash_seconds(kind, bytes, reads_unbroken, COMMANDS_AT_A_TIME);
    time.slowdown_low =
        overlapped > 0 ? flash_seconds(kind, bytes, reads, COMMANDS_AT_A_TIME) / overlapped : 1;
    return time;
}

/* All ways of its head. */
static double plan_way_seconds(const struct meter_disk_plan *plan)
{
    struct meter_jumps way[METER_N_DIRECTIONS];
    double seconds = 0;

    memset(way, 0, sizeof(way));
    if (plan->defragged != NULL)
        meter_defragged_pour(plan->defragged, plan->front_bytes, way);
    for (unsigned direction = 0; direction < METER_N_DIRECTIONS; direction++) {
        if (plan->defragged == NULL)
            meter_sparse_jumps_pour(&plan->layout->head.detours[direction], &way[direction]);
        seconds += jumps_seconds((enum meter_direction)direction, &way[direction]);
    }
    return seconds;
}

double meter_disk_plan_seconds(enum meter_disk_kind kind, const struct meter_disk_plan *plan)
{
    uint64_t bytes = plan->more_bytes + (plan->defragged != NULL ? plan->defragged->read_bytes
                                                                 : plan->layout->head.read_bytes);

    if (kind != METER_DISK_HDD)
        return flash_seconds(kind, bytes, plan->reads + plan->gaps, 1);
    return (double)(bytes + plan->over_bytes) / HDD_RATE +
           (double)plan->gaps * meter_disk_jump_seconds(METER_FORWARD, (double)plan->gap_bytes) +
           plan_way_seconds(plan);
}
