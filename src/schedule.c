// SPDX-License-Identifier: MIT
/* Owns what is learned of how long rewrites take. */
#include "schedule.h"

#include "clock.h"
#include "cost.h"
#include "disk.h"
#include "report.h"

#include <math.h>

void schedule_begin(struct schedule *schedule, double seconds)
{
    *schedule = (struct schedule){.end = seconds > 0 ? clock_seconds() + seconds : INFINITY};
}

double schedule_reckon(const struct schedule *schedule, const struct report_image *image,
                       uint64_t bytes, uint64_t rate, bool verify)
{
    const struct report_table *table = report_active_table(image);
    const bool known = table != NULL && table->disk.known;
    const enum meter_disk_kind kind = known ? table->disk.profile : METER_DISK_HDD;
    const double transfer = meter_disk_transfer_seconds(kind, bytes);
    double seconds = known ? report_rewrite_seconds(image, table, bytes) : 3 * transfer;

    if (!verify)
        seconds -= transfer;
    if (schedule->slowness > 0)
        seconds *= schedule->slowness;
    if (rate > 0 && seconds < (double)bytes / (double)rate)
        seconds = (double)bytes / (double)rate;
    return seconds;
}

bool schedule_has_room(const struct schedule *schedule, double seconds)
{
    return clock_seconds() + seconds <= schedule->end;
}

/* The slowest so far: it is worse to be late than to stop early. */
void schedule_learn(struct schedule *schedule, double reckoned, double seconds)
{
    double plain = schedule->slowness > 0 ? reckoned / schedule->slowness : reckoned;

    if (plain > 0 && seconds / plain > schedule->slowness)
        schedule->slowness = seconds / plain;
}
