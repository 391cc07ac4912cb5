/* SPDX-License-Identifier: MIT */
/*
 * Gaps of a file: maximal stretches of free clusters before the last cluster in use. Whoever wants
 * to know of each is a sink; the histogram is one.
 */
#ifndef SPACE_GAP_H
#define SPACE_GAP_H

#include <stdint.h>

/* Clusters, by number. */
struct space_gap {
    uint64_t first, n;
};

struct space_gap_sink {
    void *context;
    void (*begin)(void *context); /* what was taken so far does not count; also at the very first */
    void (*take)(void *context, struct space_gap gap); /* in the order of the file */
};

/* Gaps of 2^i clusters up to twice that. */
struct space_gap_class {
    uint64_t gaps, clusters;
};

struct space_gap_histogram {
    uint64_t gaps, clusters, longest; /* all; the longest in clusters */
    struct space_gap_class classes[64];
};

struct space_gap_sink space_gap_histogram_sink(struct space_gap_histogram *histogram);

#endif
