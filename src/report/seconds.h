/* SPDX-License-Identifier: MIT */
/*
 * The two numbers by which a layout is judged: the seconds that it takes to read the guest disk in
 * order, and those of the same walk without breaks. The verdict, the page, the limits and the table
 * all use these, so that no two of them can contradict each other.
 */
#ifndef REPORT_SECONDS_H
#define REPORT_SECONDS_H

#include <stdbool.h>

struct report_table;

struct report_seconds {
    bool known;     /* false: nothing is mapped, or nothing could be read */
    bool with_host; /* of the image and of the host's extents under it; else of the image alone */
    double seconds; /* one command at a time */
    double ideal;   /* of the same walk */
    double lost;    /* the difference, never below 0 */
    double slowdown_low; /* seconds / ideal; on a disk without a head the least that it may be */
};

/*
 * Of image and host together where the way over the device is known and means something: what lies
 * in holes one day will be data, so that a sparse file is judged as if it had none, unless what it
 * has already takes longer.
 */
struct report_seconds report_seconds_of(const struct report_table *table);

/* Much of the data lies in holes of the file, and is read by nobody. */
bool report_is_sparse(const struct report_table *table);

#endif
