/* SPDX-License-Identifier: MIT */
/*
 * Walks the guest disk through all layers of a chain at once, in guest order: each range from the
 * topmost layer that has it. Memory does not depend on the images, time is in proportion to their
 * tables.
 *
 * A piece is what one entry (with subclusters: one stretch of them) of one layer holds and no layer
 * above it has. The read of a slice of a layer's L2 table comes before the first range that the
 * layers above leave open in it; the slice that was read last in a layer is not read again.
 *
 * A walk may be cut into parts at multiples of part_bytes: no table reaches over them. A part
 * begins without a memory of slices.
 */
#ifndef CHAIN_COMPOSE_H
#define CHAIN_COMPOSE_H

#include "batch.h"
#include "counts.h"
#include "layers.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct chain_compose;

/* A place to walk parts in, for one thread at a time. @zeros: pieces for zeros, too. NULL without
 * memory. */
struct chain_compose *chain_compose_new(const struct chain_layers *layers, bool zeros);
void chain_compose_free(struct chain_compose *compose);

/*
 * Walks [begin, end), both multiples of part_bytes or where the whole walk begins and ends. Adds to
 * @counts what is visible: mapped bytes, reads, and the compressed, zero and corrupt entries of
 * which the layers above do not hide every byte.
 */
int chain_compose_part(struct chain_compose *compose, uint64_t begin, uint64_t end,
                       struct piece_sink sink, struct piece_counts *counts, struct err *err);

#endif
