/* SPDX-License-Identifier: MIT */
/* Single pieces and reads on their way to the device. */
#ifndef HOST_PLACING_PIECES_H
#define HOST_PLACING_PIECES_H

struct host_placer;
struct piece_batch;

/* The read of L2 table before the pieces, the pieces of a general batch, the blob that is read
 * again: each returns 0 or what the sink did. */
int host_placing_table(struct host_placer *placer, const struct piece_batch *batch);
int host_placing_pieces(struct host_placer *placer, const struct piece_batch *batch);
int host_placing_again(struct host_placer *placer, const struct piece_batch *batch);

#endif
