// SPDX-License-Identifier: MIT
/* Owns the reckoning of time. A pure function of what it is told, and of the clock. */
#include "schedule.h"

#include "report.h"

#include <math.h>
#include <time.h>

/* Bytes a second, as in the model of the disk: see meter/disk.h. */
#define HDD_RATE 150e6
#define SSD_RATE 530e6
#define NVME_RATE 3.2e9

double schedule_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void schedule_begin(struct schedule *schedule, double seconds)
{
    *schedule = (struct schedule){.end = seconds > 0 ? schedule_now() + seconds : INFINITY};
}

static double rate_of(const struct report_table *table)
{
    if (table == NULL || !table->disk.known || table->disk.profile == METER_DISK_HDD)
        return HDD_RATE;
    return table->disk.profile == METER_DISK_SSD ? SSD_RATE : NVME_RATE;
}

double schedule_reckon(const struct schedule *schedule, const struct report_table *table,
                       uint64_t bytes, uint64_t rate, bool verify)
{
    double seconds = (verify ? 3 : 2) * (double)bytes / rate_of(table);

    if (table != NULL && table->disk.known && table->disk.seconds > table->disk.ideal_seconds)
        seconds += table->disk.seconds - table->disk.ideal_seconds;
    if (schedule->slowness > 0)
        seconds *= schedule->slowness;
    if (rate > 0 && seconds < (double)bytes / (double)rate)
        seconds = (double)bytes / (double)rate;
    return seconds;
}

bool schedule_has_room(const struct schedule *schedule, double seconds)
{
    return schedule_now() + seconds <= schedule->end;
}

/* The slowest so far: it is worse to be late than to stop early. */
void schedule_learn(struct schedule *schedule, double reckoned, double seconds)
{
    double plain = schedule->slowness > 0 ? reckoned / schedule->slowness : reckoned;

    if (plain > 0 && seconds / plain > schedule->slowness)
        schedule->slowness = seconds / plain;
}
