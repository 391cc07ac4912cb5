/* SPDX-License-Identifier: MIT */
/* Uniform batches on their way to the device, 64 clusters at a time. */
#ifndef HOST_PLACING_BLOCKS_H
#define HOST_PLACING_BLOCKS_H

struct host_placer;
struct piece_batch;

/* Returns 0 or what the sink did. */
int host_placing_blocks(struct host_placer *placer, const struct piece_batch *batch);

#endif
