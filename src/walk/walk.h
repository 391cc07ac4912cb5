/* SPDX-License-Identifier: MIT */
/*
 * A meter for each of several tables of an image, in one scan by as many threads as may be had.
 *
 * The scan is cut into parts that depend on the image alone; each part has meters of its own, and
 * they are merged from left to right. So the result is the same for any number of threads.
 */
#ifndef WALK_WALK_H
#define WALK_WALK_H

#include "part.h"
#include "scan.h"

#include <stddef.h>

struct workers;

/* By which program. Along a chain it is always convert. */
enum walk_rewrite { WALK_NO_REWRITE, WALK_CONVERT, WALK_DEFRAG };

struct walk_options {
    struct workers *workers;         /* NULL: only the calling thread */
    const struct piece_stage *stage; /* NULL: none; meters are then made of the pieces alone */
    const struct tables_span *span;  /* the part of the guest disk to walk; NULL: all of it */
    enum walk_rewrite rewrite;       /* also the walk of what a rewrite would write */
    /* A picture of the first table, and one of what the stage makes of it. NULL: none. Borrowed. */
    const struct meter_raster_shape *raster, *staged_raster;
    /* Called now and then, by one thread at a time, with the part that is done, 0 .. 1. */
    void (*progress)(void *context, double done); /* NULL: nobody asks */
    void *context;
};

static inline bool walk_has_raster(const struct walk_options *options)
{
    return options->raster != NULL || options->staged_raster != NULL;
}

/* A part of the disk may lie anywhere on the host: a picture by host is as large in each part. */
#define WALK_PARTS_BY_HOST_MAX 2

static inline bool walk_is_by_host(const struct walk_options *options)
{
    return (options->raster != NULL && options->raster->by_host) ||
           (options->staged_raster != NULL && options->staged_raster->by_host);
}

/*
 * Sets meters[i] to new meters of tables[i] (meter_set_free each, also on failure, where some may
 * be empty), and fills the counts and findings of the tables. An L2 table that several of them
 * share is walked once, and its result merged into each.
 */
int walk_tables(struct format_image *image, struct tables_table *tables, size_t n_tables,
                struct meter_set *meters, const struct walk_options *options, struct err *err);

#endif
