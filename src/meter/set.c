// SPDX-License-Identifier: MIT
/* Owns the doing of everything for each of them. */
#include "set.h"

#include "stage.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

static int init_rasters(struct meter_set *set, const struct meter_set_wanted *wanted)
{
    if (wanted->raster != NULL)
        set->raster = meter_raster_new(wanted->raster);
    if (wanted->staged_raster != NULL)
        set->staged_raster = meter_raster_new(wanted->staged_raster);
    if (wanted->zeros)
        set->sieved = malloc(sizeof(*set->sieved));
    return (wanted->raster == NULL || set->raster != NULL) &&
                   (wanted->staged_raster == NULL || set->staged_raster != NULL) &&
                   (!wanted->zeros || set->sieved != NULL)
               ? 0
               : -ENOMEM;
}

int meter_set_init(struct meter_set *set, uint64_t unit_bytes, unsigned n_files,
                   const struct meter_set_wanted *wanted)
{
    *set = (struct meter_set){.plain = meter_new(unit_bytes, n_files)};
    if (wanted->stage != NULL)
        set->staged = meter_new(wanted->stage->unit_bytes, wanted->stage->n_files);
    if (wanted->converted != NULL)
        set->converted = meter_converted_new(wanted->converted);
    if (wanted->defragged != NULL)
        set->defragged = meter_defragged_new(wanted->defragged);
    if (init_rasters(set, wanted) == 0 && set->plain != NULL &&
        (wanted->stage == NULL || set->staged != NULL) &&
        (wanted->converted == NULL || set->converted != NULL) &&
        (wanted->defragged == NULL || set->defragged != NULL))
        return 0;
    meter_set_free(set);
    return -ENOMEM;
}

void meter_set_free(struct meter_set *set)
{
    meter_free(set->plain);
    meter_free(set->staged);
    meter_converted_free(set->converted);
    meter_defragged_free(set->defragged);
    meter_raster_free(set->raster);
    meter_raster_free(set->staged_raster);
    free(set->sieved);
    *set = (struct meter_set){.plain = NULL};
}

void meter_set_clear(struct meter_set *set)
{
    meter_clear(set->plain);
    if (set->staged != NULL)
        meter_clear(set->staged);
    if (set->converted != NULL)
        meter_converted_clear(set->converted);
    if (set->defragged != NULL)
        meter_defragged_clear(set->defragged);
    if (set->raster != NULL)
        meter_raster_clear(set->raster);
    if (set->staged_raster != NULL)
        meter_raster_clear(set->staged_raster);
}

void meter_set_settle(struct meter_set *set)
{
    meter_settle(set->plain);
    if (set->staged != NULL)
        meter_settle(set->staged);
    if (set->converted != NULL)
        meter_converted_settle(set->converted);
}

static int take_staged(void *context, const struct piece_batch *batch)
{
    struct meter_set *set = context;

    meter_take(set->staged, batch);
    if (set->staged_raster != NULL)
        meter_raster_take(set->staged_raster, batch);
    return 0;
}

/* What the meters get to see of @batch. */
static const struct piece_batch *picture(struct meter_set *set, const struct piece_batch *batch)
{
    if (set->raster != NULL)
        meter_raster_take(set->raster, batch);
    if (set->staged_raster != NULL)
        meter_raster_take_zeros(set->staged_raster, batch);
    return set->sieved != NULL ? piece_batch_without_zeros(batch, set->sieved) : batch;
}

int meter_set_take(struct meter_set *set, const struct piece_stage *stage, void *state,
                   const struct piece_batch *batch)
{
    batch = picture(set, batch);
    meter_take(set->plain, batch);
    if (set->converted != NULL)
        meter_converted_take(set->converted, batch);
    if (set->defragged != NULL)
        meter_defragged_take(set->defragged, batch);
    if (stage == NULL)
        return 0;
    return stage->take(state, batch, (struct piece_sink){take_staged, set});
}

static void join_meters(struct meter_set *left, const struct meter_set *right, uint64_t shift)
{
    meter_join(left->plain, right->plain, shift);
    if (left->staged != NULL)
        meter_join(left->staged, right->staged, shift);
    if (left->converted != NULL)
        meter_converted_join(left->converted, right->converted);
    if (left->defragged != NULL)
        meter_defragged_join(left->defragged, right->defragged);
}

void meter_set_join(struct meter_set *left, const struct meter_set *right, uint64_t shift)
{
    join_meters(left, right, shift);
    if (left->raster != NULL)
        meter_raster_join(left->raster, right->raster, shift);
    if (left->staged_raster != NULL)
        meter_raster_join(left->staged_raster, right->staged_raster, shift);
}

void meter_set_add_inner(struct meter_set *left, const struct meter_set *right, uint64_t times)
{
    meter_add_inner(left->plain, right->plain, times);
    if (left->staged != NULL)
        meter_add_inner(left->staged, right->staged, times);
    if (left->converted != NULL)
        meter_converted_add_inner(left->converted, right->converted, times);
    if (left->defragged != NULL)
        meter_defragged_add_inner(left->defragged, right->defragged, times);
}

void meter_set_merge(struct meter_set *left, struct meter_set *right)
{
    join_meters(left, right, 0);
    meter_set_add_inner(left, right, 1);
    if (left->raster != NULL)
        meter_raster_merge(left->raster, right->raster);
    if (left->staged_raster != NULL)
        meter_raster_merge(left->staged_raster, right->staged_raster);
}

int meter_set_error(const struct meter_set *set)
{
    int ret = meter_error(set->plain);

    if (ret == 0 && set->staged != NULL)
        ret = meter_error(set->staged);
    if (ret == 0 && set->defragged != NULL)
        ret = meter_defragged_error(set->defragged);
    if (ret == 0 && set->raster != NULL)
        ret = meter_raster_error(set->raster);
    if (ret == 0 && set->staged_raster != NULL)
        ret = meter_raster_error(set->staged_raster);
    return ret == 0 && set->converted != NULL ? meter_converted_error(set->converted) : ret;
}
