/* SPDX-License-Identifier: MIT */
/*
 * The meters of one walk: of the pieces as they come, of what a stage makes of them, and of where a
 * rewrite would put them; and pictures of the first two.
 */
#ifndef METER_SET_H
#define METER_SET_H

#include "converted.h"
#include "defragged.h"
#include "meter.h"
#include "raster.h"

#include <stdbool.h>
#include <stdint.h>

struct piece_stage;

struct meter_set {
    struct meter *plain;
    struct meter *staged; /* NULL without a stage */
    /* All pieces in one new file, written by convert or by defrag; NULL where nobody asked. */
    struct meter_converted *converted;
    struct meter_defragged *defragged;
    struct meter_raster *raster, *staged_raster; /* of plain and of staged; NULL: not asked for */
    struct piece_batch *sieved;                  /* room for pieces without zeros */
};

/* What there is to be besides a meter of the pieces. NULL: that is not to be. */
struct meter_set_wanted {
    const struct piece_stage *stage;
    const struct meter_layout_shape *converted;
    const struct meter_defragged_shape *defragged;
    const struct meter_raster_shape *raster, *staged_raster;
    bool zeros; /* there may be pieces of zeros; nothing but the rasters gets to see them */
};

/*
 * New meters for pieces in files with numbers below @n_files. @unit_bytes: see meter_new. Returns 0
 * or -ENOMEM, with nothing to release.
 */
int meter_set_init(struct meter_set *set, uint64_t unit_bytes, unsigned n_files,
                   const struct meter_set_wanted *wanted);
void meter_set_free(struct meter_set *set);

/* Forgets all pieces. */
void meter_set_clear(struct meter_set *set);

/* The pieces of @batch follow. @state is a state of the stage. Returns what the stage returned. */
int meter_set_take(struct meter_set *set, const struct piece_stage *stage, void *state,
                   const struct piece_batch *batch);

/*
 * See meter_settle, meter_join, meter_add_inner, meter_merge and meter_error. What @right holds may
 * be taken from it in a merge: it is to be cleared next.
 */
void meter_set_settle(struct meter_set *set);
void meter_set_join(struct meter_set *left, const struct meter_set *right, uint64_t shift);
void meter_set_add_inner(struct meter_set *left, const struct meter_set *right, uint64_t times);
void meter_set_merge(struct meter_set *left, struct meter_set *right);
int meter_set_error(const struct meter_set *set);

#endif
