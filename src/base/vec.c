// SPDX-License-Identifier: MIT
/* Owns the growth policy of arrays: double, from eight. */
#include "vec.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int vec_grow(void *array, size_t *capacity, size_t want, size_t element_bytes)
{
    size_t grown = *capacity < 8 ? 8 : *capacity;
    void *moved;

    if (want <= *capacity)
        return 0;
    while (grown < want) {
        if (grown > SIZE_MAX / 2)
            return -ENOMEM;
        grown *= 2;
    }
    memcpy(&moved, array, sizeof(moved));
    moved = reallocarray(moved, grown, element_bytes);
    if (moved == NULL)
        return -ENOMEM;
    memcpy(array, &moved, sizeof(moved));
    *capacity = grown;
    return 0;
}
