// SPDX-License-Identifier: MIT
/*
 * Owns the composition of one window: layer after layer fills the gaps that those above it have
 * left. What is read of a layer, and how, is in visit.h.
 */
#include "window.h"

#include "err.h"
#include "holes.h"
#include "vec.h"
#include "visit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of each layer's L1 table a part is kept, since the next window mostly needs it, too: of all
 * layers together 1 MiB. */
#define L1_ENTRIES_MAX 1024u
#define L1_ENTRIES_ALL 131072u

struct chain_window *chain_window_new(const struct chain_layers *layers, bool zeros)
{
    struct chain_window *window = calloc(1, sizeof(*window));
    size_t n = layers->n_list;

    if (window == NULL)
        return NULL;
    window->layers = layers;
    window->zeros = zeros;
    window->starts = calloc(n, sizeof(*window->starts));
    window->memory = calloc(n, sizeof(*window->memory));
    window->before = calloc(n, sizeof(*window->before));
    window->holes = calloc(n, sizeof(*window->holes));
    window->l1_entries =
        n > L1_ENTRIES_ALL / L1_ENTRIES_MAX ? (uint32_t)(L1_ENTRIES_ALL / n) : L1_ENTRIES_MAX;
    window->l1 = calloc(n, sizeof(*window->l1));
    window->l1_bytes = malloc(8 * n * window->l1_entries);
    window->l2 = malloc(CHAIN_VISIT_L2_BYTES);
    if (window->starts == NULL || window->memory == NULL || window->before == NULL ||
        window->holes == NULL || window->l1 == NULL || window->l1_bytes == NULL ||
        window->l2 == NULL) {
        chain_window_free(window);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        window->memory[i].file_bytes = layers->list[i].file_bytes;
        window->holes[i] = (struct io_holes){.io = layers->list[i].io, .most = IO_HOLES_MAX / n};
    }
    chain_window_forget(window);
    return window;
}

void chain_window_free(struct chain_window *window)
{
    if (window == NULL)
        return;
    chain_gaps_free(&window->gaps);
    for (size_t i = 0; window->holes != NULL && i < window->layers->n_list; i++)
        io_holes_free(&window->holes[i]);
    free(window->holes);
    free(window->ranges);
    free(window->merged);
    free(window->starts);
    free(window->memory);
    free(window->before);
    free(window->l1);
    free(window->l1_bytes);
    free(window->l2);
    free(window);
}

void chain_window_forget(struct chain_window *window)
{
    for (size_t i = 0; i < window->layers->n_list; i++)
        window->memory[i].slice = window->memory[i].damaged = window->memory[i].tail =
            CHAIN_VISIT_NOTHING;
    window->n_empty = 0;
}

/* Layer after layer, until nothing is left open. */
static int take_layers(struct chain_window *window, size_t most)
{
    const struct chain_layers *layers = window->layers;
    int ret = 0;

    for (size_t i = 0; i < layers->n_list && ret == 0; i++) {
        const struct chain_layer *layer = &layers->list[i];
        struct chain_visit visit = {.window = window,
                                    .layer = layer,
                                    .memory = &window->memory[i],
                                    .rules = layer->rules.entry,
                                    .number = (uint16_t)i,
                                    .end = layer->limit < window->end ? layer->limit : window->end,
                                    .most = most};
        size_t start = window->n_ranges;

        if (visit.end <= window->begin || window->gaps.n_list == 0)
            break;
        visit.rules.file_bytes = visit.memory->file_bytes;
        chain_gaps_begin(&window->gaps);
        ret = layer->raw ? chain_visit_raw(&visit) : chain_visit_qcow2(&visit);
        if (ret == 0 && visit.memory->tail < visit.end)
            ret = chain_visit_end_tail(&visit);
        chain_gaps_end(&window->gaps);
        if (ret == 0 && window->gaps.n_list > most)
            ret = CHAIN_VISIT_FULL;
        if (window->n_ranges > start)
            window->starts[window->n_starts++] = start;
    }
    return ret < 0 || window->gaps.error == 0 ? ret : err_no_memory(window->err);
}

/* Merges two neighbouring sorted stretches; of equals the left, upper one comes first. */
static void merge_two(const struct chain_range *from, size_t begin, size_t middle, size_t end,
                      struct chain_range *to)
{
    size_t left = begin, right = middle;

    for (size_t i = begin; i < end; i++)
        to[i] = left < middle && (right == end || from[left].guest_off <= from[right].guest_off)
                    ? from[left++]
                    : from[right++];
}

/* Each layer's ranges are in guest order; so are those of all when this is done. */
static int sort(struct chain_window *window)
{
    if (vec_grow(&window->merged, &window->cap_merged, window->n_ranges, sizeof(*window->merged)) <
        0)
        return err_no_memory(window->err);
    while (window->n_starts > 1) {
        struct chain_range *ranges = window->ranges;
        size_t cap = window->cap_ranges, n = 0;

        for (size_t i = 0; i < window->n_starts; i += 2) {
            size_t begin = window->starts[i];
            size_t middle = i + 1 < window->n_starts ? window->starts[i + 1] : window->n_ranges;
            size_t end = i + 2 < window->n_starts ? window->starts[i + 2] : window->n_ranges;

            merge_two(ranges, begin, middle, end, window->merged);
            window->starts[n++] = begin;
        }
        window->n_starts = n;
        window->ranges = window->merged;
        window->cap_ranges = window->cap_merged;
        window->merged = ranges;
        window->cap_merged = cap;
    }
    return 0;
}

int chain_window_compose(struct chain_window *window, uint64_t begin, uint64_t end, size_t most,
                         struct err *err)
{
    size_t n = window->layers->n_list;
    int ret;

    window->err = err;
    window->begin = begin;
    window->end = end;
    window->n_ranges = window->n_starts = 0;
    window->counts = (struct piece_counts){0};
    memcpy(window->before, window->memory, n * sizeof(*window->memory));
    window->n_empty_before = window->n_empty;
    chain_gaps_reset(&window->gaps, begin, end);
    ret = window->gaps.error != 0 ? err_no_memory(err) : take_layers(window, most);
    if (ret == CHAIN_VISIT_FULL) {
        memcpy(window->memory, window->before, n * sizeof(*window->memory));
        window->n_empty = window->n_empty_before;
    }
    if (ret == 0)
        ret = sort(window);
    return ret < 0 ? ret : ret == CHAIN_VISIT_FULL ? 0 : 1;
}
