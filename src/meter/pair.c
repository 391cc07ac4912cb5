// SPDX-License-Identifier: MIT
/* Owns the doing of everything for each of them. */
#include "pair.h"

#include "stage.h"

#include <errno.h>
#include <stddef.h>

int meter_pair_init(struct meter_pair *pair, uint64_t unit_bytes, unsigned n_files,
                    const struct meter_pair_wanted *wanted)
{
    *pair = (struct meter_pair){.plain = meter_new(unit_bytes, n_files)};
    if (wanted->stage != NULL)
        pair->staged = meter_new(wanted->stage->unit_bytes, wanted->stage->n_files);
    if (wanted->rewrite != NULL)
        pair->rewrite = meter_rewrite_new(wanted->rewrite);
    if (wanted->ordered != NULL)
        pair->ordered = meter_ordered_new(wanted->ordered);
    if (pair->plain != NULL && (wanted->stage == NULL || pair->staged != NULL) &&
        (wanted->rewrite == NULL || pair->rewrite != NULL) &&
        (wanted->ordered == NULL || pair->ordered != NULL))
        return 0;
    meter_pair_free(pair);
    return -ENOMEM;
}

void meter_pair_free(struct meter_pair *pair)
{
    meter_free(pair->plain);
    meter_free(pair->staged);
    meter_rewrite_free(pair->rewrite);
    meter_ordered_free(pair->ordered);
    *pair = (struct meter_pair){.plain = NULL};
}

void meter_pair_clear(struct meter_pair *pair)
{
    meter_clear(pair->plain);
    if (pair->staged != NULL)
        meter_clear(pair->staged);
    if (pair->rewrite != NULL)
        meter_rewrite_clear(pair->rewrite);
    if (pair->ordered != NULL)
        meter_ordered_clear(pair->ordered);
}

void meter_pair_settle(struct meter_pair *pair)
{
    meter_settle(pair->plain);
    if (pair->staged != NULL)
        meter_settle(pair->staged);
    if (pair->rewrite != NULL)
        meter_rewrite_settle(pair->rewrite);
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
    if (pair->rewrite != NULL)
        meter_rewrite_take(pair->rewrite, batch);
    if (pair->ordered != NULL)
        meter_ordered_take(pair->ordered, batch);
    if (stage == NULL)
        return 0;
    return stage->take(state, batch, (struct piece_sink){meter_it, pair->staged});
}

void meter_pair_join(struct meter_pair *left, const struct meter_pair *right, uint64_t shift)
{
    meter_join(left->plain, right->plain, shift);
    if (left->staged != NULL)
        meter_join(left->staged, right->staged, shift);
    if (left->rewrite != NULL)
        meter_rewrite_join(left->rewrite, right->rewrite);
    if (left->ordered != NULL)
        meter_ordered_join(left->ordered, right->ordered);
}

void meter_pair_add_inner(struct meter_pair *left, const struct meter_pair *right, uint64_t times)
{
    meter_add_inner(left->plain, right->plain, times);
    if (left->staged != NULL)
        meter_add_inner(left->staged, right->staged, times);
    if (left->rewrite != NULL)
        meter_rewrite_add_inner(left->rewrite, right->rewrite, times);
    if (left->ordered != NULL)
        meter_ordered_add_inner(left->ordered, right->ordered, times);
}

void meter_pair_merge(struct meter_pair *left, const struct meter_pair *right)
{
    meter_pair_join(left, right, 0);
    meter_pair_add_inner(left, right, 1);
}

int meter_pair_error(const struct meter_pair *pair)
{
    int ret = meter_error(pair->plain);

    if (ret == 0 && pair->staged != NULL)
        ret = meter_error(pair->staged);
    if (ret == 0 && pair->ordered != NULL)
        ret = meter_ordered_error(pair->ordered);
    return ret == 0 && pair->rewrite != NULL ? meter_rewrite_error(pair->rewrite) : ret;
}
