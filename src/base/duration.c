// SPDX-License-Identifier: MIT
/* Owns the choice of unit and digits for a duration. */
#include "duration.h"

#include <math.h>
#include <stdio.h>

/* printf rounds 2.5 to 2. */
static double whole(double n)
{
    return floor(n + 0.5);
}

void duration_format(char text[DURATION_TEXT_MAX], double seconds)
{
    if (seconds < 0.0005)
        snprintf(text, DURATION_TEXT_MAX, "0 s");
    else if (seconds < 0.9995)
        snprintf(text, DURATION_TEXT_MAX, "%.0f ms", whole(seconds * 1e3));
    else if (seconds < 9.95)
        snprintf(text, DURATION_TEXT_MAX, "%.1f s", seconds);
    else if (seconds < 119.5)
        snprintf(text, DURATION_TEXT_MAX, "%.0f s", whole(seconds));
    else if (seconds < 119.5 * 60)
        snprintf(text, DURATION_TEXT_MAX, "%.0f min", whole(seconds / 60));
    else if (seconds < 9.95 * 3600)
        snprintf(text, DURATION_TEXT_MAX, "%.1f h", seconds / 3600);
    else
        snprintf(text, DURATION_TEXT_MAX, "%.0f h", whole(seconds / 3600));
}
