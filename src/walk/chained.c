// SPDX-License-Identifier: MIT
/* Owns the cutting of a walk along a chain into parts. */
#include "chained.h"

#include "checked.h"
#include "compose.h"
#include "err.h"
#include "fold.h"
#include "shape.h"
#include "stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A part has at least this much of L2 tables: some milliseconds of work. */
#define PART_BYTES_MIN (UINT64_C(1) << 20)
/* Each part looks into each layer, also where it has nothing: so often in all. */
#define LOOKS_MAX 8192

struct chained {
    const struct chain_layers *layers;
    const struct format_header *top;
    const struct walk_options *options;
    unsigned n_files;
    struct tables_span span;  /* of the disk; of the top image's clusters, whole ones */
    uint64_t first, n_places; /* where it may be cut: in units of the layers' part_bytes */
    uint32_t n_parts;
};

/* What a part gives. */
struct part {
    const struct piece_stage *stage;
    void *stage_state;
    struct meter_set meters;
    struct piece_counts counts;
};

/* ---- for the fold ---- */

static void *tool_new(void *context)
{
    const struct chained *chained = context;

    return chain_compose_new(chained->layers, walk_has_raster(chained->options));
}

static void tool_free(void *tool)
{
    chain_compose_free(tool);
}

static void result_free(void *result)
{
    struct part *part = result;

    if (part == NULL)
        return;
    meter_set_free(&part->meters);
    if (part->stage != NULL)
        part->stage->state_free(part->stage_state);
    free(part);
}

static int new_set(const struct chained *chained, struct meter_set *set)
{
    /* Reads go to other files between. */
    struct meter_layout_shape shape =
        walk_shape_of_converted(chained->top, &chained->span, chained->layers->virtual_bytes);
    const struct walk_options *options = chained->options;
    const struct meter_set_wanted wanted = {
        .stage = options->stage,
        .converted = options->rewrite != WALK_NO_REWRITE ? &shape : NULL,
        .raster = options->raster,
        .staged_raster = options->staged_raster,
        .zeros = walk_has_raster(options),
    };

    shape.alone = false;
    return meter_set_init(set, chained->layers->unit_bytes, chained->n_files, &wanted);
}

static void *result_new(void *context)
{
    const struct chained *chained = context;
    struct part *part = calloc(1, sizeof(*part));

    if (part == NULL)
        return NULL;
    part->stage = chained->options->stage;
    if (part->stage != NULL)
        part->stage_state = part->stage->state_new(part->stage->shared);
    if ((part->stage != NULL && part->stage_state == NULL) || new_set(chained, &part->meters) < 0) {
        result_free(part);
        return NULL;
    }
    return part;
}

static void result_clear(void *result)
{
    struct part *part = result;

    meter_set_clear(&part->meters);
    part->counts = (struct piece_counts){0};
}

static int take(void *context, const struct piece_batch *batch)
{
    struct part *part = context;

    return meter_set_take(&part->meters, part->stage, part->stage_state, batch);
}

static uint64_t part_begin(const struct chained *chained, uint32_t part)
{
    const struct chain_layers *layers = chained->layers;
    const struct tables_span *span = &chained->span;
    /* They are at least as far apart as what an entry of the top L1 table maps: at most 2^22. */
    uint64_t place = chained->first + chained->n_places * part / chained->n_parts;
    uint64_t begin = place * layers->part_bytes;

    return begin < span->begin ? span->begin : begin < span->end ? begin : span->end;
}

static int work(void *context, void *tool, uint32_t number, void *result, struct err *err)
{
    const struct chained *chained = context;
    struct part *part = result;
    int ret = chain_compose_part(tool, part_begin(chained, number), part_begin(chained, number + 1),
                                 (struct piece_sink){take, part}, &part->counts, err);

    meter_set_settle(&part->meters);
    if (ret == 0)
        ret = meter_set_error(&part->meters);
    return ret == -ENOMEM ? err_no_memory(err) : ret;
}

static void merge(void *left, void *right)
{
    struct part *whole = left, *part = right;

    meter_set_merge(&whole->meters, &part->meters);
    piece_counts_add(&whole->counts, &part->counts);
}

/* ---- the whole ---- */

static uint32_t count_parts(const struct chained *chained)
{
    uint64_t n = chained->layers->l2_bytes / PART_BYTES_MIN;

    if (n > FOLD_PARTS_MAX)
        n = FOLD_PARTS_MAX;
    if (n > LOOKS_MAX / chained->layers->n_list)
        n = LOOKS_MAX / chained->layers->n_list;
    if (n > WALK_PARTS_BY_HOST_MAX && walk_is_by_host(chained->options))
        n = WALK_PARTS_BY_HOST_MAX;
    if (n > chained->n_places)
        n = chained->n_places;
    return n > 0 ? (uint32_t)n : 1;
}

static void choose_span(struct chained *chained, const struct tables_span *wanted)
{
    const struct chain_layers *layers = chained->layers;
    uint64_t mask = layers->list[0].rules.entry.cluster_bytes - 1;
    struct tables_span *span = &chained->span;

    *span = (struct tables_span){0, layers->end};
    if (wanted != NULL && wanted->end < span->end)
        span->end = (wanted->end + mask) & ~mask;
    if (wanted != NULL)
        span->begin = wanted->begin < span->end ? wanted->begin & ~mask : span->end;
    chained->first = span->begin / layers->part_bytes;
    chained->n_places = div_round_up(span->end, layers->part_bytes) - chained->first;
}

int walk_chain(const struct chain_layers *layers, const struct format_header *top, unsigned n_files,
               struct meter_set *meters, struct piece_counts *counts,
               const struct walk_options *options, struct err *err)
{
    struct chained chained = {.layers = layers, .top = top, .options = options, .n_files = n_files};
    struct fold parts = {
        .context = &chained,
        .tool_new = tool_new,
        .tool_free = tool_free,
        .result_new = result_new,
        .result_clear = result_clear,
        .result_free = result_free,
        .work = work,
        .merge = merge,
        .workers = options->workers,
        .progress = options->progress,
        .progress_context = options->context,
    };
    void *result;
    int ret;

    *meters = (struct meter_set){.plain = NULL};
    choose_span(&chained, options->span);
    parts.n_parts = chained.n_parts = count_parts(&chained);
    ret = fold(&parts, &result, err);
    if (ret == 0) {
        struct part *whole = result;

        *meters = whole->meters;
        *counts = whole->counts;
        whole->meters = (struct meter_set){.plain = NULL};
    }
    result_free(result);
    return ret;
}
