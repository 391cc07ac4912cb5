/* SPDX-License-Identifier: MIT */
/* Metering of uniform batches: whole clusters side by side on the guest disk, the common case. */
#ifndef METER_UNIFORM_H
#define METER_UNIFORM_H

struct meter;
struct piece_batch;

void meter_uniform_take(struct meter *meter, const struct piece_batch *batch);

#endif
