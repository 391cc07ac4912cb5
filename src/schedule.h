/* SPDX-License-Identifier: MIT */
/* How long rewrites take, and how much time there is left for them. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct report_image;

struct schedule {
    double end; /* of the monotonic clock; infinite: there is no end */
    double
        slowness; /* what those so far took, for each second that was reckoned; 0: none was done */
};

/* @seconds from now on; 0: without end. */
void schedule_begin(struct schedule *schedule, double seconds);

/*
 * The seconds that a rewrite of @bytes of @image is reckoned to take: as its page says, as a
 * spinning disk where nothing is known of it, with what was learned; and at most @rate bytes a
 * second are written (0: no limit). Without @verify they are not read back.
 */
double schedule_reckon(const struct schedule *schedule, const struct report_image *image,
                       uint64_t bytes, uint64_t rate, bool verify);

/* Would it end in time? */
bool schedule_has_room(const struct schedule *schedule, double seconds);

/* A rewrite that was reckoned to take @reckoned seconds has taken so many. */
void schedule_learn(struct schedule *schedule, double reckoned, double seconds);

#endif
