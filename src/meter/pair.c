// SPDX-License-Identifier: MIT
/* Owns the doing of everything for each of them. */
#include "pair.h"

#include "stage.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

static int init_rasters(struct meter_pair *pair, const struct meter_pair_wanted *wanted)
{
    if (wanted->raster != NULL)
        pair->raster = meter_raster_new(wanted->raster);
    if (wanted->staged_raster != NULL)
        pair->staged_raster = meter_raster_new(wanted->staged_raster);
    if (wanted->zeros)
        pair->sieved = malloc(sizeof(*pair->sieved));
    return (wanted->raster == NULL || pair->raster != NULL) &&
                   (wanted->staged_raster == NULL || pair->staged_raster != NULL) &&
                   (!wanted->zeros || pair->sieved != NULL)
               ? 0
               : -ENOMEM;
}

int meter_pair_init(struct meter_pair *pair, uint64_t unit_bytes, unsigned n_files,
                    const struct meter_pair_wanted *wanted)
{
    *pair = (struct meter_pair){.plain = meter_new(unit_bytes, n_files)};
    if (wanted->stage != NULL)
        pair->staged = meter_new(wanted->stage->unit_bytes, wanted->stage->n_files);
    if (wanted->converted != NULL)
        pair->converted = meter_converted_new(wanted->converted);
    if (wanted->defragged != NULL)
        pair->defragged = meter_defragged_new(wanted->defragged);
    if (init_rasters(pair, wanted) == 0 && pair->plain != NULL &&
        (wanted->stage == NULL || pair->staged != NULL) &&
        (wanted->converted == NULL || pair->converted != NULL) &&
        (wanted->defragged == NULL || pair->defragged != NULL))
        return 0;
    meter_pair_free(pair);
    return -ENOMEM;
}

void meter_pair_free(struct meter_pair *pair)
{
    meter_free(pair->plain);
    meter_free(pair->staged);
    meter_converted_free(pair->converted);
    meter_defragged_free(pair->defragged);
    meter_raster_free(pair->raster);
    meter_raster_free(pair->staged_raster);
    free(pair->sieved);
    *pair = (struct meter_pair){.plain = NULL};
}

void meter_pair_clear(struct meter_pair *pair)
{
    meter_clear(pair->plain);
    if (pair->staged != NULL)
        meter_clear(pair->staged);
    if (pair->converted != NULL)
        meter_converted_clear(pair->converted);
    if (pair->defragged != NULL)
        meter_defragged_clear(pair->defragged);
    if (pair->raster != NULL)
        meter_raster_clear(pair->raster);
    if (pair->staged_raster != NULL)
        meter_raster_clear(pair->staged_raster);
}

void meter_pair_settle(struct meter_pair *pair)
{
    meter_settle(pair->plain);
    if (pair->staged != NULL)
        meter_settle(pair->staged);
    if (pair->converted != NULL)
        meter_converted_settle(pair->converted);
}

static int take_staged(void *context, const struct piece_batch *batch)
{
    struct meter_pair *pair = context;

    meter_take(pair->staged, batch);
    if (pair->staged_raster != NULL)
        meter_raster_take(pair->staged_raster, batch);
    return 0;
}

/* What the meters get to see of @batch. */
static const struct piece_batch *picture(struct meter_pair *pair, const struct piece_batch *batch)
{
    if (pair->raster != NULL)
        meter_raster_take(pair->raster, batch);
    if (pair->staged_raster != NULL)
        meter_raster_take_zeros(pair->staged_raster, batch);
    return pair->sieved != NULL ? piece_batch_without_zeros(batch, pair->sieved) : batch;
}

int meter_pair_take(struct meter_pair *pair, const struct piece_stage *stage, void *state,
                    const struct piece_batch *batch)
{
    batch = picture(pair, batch);
    meter_take(pair->plain, batch);
    if (pair->converted != NULL)
        meter_converted_take(pair->converted, batch);
    if (pair->defragged != NULL)
        meter_defragged_take(pair->defragged, batch);
    if (stage == NULL)
        return 0;
    return stage->take(state, batch, (struct piece_sink){take_staged, pair});
}

static void join_meters(struct meter_pair *left, const struct meter_pair *right, uint64_t shift)
{
    meter_join(left->plain, right->plain, shift);
    if (left->staged != NULL)
        meter_join(left->staged, right->staged, shift);
    if (left->converted != NULL)
        meter_converted_join(left->converted, right->converted);
    if (left->defragged != NULL)
        meter_defragged_join(left->defragged, right->defragged);
}

void meter_pair_join(struct meter_pair *left, const struct meter_pair *right, uint64_t shift)
{
    join_meters(left, right, shift);
    if (left->raster != NULL)
        meter_raster_join(left->raster, right->raster, shift);
    if (left->staged_raster != NULL)
        meter_raster_join(left->staged_raster, right->staged_raster, shift);
}

void meter_pair_add_inner(struct meter_pair *left, const struct meter_pair *right, uint64_t times)
{
    meter_add_inner(left->plain, right->plain, times);
    if (left->staged != NULL)
        meter_add_inner(left->staged, right->staged, times);
    if (left->converted != NULL)
        meter_converted_add_inner(left->converted, right->converted, times);
    if (left->defragged != NULL)
        meter_defragged_add_inner(left->defragged, right->defragged, times);
}

void meter_pair_merge(struct meter_pair *left, struct meter_pair *right)
{
    join_meters(left, right, 0);
    meter_pair_add_inner(left, right, 1);
    if (left->raster != NULL)
        meter_raster_merge(left->raster, right->raster);
    if (left->staged_raster != NULL)
        meter_raster_merge(left->staged_raster, right->staged_raster);
}

int meter_pair_error(const struct meter_pair *pair)
{
    int ret = meter_error(pair->plain);

    if (ret == 0 && pair->staged != NULL)
        ret = meter_error(pair->staged);
    if (ret == 0 && pair->defragged != NULL)
        ret = meter_defragged_error(pair->defragged);
    if (ret == 0 && pair->raster != NULL)
        ret = meter_raster_error(pair->raster);
    if (ret == 0 && pair->staged_raster != NULL)
        ret = meter_raster_error(pair->staged_raster);
    return ret == 0 && pair->converted != NULL ? meter_converted_error(pair->converted) : ret;
}
