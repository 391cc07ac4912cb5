/* SPDX-License-Identifier: MIT */
/*
 * From a finished meter to figures, and from figures to others. Pure: the place where integers
 * become means and ratios. Only which part a row is of its sum is left to those who draw bars.
 */
#ifndef REPORT_FIGURES_H
#define REPORT_FIGURES_H

#include "meter.h"
#include "report.h"

/*
 * Fills @walk but for the counts of entries (compressed, zero, corrupt), which a meter does not
 * know. @pieces is the divisor of the score. Returns 0 or -ENOMEM; on failure nothing is
 * to be freed.
 */
int report_figures(const struct meter *meter, uint64_t pieces, struct report_walk *walk);

/* The fragmented part of what is allocated, by the formula of qemu-img check. */
struct opt_f64 report_figures_check(const struct report_table *table);

/* The breaks at which a spinning disk seeks: what near jumps leave out it reads over. */
uint64_t report_figures_seeks(const struct report_walk *walk);

#endif
