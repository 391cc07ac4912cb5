/* SPDX-License-Identifier: MIT */
/*
 * Where jumps are counted: by direction, power of two and the next four bits of their distance,
 * with exact integer sums. Enough for exact means, a histogram, and any cost that depends on the
 * distance; and without floating point, so that adding up in another order changes nothing.
 */
#ifndef METER_JUMPS_H
#define METER_JUMPS_H

#include <stdint.h>

/* Distances below 16 have a bin each; from 2^4 to 2^63 there are 16 bins for each power. */
#define METER_JUMP_BINS (16 + 60 * 16)

/* A forward jump over at most this much is cheaper to read over than to seek over. */
#define METER_NEAR_BYTES (UINT64_C(512) << 10)

enum meter_direction { METER_BACKWARD, METER_FORWARD, METER_N_DIRECTIONS };

struct meter_jump_bin {
    uint64_t count;
    unsigned __int128 sum; /* of the distances in bytes */
};

struct meter_jump_total {
    uint64_t count;
    unsigned __int128 sum;
};

struct meter_jumps {
    struct meter_jump_bin bin[METER_JUMP_BINS];
};

/* The bin of a distance of at least 16 bytes. */
static inline uint32_t meter_jump_bin_of_long(uint64_t distance)
{
    uint32_t power = 63 - (uint32_t)__builtin_clzll(distance);

    return 16 * (power - 3) + (uint32_t)(distance >> (power - 4) & 15);
}

/* The bin of a distance in bytes. */
static inline uint32_t meter_jump_bin_of(uint64_t distance)
{
    return distance < 16 ? (uint32_t)distance : meter_jump_bin_of_long(distance);
}

/* The power of two that a bin belongs to, as a distance: 0, 1, 2, 4 ... 2^63. */
static inline uint64_t meter_jump_bin_power(unsigned bin)
{
    if (bin == 0)
        return 0;
    return bin < 16 ? UINT64_C(1) << (31 - __builtin_clz(bin)) : UINT64_C(1) << (bin / 16 + 3);
}

static inline void meter_jumps_add(struct meter_jumps *jumps, uint64_t distance)
{
    struct meter_jump_bin *bin = &jumps->bin[meter_jump_bin_of(distance)];

    bin->count++;
    bin->sum += distance;
}

/* The total of all bins. */
struct meter_jump_total meter_jumps_total(const struct meter_jumps *jumps);

#endif
