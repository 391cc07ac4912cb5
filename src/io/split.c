// SPDX-License-Identifier: MIT
/* Owns the arithmetic of parts. */
#include "split.h"

#include "sector.h"

#define MINIMUM_MAX (64u << 10)

bool io_split_init(struct io_split *split, uint64_t size, uint64_t minimum, uint64_t maximum)
{
    if (minimum > MINIMUM_MAX || (minimum & (minimum - 1)) != 0 ||
        (maximum != 0 && maximum < (minimum > SECTOR_BYTES ? minimum : SECTOR_BYTES)))
        return false;
    if (minimum < SECTOR_BYTES)
        minimum = SECTOR_BYTES;
    if (maximum == 0 || maximum > IO_SPLIT_PART_BYTES)
        maximum = IO_SPLIT_PART_BYTES;
    *split = (struct io_split){size, (uint32_t)minimum, (uint32_t)(maximum & ~(minimum - 1))};
    return true;
}

void io_split_widen(const struct io_split *split, uint64_t *begin, uint64_t *end)
{
    const uint64_t mask = split->minimum - 1;

    *begin &= ~mask;
    *end = *end > split->size - split->size % split->minimum ? split->size : (*end + mask) & ~mask;
}

uint32_t io_split_part(const struct io_split *split, uint64_t begin, uint64_t end)
{
    return end - begin < split->maximum ? (uint32_t)(end - begin) : split->maximum;
}
