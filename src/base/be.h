/* SPDX-License-Identifier: MIT */
/* Big-endian numbers at unaligned places; everything in a qcow2 file is big endian. Pure. */
#ifndef BASE_BE_H
#define BASE_BE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t be16_load(const void *p)
{
    uint16_t n;

    memcpy(&n, p, sizeof(n));
    return be16toh(n);
}

static inline uint32_t be32_load(const void *p)
{
    uint32_t n;

    memcpy(&n, p, sizeof(n));
    return be32toh(n);
}

static inline uint64_t be64_load(const void *p)
{
    uint64_t n;

    memcpy(&n, p, sizeof(n));
    return be64toh(n);
}

static inline void be64_store(void *p, uint64_t n)
{
    n = htobe64(n);
    memcpy(p, &n, sizeof(n));
}

#endif
