/* SPDX-License-Identifier: MIT */
/* A meter for each of several tables of an image, in one scan. */
#ifndef METER_WALK_H
#define METER_WALK_H

#include "meter.h"
#include "scan.h"

#include <stddef.h>

/*
 * Sets meters[i] to a new meter of tables[i] (meter_free each, also on failure, where some may be
 * NULL), and fills the counts and findings of the tables. An L2 table that several of them share
 * is walked once, and its result merged into each.
 */
int meter_walk(struct format_image *image, struct run_table *tables, size_t n_tables,
               struct meter **meters, const struct run_progress *progress, struct err *err);

#endif
