// SPDX-License-Identifier: MIT
/* Owns the choice between the walk over the file and that over the device. Computes no time. */
#include "seconds.h"

#include "report.h"

#define SPARSE_PART 10 /* a tenth of the data */

bool report_is_sparse(const struct report_table *table)
{
    return table->end_to_end.known &&
           table->end_to_end.hole_bytes > table->walk.mapped_bytes / SPARSE_PART;
}

static double lost(double seconds, double ideal)
{
    return seconds > ideal ? seconds - ideal : 0;
}

static bool host_counts(const struct report_table *table)
{
    const struct report_end_to_end *end_to_end = &table->end_to_end;
    const struct report_disk *disk = &table->disk;

    if (!end_to_end->known || !end_to_end->seconds.known)
        return false;
    return !report_is_sparse(table) ||
           (!end_to_end->unplaced && lost(end_to_end->seconds.value, end_to_end->ideal_seconds) >
                                         lost(disk->seconds, disk->ideal_seconds));
}

struct report_seconds report_seconds_of(const struct report_table *table)
{
    const struct report_end_to_end *end_to_end = &table->end_to_end;
    const struct report_disk *disk = &table->disk;
    struct report_seconds result = {.known = disk->known};

    if (!disk->known)
        return result;
    result.with_host = host_counts(table);
    if (result.with_host) {
        result.seconds = end_to_end->seconds.value;
        result.ideal = end_to_end->ideal_seconds;
        result.slowdown_low = end_to_end->slowdown_low;
    } else {
        result.seconds = disk->seconds;
        result.ideal = disk->ideal_seconds;
        result.slowdown_low = disk->slowdown_low;
    }
    result.lost = lost(result.seconds, result.ideal);
    return result;
}
