/* SPDX-License-Identifier: MIT */
#ifndef BASE_ZEROS_H
#define BASE_ZEROS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Are all of @len bytes 0? Most that are not show it at their first ones. */
static inline bool is_zeros(const void *memory, size_t len)
{
    const unsigned char *bytes = memory;

    return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

#endif
