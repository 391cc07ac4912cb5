// SPDX-License-Identifier: MIT
/* Owns the size of the windows, and the way from ranges to batches and counts of reads. */
#include "compose.h"

#include "reads.h"
#include "window.h"

#include <stdlib.h>

/* Of a window, with the reads of tables in it: some MiB of memory for each thread. A window that
 * cannot be made smaller may have some more. */
#define RANGES_MAX 16384
#define WIDTH_MAX (UINT64_C(1) << 61)
#define PIECE_BYTES_MAX (UINT64_C(1) << 30) /* a batch keeps lengths in 32 bits */
#define NONE UINT64_MAX

struct chain_compose {
    const struct chain_layers *layers;
    struct chain_window *window;
    uint64_t width; /* of the next window */
    struct piece_batch batch;
    struct piece_sink sink;
    struct piece_counts *counts;
    struct chain_range waiting; /* guest_bytes 0: none */

    /* The data read that may still go on. */
    uint64_t read_guest_end;             /* or NONE */
    uint64_t read_begin, unbroken_begin; /* on the guest disk; without any break */
    uint64_t read_host_end;
    uint16_t read_file;
};

struct chain_compose *chain_compose_new(const struct chain_layers *layers, bool zeros)
{
    struct chain_compose *compose = calloc(1, sizeof(*compose));

    if (compose == NULL)
        return NULL;
    compose->layers = layers;
    compose->window = chain_window_new(layers, zeros);
    if (compose->window == NULL) {
        free(compose);
        return NULL;
    }
    return compose;
}

void chain_compose_free(struct chain_compose *compose)
{
    if (compose == NULL)
        return;
    chain_window_free(compose->window);
    free(compose);
}

/* ---- batches ---- */

static int flush(struct chain_compose *compose)
{
    struct piece_batch *batch = &compose->batch;
    int ret = piece_batch_is_empty(batch) ? 0 : compose->sink.take(compose->sink.context, batch);

    piece_batch_clear(batch);
    return ret;
}

static int add_table(struct chain_compose *compose, const struct chain_range *range)
{
    struct piece_batch *batch = &compose->batch;
    uint16_t file = compose->layers->list[range->layer].image_file;
    bool goes_on = batch->n == 0 && batch->table_bytes > 0 && batch->table_file == file &&
                   batch->table_off + batch->table_bytes == range->begin;
    int ret = goes_on ? 0 : flush(compose);

    if (!goes_on) {
        batch->table_file = file;
        batch->table_off = range->begin;
    }
    batch->table_bytes += range->end - range->begin;
    return ret;
}

static int add_piece(struct chain_compose *compose, const struct piece *piece)
{
    int ret = compose->batch.n == PIECE_BATCH_MAX ? flush(compose) : 0;

    piece_batch_add(&compose->batch, piece);
    return ret;
}

/* ---- reads ---- */

/* The reads of data in [begin, end), of which the one at @last may be under way. */
static uint64_t count_data_reads(const struct chain_layer *layer, uint64_t *last, uint64_t begin,
                                 uint64_t end)
{
    const struct tables_read_limits limits = {layer->request_bytes, layer->read_bytes_max};
    uint64_t border = (end - 1) & ~(layer->request_bytes - 1), n;

    if (layer->read_bytes_max != UINT64_MAX)
        return tables_count_reads(limits, last, begin, end);
    n = (end - 1) / layer->request_bytes - begin / layer->request_bytes +
        (*last == begin || begin % layer->request_bytes == 0);
    if (border > *last)
        *last = border;
    return n;
}

/*
 * What lies behind the end of the disk, in its last cluster, is not read. Of a blob, every request
 * that touches a part reads the whole. Returns how often the range is read, not counting breaks.
 */
static uint64_t count_reads(struct chain_compose *compose, const struct chain_range *range)
{
    const struct chain_layer *layer = &compose->layers->list[range->layer];
    struct piece_counts *counts = compose->counts;
    uint64_t begin = range->guest_off, end = begin + range->guest_bytes, n;

    if (end > compose->layers->virtual_bytes)
        end = compose->layers->virtual_bytes;
    if (begin >= end)
        return 0;
    if (range->kind == PIECE_COMPRESSED) {
        n = (end - 1) / layer->request_bytes - begin / layer->request_bytes + 1;
        counts->reads += n;
        counts->reads_unbroken += n;
        compose->read_guest_end = NONE;
        return n;
    }
    if (compose->read_guest_end != begin)
        compose->read_begin = compose->unbroken_begin = begin;
    else if (compose->read_file != layer->data_file || compose->read_host_end != range->begin)
        compose->read_begin = begin;
    counts->reads_unbroken += count_data_reads(layer, &compose->unbroken_begin, begin, end);
    counts->reads += count_data_reads(layer, &compose->read_begin, begin, end);
    compose->read_guest_end = end;
    compose->read_host_end = range->end;
    compose->read_file = layer->data_file;
    return 1;
}

/* ---- ranges ---- */

/*
 * Stretches of a raw file know no clusters. They are cut at fixed places, so that it does not show
 * where windows or parts of the walk were; and what a batch keeps in 32 bits stays small.
 */
static uint64_t piece_end(const struct chain_compose *compose, uint64_t off, uint64_t end)
{
    uint64_t part_bytes = compose->layers->part_bytes;
    uint64_t step = part_bytes < PIECE_BYTES_MAX ? part_bytes : PIECE_BYTES_MAX;
    uint64_t cut = (off | (step - 1)) + 1;

    return cut < end ? cut : end;
}

/* Do its bytes lie in the file as on the disk? */
static bool has_place(const struct chain_range *range)
{
    return range->kind == PIECE_DATA || range->kind == PIECE_ZERO_ALLOCATED;
}

static int add_range(struct chain_compose *compose, const struct chain_range *range)
{
    bool mapped = range->kind == PIECE_DATA || range->kind == PIECE_COMPRESSED;
    uint64_t end = range->guest_off + range->guest_bytes;
    struct piece piece = {.kind = (enum piece_kind)range->kind,
                          .guest_off = range->guest_off,
                          .begin = range->begin,
                          .end = range->end,
                          .slack = range->slack,
                          .file = compose->layers->list[range->layer].data_file};
    uint64_t requests = 0;
    int ret = 0;

    if (mapped) {
        compose->counts->mapped_bytes += range->guest_bytes;
        requests = count_reads(compose, range);
    }
    while (piece.guest_off < end && ret == 0) {
        piece.guest_bytes = piece_end(compose, piece.guest_off, end) - piece.guest_off;
        piece.mapped_bytes = mapped ? piece.guest_bytes : 0;
        if (has_place(range))
            piece.end = piece.begin + piece.guest_bytes;
        ret = add_piece(compose, &piece);
        piece.guest_off += piece.guest_bytes;
        if (has_place(range))
            piece.begin = piece.end;
    }
    for (; range->kind == PIECE_COMPRESSED && requests > 1 && ret == 0; requests--) {
        piece_batch_read_again(&compose->batch, piece.file, range->begin, range->end);
        ret = flush(compose);
    }
    return ret;
}

/* The first @bytes of the range that waits. */
static int add_waiting(struct chain_compose *compose, uint64_t bytes)
{
    struct chain_range *waiting = &compose->waiting, part = *waiting;

    if (bytes == 0)
        return 0;
    part.guest_bytes = bytes;
    waiting->guest_off += bytes;
    waiting->guest_bytes -= bytes;
    if (has_place(waiting)) {
        part.end = part.begin + bytes;
        waiting->begin += bytes;
    }
    return add_range(compose, &part);
}

/*
 * A range of data may reach over the border of slices of a layer above it, which are then read in
 * between; and a stretch of a raw file may go on in the next window. So it waits for what follows.
 */
static int take_range(struct chain_compose *compose, const struct chain_range *range)
{
    struct chain_range *waiting = &compose->waiting;
    uint64_t end = waiting->guest_off + waiting->guest_bytes;
    bool raw = compose->layers->list[range->layer].raw;
    int ret;

    if (range->kind == CHAIN_RANGE_TABLE) {
        bool inside = waiting->guest_bytes > 0 && range->guest_off < end;

        ret = add_waiting(compose,
                          inside ? range->guest_off - waiting->guest_off : waiting->guest_bytes);
        return ret < 0 ? ret : add_table(compose, range);
    }
    if (raw && waiting->guest_bytes > 0 && waiting->layer == range->layer &&
        waiting->kind == range->kind && range->guest_off == end) {
        waiting->guest_bytes += range->guest_bytes;
        waiting->end = range->end;
        return 0;
    }
    ret = add_waiting(compose, waiting->guest_bytes);
    if (ret < 0)
        return ret;
    if (range->kind == PIECE_COMPRESSED) /* all of it is read for any part */
        return add_range(compose, range);
    *waiting = *range;
    return 0;
}

static int hand_over(struct chain_compose *compose)
{
    const struct chain_window *window = compose->window;
    int ret = 0;

    piece_counts_add(compose->counts, &window->counts);
    for (size_t i = 0; i < window->n_ranges && ret == 0; i++)
        ret = take_range(compose, &window->ranges[i]);
    return ret;
}

/* Windows end where no cluster lies across, wherever the first one began. */
static uint64_t next_border(const struct chain_compose *compose, uint64_t at, uint64_t end)
{
    uint64_t begin = at & ~(compose->layers->window_bytes - 1);

    return compose->width < end - begin ? begin + compose->width : end;
}

int chain_compose_part(struct chain_compose *compose, uint64_t begin, uint64_t end,
                       struct piece_sink sink, struct piece_counts *counts, struct err *err)
{
    const uint64_t least = compose->layers->window_bytes;
    int ret = 0;

    compose->sink = sink;
    compose->counts = counts;
    compose->read_guest_end = NONE;
    compose->width = least;
    compose->waiting.guest_bytes = 0;
    piece_batch_clear(&compose->batch);
    compose->batch.uniform = false;
    chain_window_forget(compose->window);
    for (uint64_t at = begin; at < end && ret >= 0;) {
        uint64_t stop = next_border(compose, at, end);

        ret = chain_window_compose(compose->window, at, stop,
                                   compose->width > least ? RANGES_MAX : SIZE_MAX, err);
        if (ret == 0) { /* too much at once; ends, as the least width never is */
            compose->width /= 2;
            continue;
        }
        if (ret > 0)
            ret = hand_over(compose);
        if (compose->window->n_ranges < RANGES_MAX / 4 && compose->width < WIDTH_MAX)
            compose->width *= 2;
        at = stop;
    }
    if (ret >= 0)
        ret = add_waiting(compose, compose->waiting.guest_bytes);
    return ret < 0 ? ret : flush(compose);
}
