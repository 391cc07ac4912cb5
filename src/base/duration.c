// SPDX-License-Identifier: MIT
/* Owns the choice of unit and digits for a duration. */
#include "duration.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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

bool duration_is_unit(const char *word, size_t len)
{
    static const char *const units[] = {"ms", "s", "min", "h", "d"};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strlen(units[i]) == len && memcmp(word, units[i], len) == 0)
            return true;
    return false;
}

#define LONGEST (UINT64_C(100) * 366 * 24 * 3600)

bool duration_parse(const char *text, uint64_t *seconds)
{
    static const char units[] = "dhms";
    static const uint64_t in_seconds[] = {86400, 3600, 60, 1};
    size_t next = 0; /* the largest unit that may still come */

    if (*text == '\0')
        return false;
    for (*seconds = 0; *text != '\0';) {
        size_t digits = strspn(text, "0123456789");
        const char *unit;
        uint64_t n = 0;

        if (digits == 0 || digits > 10)
            return false;
        for (size_t i = 0; i < digits; i++)
            n = 10 * n + (uint64_t)(text[i] - '0');
        text += digits;
        if (*text == '\0' && next > 0) /* 1h30: of what? */
            return false;
        unit = strchr(units + next, *text == '\0' ? 's' : *text);
        if (unit == NULL)
            return false;
        *seconds += n * in_seconds[unit - units];
        next = (size_t)(unit - units) + 1;
        text += *text != '\0';
        if (*seconds > LONGEST)
            return false;
    }
    return true;
}
