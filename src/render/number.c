// SPDX-License-Identifier: MIT
/* Owns the room for them: several in one statement need a buffer each. */
#include "number.h"

#include "duration.h"
#include "size.h"

const char *render_number_size(uint64_t bytes)
{
    static char ring[RENDER_NUMBER_RING][SIZE_TEXT_MAX];
    static unsigned next;
    char *text = ring[next++ % RENDER_NUMBER_RING];

    size_format(text, bytes);
    return text;
}

const char *render_number_count(uint64_t count)
{
    static char ring[RENDER_NUMBER_RING][SIZE_TEXT_MAX];
    static unsigned next;
    char *text = ring[next++ % RENDER_NUMBER_RING];

    size_format_count(text, count);
    return text;
}

const char *render_number_duration(double seconds)
{
    static char ring[RENDER_NUMBER_RING][DURATION_TEXT_MAX];
    static unsigned next;
    char *text = ring[next++ % RENDER_NUMBER_RING];

    duration_format(text, seconds);
    return text;
}

uint64_t render_number_rounded(double bytes)
{
    return bytes >= 0x1p64 ? UINT64_MAX : (uint64_t)(bytes + 0.5);
}
