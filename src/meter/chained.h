/* SPDX-License-Identifier: MIT */
/* The meters of a walk along a backing chain, by as many threads as may be had. */
#ifndef METER_CHAINED_H
#define METER_CHAINED_H

#include "counts.h"
#include "pair.h"
#include "walk.h"

struct err;
struct run_layers;

/*
 * Sets *@meters (meter_pair_free, also on failure) to the meters of a walk through @layers, whose
 * files have numbers below @n_files, and *@counts to what is visible (see run/compose.h). The walk
 * is cut into parts that depend on the layers alone, so the result is the same for any number of
 * threads.
 */
int meter_chained(const struct run_layers *layers, unsigned n_files, struct meter_pair *meters,
                  struct run_counts *counts, const struct meter_walk_options *options,
                  struct err *err);

#endif
