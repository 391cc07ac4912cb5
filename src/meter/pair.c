// SPDX-License-Identifier: MIT
/* Owns the doing of everything twice. */
#include "pair.h"

#include "stage.h"

#include <errno.h>
#include <stddef.h>

int meter_pair_init(struct meter_pair *pair, uint64_t unit_bytes, unsigned n_files,
                    const struct piece_stage *stage)
{
    *pair = (struct meter_pair){meter_new(unit_bytes, n_files), NULL};
    if (stage != NULL)
        pair->staged = meter_new(stage->unit_bytes, stage->n_files);
    if (pair->plain != NULL && (stage == NULL || pair->staged != NULL))
        return 0;
    meter_pair_free(pair);
    return -ENOMEM;
}

void meter_pair_free(struct meter_pair *pair)
{
    meter_free(pair->plain);
    meter_free(pair->staged);
    *pair = (struct meter_pair){NULL, NULL};
}

void meter_pair_clear(struct meter_pair *pair)
{
    meter_clear(pair->plain);
    if (pair->staged != NULL)
        meter_clear(pair->staged);
}

void meter_pair_settle(struct meter_pair *pair)
{
    meter_settle(pair->plain);
    if (pair->staged != NULL)
        meter_settle(pair->staged);
}

static int meter_it(void *context, const struct piece_batch *batch)
{
    meter_take(context, batch);
    return 0;
}

int meter_pair_take(struct meter_pair *pair, const struct piece_stage *stage, void *state,
                    const struct piece_batch *batch)
{
    meter_take(pair->plain, batch);
    if (stage == NULL)
        return 0;
    return stage->take(state, batch, (struct piece_sink){meter_it, pair->staged});
}

void meter_pair_join(struct meter_pair *left, const struct meter_pair *right, uint64_t shift)
{
    meter_join(left->plain, right->plain, shift);
    if (left->staged != NULL)
        meter_join(left->staged, right->staged, shift);
}

void meter_pair_add_inner(struct meter_pair *left, const struct meter_pair *right, uint64_t times)
{
    meter_add_inner(left->plain, right->plain, times);
    if (left->staged != NULL)
        meter_add_inner(left->staged, right->staged, times);
}

void meter_pair_merge(struct meter_pair *left, const struct meter_pair *right)
{
    meter_pair_join(left, right, 0);
    meter_pair_add_inner(left, right, 1);
}

int meter_pair_error(const struct meter_pair *pair)
{
    int ret = meter_error(pair->plain);

    return ret == 0 && pair->staged != NULL ? meter_error(pair->staged) : ret;
}
