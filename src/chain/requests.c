// SPDX-License-Identifier: MIT
/* Owns the borders of requests. Knows ranges and their owners, and no entries. */
#include "requests.h"

#include "reads.h"
#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT64_MAX

int chain_requests_init(struct chain_requests *requests, const struct chain_layers *layers)
{
    *requests = (struct chain_requests){.layers = layers};
    requests->lookups = calloc(layers->n_list, sizeof(*requests->lookups));
    if (requests->lookups == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < layers->n_list; i++)
        if (layers->list[i].read_bytes_max != UINT64_MAX)
            requests->lookups[requests->n_lookups++] = (struct chain_lookup){
                .layer = (uint16_t)i, .bytes_max = layers->list[i].read_bytes_max};
    return 0;
}

void chain_requests_free(struct chain_requests *requests)
{
    free(requests->lookups);
    memset(requests, 0, sizeof(*requests));
}

void chain_requests_begin(struct chain_requests *requests, uint64_t guest_off,
                          struct piece_counts *counts)
{
    requests->counts = counts;
    requests->at = guest_off;
    requests->owner = requests->layers->n_list;
    requests->cut_off = requests->guest_end = requests->data_end = NONE;
    for (size_t i = 0; i < requests->n_lookups; i++)
        requests->lookups[i].end = NONE;
}

/* ---- borders ---- */

static uint64_t grid_of(const struct chain_requests *requests, size_t layer)
{
    const struct chain_layers *layers = requests->layers;

    return layers->list[layer < layers->n_list ? layer : layers->n_list - 1].request_bytes;
}

static bool is_cut(const struct chain_requests *requests, uint64_t off, size_t layer)
{
    return requests->cut_off == off && requests->cut_layer <= layer;
}

/*
 * Does a request to @layer begin at @off in any case, not only since what is there has another
 * owner? Lookups of the images above that go on from before are told where they stand. *@next: up
 * to where no other border comes.
 */
static bool begins_at(struct chain_requests *requests, uint64_t off, size_t layer, uint64_t *next)
{
    uint64_t grid = grid_of(requests, layer);
    bool begins = false;

    *next = (off | (grid - 1)) + 1;
    for (size_t i = 0; i < requests->n_lookups && requests->lookups[i].layer < layer; i++) {
        struct chain_lookup *lookup = &requests->lookups[i];
        bool goes_on = lookup->end == off;

        begins = begins || (off & (grid_of(requests, lookup->layer) - 1)) == 0 ||
                 (goes_on && (is_cut(requests, off, lookup->layer) ||
                              off - lookup->begin == lookup->bytes_max));
        if (begins || !goes_on)
            lookup->begin = off;
        if (lookup->begin + lookup->bytes_max < *next)
            *next = lookup->begin + lookup->bytes_max;
    }
    return begins || (off & (grid - 1)) == 0 || (layer > 0 && is_cut(requests, off, layer - 1));
}

/* What is above @layer has looked as far as @off. */
static void look_to(struct chain_requests *requests, uint64_t off, size_t layer)
{
    for (size_t i = 0; i < requests->n_lookups && requests->lookups[i].layer < layer; i++)
        requests->lookups[i].end = off;
    requests->at = off;
    requests->owner = layer;
}

/* Nobody has what lies before @off. All begins anew with a request, so only the last one counts. */
static void pass_to(struct chain_requests *requests, uint64_t off)
{
    uint64_t request = (off - 1) & ~(PIECE_REQUEST_BYTES - 1), next;
    size_t nobody = requests->layers->n_list;

    if (requests->at >= off)
        return;
    if (requests->n_lookups == 0)
        look_to(requests, off, nobody);
    else if (request > requests->at)
        look_to(requests, request, nobody);
    while (requests->at < off) {
        begins_at(requests, requests->at, nobody, &next);
        look_to(requests, next < off ? next : off, nobody);
    }
}

void chain_requests_cut(struct chain_requests *requests, uint64_t off, size_t layer)
{
    pass_to(requests, off);
    if (requests->at != off || requests->owner <= layer)
        return;
    if (requests->cut_off != off || layer < requests->cut_layer)
        requests->cut_layer = layer;
    requests->cut_off = off;
}

/* ---- reads ---- */

static void read_data(struct chain_requests *requests, const struct chain_layer *layer, bool begins,
                      uint64_t begin, uint64_t end, uint64_t host_off)
{
    const struct tables_read_limits limits = {layer->request_bytes, layer->read_bytes_max};
    bool goes_on = !begins && requests->guest_end == begin && requests->host_end == host_off &&
                   requests->file == layer->data_file;

    if (!goes_on && (begins || requests->data_end != begin))
        requests->unbroken_begin = begin;
    if (!goes_on)
        requests->read_begin = begin;
    requests->counts->reads_unbroken +=
        tables_count_reads(limits, &requests->unbroken_begin, begin, end);
    requests->counts->reads += tables_count_reads(limits, &requests->read_begin, begin, end);
    requests->guest_end = requests->data_end = end;
    requests->host_end = host_off + (end - begin);
    requests->file = layer->data_file;
}

/* A read goes on through a hole, if there was data before it. */
static void read_hole(struct chain_requests *requests, const struct chain_layer *layer, bool begins,
                      uint64_t begin, uint64_t end)
{
    if (begins || requests->guest_end != begin || requests->host_end != begin ||
        requests->file != layer->data_file)
        requests->guest_end = NONE;
    else
        requests->guest_end = requests->host_end = end;
}

static uint64_t read_blob(struct chain_requests *requests, bool begins)
{
    requests->guest_end = requests->data_end = NONE;
    requests->counts->reads += begins;
    requests->counts->reads_unbroken += begins;
    return begins;
}

/* Up to the next border. */
static uint64_t take_some(struct chain_requests *requests, size_t number,
                          enum chain_content content, uint64_t end, uint64_t host_off)
{
    const struct chain_layer *layer = &requests->layers->list[number];
    uint64_t at = requests->at, next, n = 0;
    bool begins = begins_at(requests, at, number, &next);

    next = next < end ? next : end;
    if (content == CHAIN_DATA)
        read_data(requests, layer, begins, at, next, host_off);
    else if (content == CHAIN_ZEROS && layer->raw)
        read_hole(requests, layer, begins, at, next);
    else if (content != CHAIN_ZEROS)
        n = read_blob(requests, begins || content == CHAIN_BLOB);
    look_to(requests, next, number);
    return n;
}

/* Of whole requests one is as the other: the second one stands for all but the first and last. */
static void skip_alike(struct chain_requests *requests, size_t number, enum chain_content content,
                       uint64_t end, uint64_t host_off)
{
    uint64_t begin = requests->at, n = (end - begin) / PIECE_REQUEST_BYTES - 1;
    struct piece_counts before = *requests->counts, *counts = requests->counts;

    while (requests->at < begin + PIECE_REQUEST_BYTES)
        take_some(requests, number, content, begin + PIECE_REQUEST_BYTES,
                  host_off + (requests->at - begin));
    counts->reads += n * (counts->reads - before.reads);
    counts->reads_unbroken += n * (counts->reads_unbroken - before.reads_unbroken);
    look_to(requests, begin + (n + 1) * PIECE_REQUEST_BYTES, number);
    if (requests->guest_end != NONE) {
        requests->guest_end += n * PIECE_REQUEST_BYTES;
        requests->host_end += n * PIECE_REQUEST_BYTES;
    }
    if (requests->data_end != NONE)
        requests->data_end += n * PIECE_REQUEST_BYTES;
}

uint64_t chain_requests_take(struct chain_requests *requests, size_t layer,
                             enum chain_content content, uint64_t guest_off, uint64_t bytes,
                             uint64_t host_off)
{
    uint64_t end = guest_off + bytes, n = 0;

    pass_to(requests, guest_off);
    while (requests->at < end) {
        uint64_t host_at = host_off + (requests->at - guest_off);

        if (requests->at % PIECE_REQUEST_BYTES == 0 && end - requests->at >= 4 * PIECE_REQUEST_BYTES)
            skip_alike(requests, layer, content, end, host_at);
        else
            n += take_some(requests, layer, content, end, host_at);
        if (content == CHAIN_BLOB)
            content = CHAIN_BLOB_REST;
    }
    return n;
}
