// SPDX-License-Identifier: MIT
/* Owns sums over jump bins. Integers only. */
#include "jumps.h"

struct meter_jump_total meter_jumps_total(const struct meter_jumps *jumps)
{
    struct meter_jump_total total = {0, 0};

    for (unsigned i = 0; i < METER_JUMP_BINS; i++) {
        total.count += jumps->bin[i].count;
        total.sum += jumps->bin[i].sum;
    }
    return total;
}
