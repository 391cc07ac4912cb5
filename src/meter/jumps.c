// SPDX-License-Identifier: MIT
/* Owns sums over jump bins. Integers only. */
#include "jumps.h"

void meter_jumps_merge(struct meter_jumps *sum, const struct meter_jumps *more, uint64_t times)
{
    for (unsigned i = 0; i < METER_JUMP_BINS; i++) {
        if (more->bin[i].count == 0)
            continue;
        sum->bin[i].count += times * more->bin[i].count;
        sum->bin[i].sum += times * meter_jump_sum(&more->bin[i]);
    }
}

void meter_jumps_fold(struct meter_jumps *jumps)
{
    for (unsigned i = 0; i < METER_JUMP_BINS; i++) {
        jumps->bin[i].sum += jumps->bin[i].fresh;
        jumps->bin[i].fresh = 0;
    }
}

struct meter_jump_total meter_jumps_total(const struct meter_jumps *jumps)
{
    struct meter_jump_total total = {0, 0};

    for (unsigned i = 0; i < METER_JUMP_BINS; i++) {
        total.count += jumps->bin[i].count;
        total.sum += meter_jump_sum(&jumps->bin[i]);
    }
    return total;
}
