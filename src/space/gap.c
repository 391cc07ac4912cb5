// SPDX-License-Identifier: MIT
/* Owns the classes of gaps. */
#include "gap.h"

#include <string.h>

static void begin(void *context)
{
    memset(context, 0, sizeof(struct space_gap_histogram));
}

static void take(void *context, struct space_gap gap)
{
    struct space_gap_histogram *histogram = context;
    struct space_gap_class *class = &histogram->classes[63 - __builtin_clzll(gap.n)];

    class->gaps++;
    class->clusters += gap.n;
    histogram->gaps++;
    histogram->clusters += gap.n;
    histogram->longest = gap.n > histogram->longest ? gap.n : histogram->longest;
}

struct space_gap_sink space_gap_histogram_sink(struct space_gap_histogram *histogram)
{
    return (struct space_gap_sink){histogram, begin, take};
}
