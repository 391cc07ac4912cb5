/* SPDX-License-Identifier: MIT */
/* From a finished meter to figures. Pure: the only place where integers become means and ratios. */
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

#endif
