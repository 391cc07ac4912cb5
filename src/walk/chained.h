/* SPDX-License-Identifier: MIT */
/* The meters of a walk along a backing chain, by as many threads as may be had. */
#ifndef WALK_CHAINED_H
#define WALK_CHAINED_H

#include "counts.h"
#include "set.h"
#include "walk.h"

struct err;
struct chain_layers;
struct format_header;

/*
 * Sets *@meters (meter_set_free, also on failure) to the meters of a walk through @layers, whose
 * files have numbers below @n_files, and *@counts to what is visible (see chain/compose.h). The
 * walk is cut into parts that depend on the layers alone, so the result is the same for any number
 * of threads. @top: the header of the uppermost image, which a rewrite makes another file like.
 */
int walk_chain(const struct chain_layers *layers, const struct format_header *top, unsigned n_files,
               struct meter_set *meters, struct piece_counts *counts,
               const struct walk_options *options, struct err *err);

#endif
