/* SPDX-License-Identifier: MIT */
/* A measurement on its way: what its parts share, and how a walk becomes the figures of a table. */
#ifndef REPORT_WORK_H
#define REPORT_WORK_H

#include "cost.h"
#include "host.h"
#include "measure.h"
#include "opt.h"
#include "report.h"
#include "walk.h"

#include <stddef.h>
#include <stdint.h>

struct report_backing;

struct report_work {
    struct format_image *image;
    const struct report_choice *choice;
    struct report_image *report;
    struct report_backing *backing; /* NULL: the image alone is measured */
    struct err *err;
    struct report_host_maps host;
    struct report_profile profile;
    struct opt_u64 copy_bytes; /* of data that a rewrite of the active state copies */
    size_t *chosen;            /* what to walk: TABLES_TABLE_ACTIVE, or the index of a snapshot */
    size_t n_chosen;
};

/* All functions here return 0 or -errno with the error of @work set. */

/* How the tables of @work are walked. What it points to is borrowed from @work. */
struct walk_options report_work_options(const struct report_work *work);

/*
 * The figures of a walk, of a table alone or along a chain: of its pieces, over the device if the
 * maps of all files are known, and after a rewrite. @pieces: that the score is a share of.
 */
int report_work_fill(const struct report_work *work, const struct piece_counts *counts,
                     uint64_t mapped_clusters, uint64_t pieces, const struct meter_set *meters,
                     struct report_table *table);

/*
 * The pictures that were chosen begin, empty, before the first walk; that of the first table, alone
 * or along a chain, is made with them, and ends by handing over its rasters.
 */
int report_work_begin_pictures(struct report_work *work);
bool report_work_pictures_are_of_tables(const struct report_work *work); /* else the chain */
void report_work_picture(const struct report_work *work, struct walk_options *options);
void report_work_end_pictures(struct report_work *work, struct meter_set *meters);
void report_work_drop_pictures(struct report_work *work); /* those without a walk */

/* Measures each chosen table by itself: report->tables. */
int report_work_measure_tables(struct report_work *work);

/* Then each again along the backing chain. */
int report_work_measure_chain(struct report_work *work);

#endif
