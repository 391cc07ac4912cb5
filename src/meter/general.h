/* SPDX-License-Identifier: MIT */
/* Metering of general batches: pieces of all kinds and files, up to 64 steps at a time. */
#ifndef METER_GENERAL_H
#define METER_GENERAL_H

struct meter;
struct piece_batch;

void meter_general_take(struct meter *meter, const struct piece_batch *batch);

#endif
