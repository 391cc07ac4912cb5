// SPDX-License-Identifier: MIT
/* Owns the size of the windows, and the way from ranges to batches and counts of reads. */
#include "compose.h"

#include "checked.h"
#include "requests.h"
#include "window.h"

#include <stdlib.h>

/* Of a window, with the reads of tables in it: some MiB of memory for each thread. A window that
 * cannot be made smaller may have some more. */
#define RANGES_MAX 16384
#define WIDTH_MAX (UINT64_C(1) << 61)
#define PIECE_BYTES_MAX (UINT64_C(1) << 30) /* a batch keeps lengths in 32 bits */

struct chain_compose {
    const struct chain_layers *layers;
    struct chain_window *window;
    uint64_t width; /* of the next window */
    struct piece_batch batch;
    struct piece_sink sink;
    struct piece_counts *counts;
    struct chain_requests requests;
    struct chain_range waiting; /* guest_bytes 0: none */
    bool begun;                 /* a part of it was added already, */
    uint64_t counted;           /* and its reads counted up to here */
    bool zeros;                 /* are wanted as pieces */
};

struct chain_compose *chain_compose_new(const struct chain_layers *layers, bool zeros)
{
    struct chain_compose *compose = calloc(1, sizeof(*compose));

    if (compose == NULL)
        return NULL;
    compose->layers = layers;
    compose->zeros = zeros;
    compose->window = chain_window_new(layers, zeros);
    if (compose->window == NULL || chain_requests_init(&compose->requests, layers) < 0) {
        chain_compose_free(compose);
        return NULL;
    }
    /* A lookup of an encrypted image ends where it finds zeros. */
    compose->window->zeros = zeros || compose->requests.n_lookups > 0;
    return compose;
}

void chain_compose_free(struct chain_compose *compose)
{
    if (compose == NULL)
        return;
    chain_window_free(compose->window);
    chain_requests_free(&compose->requests);
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
    bool goes_on = batch->n == 0 && batch->l2_bytes > 0 && batch->l2_file == file &&
                   batch->l2_off + batch->l2_bytes == range->begin;
    int ret = goes_on ? 0 : flush(compose);

    if (!goes_on) {
        batch->l2_file = file;
        batch->l2_off = range->begin;
    }
    batch->l2_bytes += range->end - range->begin;
    return ret;
}

static int add_piece(struct chain_compose *compose, const struct piece *piece)
{
    int ret = compose->batch.n == PIECE_BATCH_MAX ? flush(compose) : 0;

    piece_batch_add(&compose->batch, piece);
    return ret;
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

/* Is it the rest of a piece? A stretch of a raw file has one for each cluster of the top image. */
static bool goes_on(const struct chain_compose *compose, const struct chain_range *range)
{
    uint64_t cluster_bytes = compose->layers->list[0].rules.entry.cluster_bytes;

    return compose->begun &&
           (!compose->layers->list[range->layer].raw || range->guest_off % cluster_bytes != 0);
}

/* As often as the walk compares it: a stretch of a raw file for each cluster of the top image. */
static uint64_t count_pieces(const struct chain_compose *compose, const struct chain_range *range)
{
    uint64_t cluster_bytes = compose->layers->list[0].rules.entry.cluster_bytes;
    uint64_t end = range->guest_off + range->guest_bytes;
    if (!compose->layers->list[range->layer].raw)
        return !compose->begun;
    return div_round_up(end, cluster_bytes) - range->guest_off / cluster_bytes -
           goes_on(compose, range);
}

static int add_range(struct chain_compose *compose, const struct chain_range *range)
{
    bool mapped = piece_is_mapped(range->kind);
    uint64_t end = range->guest_off + range->guest_bytes;
    struct piece piece = {.kind = (enum piece_kind)range->kind,
                          .guest_off = range->guest_off,
                          .begin = range->begin,
                          .end = range->end,
                          .slack = range->slack,
                          .file = compose->layers->list[range->layer].data_file};
    int ret = 0;

    if (!mapped && !compose->zeros)
        return 0;
    if (mapped) {
        compose->counts->mapped_bytes += range->guest_bytes;
        compose->counts->pieces += count_pieces(compose, range);
        if (compose->batch.n == 0)
            compose->batch.goes_on = goes_on(compose, range);
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
    return ret;
}

/*
 * The reads of what waits, up to @off; of a blob, how many. What lies behind the end of the disk,
 * in its last cluster, is not read.
 */
static uint64_t count_to(struct chain_compose *compose, uint64_t off)
{
    const struct chain_range *waiting = &compose->waiting;
    uint64_t from = compose->counted, host_off = waiting->begin + (from - waiting->guest_off);
    enum chain_content content = waiting->kind == PIECE_DATA         ? CHAIN_DATA
                                 : waiting->kind != PIECE_COMPRESSED ? CHAIN_ZEROS
                                 : compose->begun                    ? CHAIN_BLOB_REST
                                                                     : CHAIN_BLOB;

    if (off > compose->layers->virtual_bytes)
        off = compose->layers->virtual_bytes;
    if (waiting->guest_bytes == 0 || off <= from)
        return 0;
    compose->counted = off;
    return chain_requests_take(&compose->requests, waiting->layer, content, from, off - from,
                               content == CHAIN_ZEROS ? from : host_off);
}

/* A part of a blob that waits: as a piece it is added at once, and read again and again. */
static int add_blob_to(struct chain_compose *compose, uint64_t off)
{
    const struct chain_range *waiting = &compose->waiting;
    uint16_t file = compose->layers->list[waiting->layer].data_file;
    uint64_t reads = count_to(compose, off);
    int ret = 0;

    if (!compose->begun) {
        ret = add_range(compose, waiting);
        compose->begun = true;
        reads -= reads > 0;
    }
    for (; reads > 0 && ret == 0; reads--) {
        piece_batch_read_again(&compose->batch, file, waiting->begin, waiting->end);
        ret = flush(compose);
    }
    return ret;
}

/* What waits, up to @off. */
static int add_waiting(struct chain_compose *compose, uint64_t off)
{
    struct chain_range *waiting = &compose->waiting, part = *waiting;
    int ret;

    if (waiting->guest_bytes == 0 || off <= waiting->guest_off)
        return 0;
    if (waiting->kind == PIECE_COMPRESSED) {
        ret = add_blob_to(compose, off);
        if (off == waiting->guest_off + waiting->guest_bytes)
            waiting->guest_bytes = 0;
        return ret;
    }
    count_to(compose, off);
    part.guest_bytes = off - waiting->guest_off;
    waiting->guest_off += part.guest_bytes;
    waiting->guest_bytes -= part.guest_bytes;
    if (has_place(waiting)) {
        part.end = part.begin + part.guest_bytes;
        waiting->begin += part.guest_bytes;
    }
    ret = add_range(compose, &part);
    compose->begun = true;
    return ret;
}

static uint64_t waiting_end(const struct chain_compose *compose)
{
    return compose->waiting.guest_off + compose->waiting.guest_bytes;
}

/* A table is read, or a lookup ends: perhaps inside what waits. */
static int take_mark(struct chain_compose *compose, const struct chain_range *mark)
{
    uint64_t end = waiting_end(compose), off = mark->guest_off < end ? mark->guest_off : end;
    bool table = mark->kind == CHAIN_RANGE_L2;
    int ret = 0;

    if (table || compose->waiting.kind == PIECE_COMPRESSED)
        ret = add_waiting(compose, off);
    else
        count_to(compose, off);
    if (table)
        return ret < 0 ? ret : add_table(compose, mark);
    chain_requests_cut(&compose->requests, mark->guest_off, mark->layer);
    return ret;
}

/*
 * A range may reach over the border of slices of a layer above it, which are then read in between;
 * and a stretch of a raw file may go on in the next window. So it waits for what follows.
 */
static int take_range(struct chain_compose *compose, const struct chain_range *range)
{
    struct chain_range *waiting = &compose->waiting;
    bool raw = compose->layers->list[range->layer].raw;
    int ret;

    if (range->kind == CHAIN_RANGE_L2 || range->kind == CHAIN_RANGE_CUT)
        return take_mark(compose, range);
    if (raw && waiting->guest_bytes > 0 && waiting->layer == range->layer &&
        waiting->kind == range->kind && range->guest_off == waiting_end(compose)) {
        waiting->guest_bytes += range->guest_bytes;
        waiting->end = range->end;
        return 0;
    }
    ret = add_waiting(compose, waiting_end(compose));
    *waiting = *range;
    compose->begun = false;
    compose->counted = range->guest_off;
    return ret;
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

/* By little if the window is well filled; by more if it is far from that, as each window asks all
 * layers. */
static uint64_t wider(const struct chain_compose *compose)
{
    uint64_t by = compose->window->n_ranges < RANGES_MAX / 32  ? 8
                  : compose->window->n_ranges < RANGES_MAX / 4 ? 2
                                                               : 1;

    return compose->width < WIDTH_MAX / by ? compose->width * by : compose->width;
}

int chain_compose_part(struct chain_compose *compose, uint64_t begin, uint64_t end,
                       struct piece_sink sink, struct piece_counts *counts, struct err *err)
{
    const uint64_t least = compose->layers->window_bytes;
    int ret = 0;

    compose->sink = sink;
    compose->counts = counts;
    compose->width = least;
    chain_requests_begin(&compose->requests, begin, counts);
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
        compose->width = wider(compose);
        at = stop;
    }
    if (ret >= 0)
        ret = add_waiting(compose, waiting_end(compose));
    return ret < 0 ? ret : flush(compose);
}
