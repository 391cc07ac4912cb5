/* SPDX-License-Identifier: MIT */
/* How long rewrites take, and how much time there is left for them. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct options;
struct report_table;

struct schedule {
    double end; /* of the monotonic clock; infinite: there is no end */
    double
        slowness; /* what those so far took, for each second that was reckoned; 0: none was done */
};

/* @seconds from now on; 0: without end. */
void schedule_begin(struct schedule *schedule, double seconds);

/*
 * The seconds that a rewrite is reckoned to take. It reads @bytes once, writes them once and, if
 * @verify, reads them again, each at the speed of the disk that @table (NULL: unknown) lies on,
 * which is slower by what its order costs; and not faster than @rate bytes a second (0: no limit).
 */
double schedule_reckon(const struct schedule *schedule, const struct report_table *table,
                       uint64_t bytes, uint64_t rate, bool verify);

/* Would it end in time? */
bool schedule_has_room(const struct schedule *schedule, double seconds);

/* A rewrite that was reckoned to take @reckoned seconds has taken so many. */
void schedule_learn(struct schedule *schedule, double reckoned, double seconds);

double schedule_now(void);

#endif
