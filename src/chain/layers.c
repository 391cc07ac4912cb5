// SPDX-License-Identifier: MIT
/* Owns the judgement which L2 tables of a layer are read. Reads L1 tables only. */
#include "layers.h"

#include "checked.h"
#include "cleanup.h"
#include "err.h"
#include "follow.h"
#include "image.h"
#include "io.h"
#include "l1.h"
#include "overlap.h"
#include "request.h"
#include "scan.h"
#include "search.h"
#include "sector.h"
#include "vec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void chain_layers_free(struct chain_layers *layers)
{
    for (size_t i = 0; i < layers->n_list; i++)
        free(layers->list[i].skips);
    free(layers->list);
    memset(layers, 0, sizeof(*layers));
}

/* ---- tables that are not to be read ---- */

struct judge {
    struct chain_layers *layers;
    struct chain_layer *layer;
    const struct tables_overlap *overlap;
    struct tables_table *table;
    bool told;
    struct err *err;
};

static int add_skip(struct judge *judge, uint32_t index)
{
    struct chain_layer *layer = judge->layer;
    struct chain_skip *last = layer->n_skips > 0 ? &layer->skips[layer->n_skips - 1] : NULL;

    if (last != NULL && last->end == index) {
        last->end++;
        return 0;
    }
    if (judge->layers->n_skips == CHAIN_SKIPS_MAX)
        return err_set(judge->err, EINVAL,
                       "too many of the L1 entries in the chain are damaged to look at what is "
                       "left; measure its images one by one");
    if (vec_reserve(layer, skips) < 0)
        return err_no_memory(judge->err);
    layer->skips[layer->n_skips++] = (struct chain_skip){index, index + 1};
    judge->layers->n_skips++;
    return 0;
}

/* The first is told, and stands for all. */
static void tell_repeats(struct judge *judge, uint32_t index)
{
    uint64_t place = judge->table->l1_off + 8 * (uint64_t)index;
    char where[64];

    snprintf(where, sizeof(where), "%sl1[%" PRIu32 "]", judge->table->name, index);
    format_findings_add(&judge->table->findings, FORMAT_FINDING_L2_OVERLAP, where, &place,
                        "from here on, L1 entries that name an L2 table which others name as well "
                        "are left out of the chain: there are very many");
}

/* What is followed in a scan of the image alone, but for the number of repeats. */
static int judge_entry(struct judge *judge, uint32_t index, uint64_t raw)
{
    const struct tables_followed followed =
        tables_follow(judge->overlap, &judge->layer->rules.entry, raw);

    if (followed.bar == TABLES_BAR_METADATA || followed.bar == TABLES_BAR_DATA_FILE)
        return add_skip(judge, index);
    if (followed.repeated == TABLES_NOT_REPEATED)
        return 0;
    if (followed.repeated >= TABLES_KEPT_MAX)
        return add_skip(judge, index);
    if (judge->layers->n_repeats < CHAIN_REPEATS_MAX) {
        judge->layers->n_repeats++;
        judge->layer->n_repeats++;
        return 0;
    }
    if (!judge->told)
        tell_repeats(judge, index);
    judge->told = true;
    return add_skip(judge, index);
}

static int judge_all(struct judge *judge, struct format_image *image)
{
    CLEANUP(tables_l1_free) struct tables_l1 l1 = {.n = 0};
    const struct tables_table on_disk = table_of_disk(*judge->table);
    int ret = tables_l1_init(&l1, image, &on_disk, 1, judge->err);

    while (ret == 0 && (ret = tables_l1_next(&l1, judge->err)) == 1) {
        ret = 0;
        for (uint32_t i = 0; i < l1.n && l1.n_live > 0 && ret == 0; i++)
            ret = judge_entry(judge, l1.first + i, tables_l1_entry(&l1, 0, l1.first + i));
    }
    return ret;
}

static int find_skips(struct chain_layers *layers, struct chain_layer *layer,
                      struct format_image *image, struct tables_table *table, struct err *err)
{
    CLEANUP(tables_overlap_free) struct tables_overlap overlap = {.n_tables = 0};
    struct judge judge = {layers, layer, &overlap, table, false, err};
    int ret = tables_overlap_find(image, &layer->rules.entry, table, 1, &overlap, err);

    if (ret < 0)
        return ret;
    layer->l2_bytes = overlap.n_tables * layer->rules.entry.cluster_bytes;
    return judge_all(&judge, image);
}

bool chain_layer_skips(const struct chain_layer *layer, uint32_t l1_index)
{
    size_t at = search_first(i, 0, layer->n_skips, layer->skips[i].end <= l1_index);

    return at < layer->n_skips && layer->skips[at].first <= l1_index;
}

/* ---- the list ---- */

static void note_sizes(struct chain_layers *layers, const struct chain_layer *layer)
{
    uint64_t cluster_bytes = layer->rules.entry.cluster_bytes;
    uint64_t unit_bytes =
        layer->rules.entry.extended_l2 ? cluster_bytes / FORMAT_SUBCLUSTERS : cluster_bytes;

    if (layer->raw)
        return;
    if (layer->l1_span > layers->part_bytes)
        layers->part_bytes = layer->l1_span;
    if (cluster_bytes > layers->window_bytes)
        layers->window_bytes = cluster_bytes;
    if (layers->unit_bytes == 0 || unit_bytes < layers->unit_bytes)
        layers->unit_bytes = unit_bytes;
    layers->l2_bytes += layer->l2_bytes;
}

/* Nobody reads further down than the images above reach. */
static void settle(struct chain_layers *layers)
{
    const uint64_t mask = layers->list[0].rules.entry.cluster_bytes - 1;
    uint64_t limit = layers->list[0].virtual_bytes, request_bytes = PIECE_REQUEST_BYTES;

    layers->virtual_bytes = limit;
    layers->part_bytes = layers->window_bytes = layers->unit_bytes = layers->l2_bytes = 0;
    for (size_t i = 0; i < layers->n_list; i++) {
        struct chain_layer *layer = &layers->list[i];

        note_sizes(layers, layer);
        if (layer->virtual_bytes < limit)
            limit = layer->virtual_bytes;
        if (!layer->raw && layer->slice_span < request_bytes)
            request_bytes = layer->slice_span;
        layer->limit = limit;
        layer->request_bytes = request_bytes;
        layer->read_bytes_max = layer->raw ? UINT64_MAX : layer->rules.read_bytes_max;
    }
    layers->end = layers->list[0].limit = (layers->virtual_bytes + mask) & ~mask;
}

/* By what a walk has found. */
static bool has_no_overlap(const struct tables_table *table)
{
    return table->walked && table->findings.per_code[FORMAT_FINDING_L2_SHARED] == 0 &&
           table->findings.per_code[FORMAT_FINDING_L2_OVERLAP] == 0 &&
           table->findings.per_code[FORMAT_FINDING_NOT_LOOKED_FOR] == 0;
}

static void fill_layer(struct format_image *image, const struct tables_table *table,
                       uint16_t image_file, uint16_t data_file, struct chain_layer *layer)
{
    const struct format_header *header = &image->header;
    const struct format_entry_rules entry = format_image_rules(image);

    *layer = (struct chain_layer){
        .io = image->io,
        .image_file = image_file,
        .data_file = data_file,
        .file_bytes = image->file_bytes,
        .virtual_bytes = table->virtual_bytes,
        .rules = tables_l2_rules_of(header, &entry, header->virtual_bytes, TABLES_PIECES_DETAIL),
        .l1_off = table->l1_off,
        .l1_entries = table->l1_entries,
        .l1_span = format_l2_span(header),
    };
    layer->rules.l2_file = image_file;
    layer->rules.data_file = data_file;
    layer->slice_span = layer->rules.slice_entries * header->cluster_bytes;
    layer->l2_bytes = table->counts.l2_tables * header->cluster_bytes;
}

static int make_layer(struct chain_layers *layers, struct format_image *image,
                      struct tables_table *table, uint16_t image_file, uint16_t data_file,
                      struct chain_layer *layer, struct err *err)
{
    int ret = 0;

    fill_layer(image, table, image_file, data_file, layer);
    if (!has_no_overlap(table))
        ret = find_skips(layers, layer, image, table, err);
    if (ret < 0)
        free(layer->skips);
    return ret;
}

static int append(struct chain_layers *layers, struct chain_layer *layer, struct err *err)
{
    if (vec_reserve(layers, list) < 0) {
        free(layer->skips);
        return err_no_memory(err);
    }
    layers->list[layers->n_list++] = *layer;
    settle(layers);
    return 0;
}

int chain_layers_begin(struct chain_layers *layers, struct format_image *image,
                       struct tables_table *table, uint16_t image_file, uint16_t data_file,
                       struct err *err)
{
    struct chain_layer layer;

    fill_layer(image, table, image_file, data_file, &layer);
    return append(layers, &layer, err);
}

int chain_layers_add(struct chain_layers *layers, struct format_image *image,
                     struct tables_table *table, uint16_t image_file, uint16_t data_file,
                     struct err *err)
{
    struct chain_layer layer;
    int ret = make_layer(layers, image, table, image_file, data_file, &layer, err);

    return ret < 0 ? ret : append(layers, &layer, err);
}

int chain_layers_set_top(struct chain_layers *layers, struct format_image *image,
                         struct tables_table *table, struct err *err)
{
    struct chain_layer *top = &layers->list[0], layer;
    int ret;

    layers->n_skips -= top->n_skips;
    layers->n_repeats -= top->n_repeats;
    ret = make_layer(layers, image, table, top->image_file, top->data_file, &layer, err);
    if (ret < 0) {
        layers->n_skips += top->n_skips - layer.n_skips;
        layers->n_repeats += top->n_repeats - layer.n_repeats;
        return ret;
    }
    free(top->skips);
    *top = layer;
    settle(layers);
    return 0;
}

int chain_layers_add_raw(struct chain_layers *layers, struct io *io, uint64_t file_bytes,
                         uint64_t virtual_bytes, uint16_t file, struct err *err)
{
    struct chain_layer layer = {.io = io,
                                .raw = true,
                                .image_file = file,
                                .data_file = file,
                                .file_bytes = file_bytes,
                                .virtual_bytes = virtual_bytes};

    return append(layers, &layer, err);
}

/* ---- raw layers ---- */

/*
 * A sector is the least that a disk has, and keeps the number of stretches in bounds whatever a
 * file system says; only the end of the file is taken to the byte.
 */
bool chain_layer_raw_data(const struct chain_layer *layer, uint64_t off, uint64_t limit,
                          uint64_t *end)
{
    uint64_t data, hole;

    *end = limit;
    if (off >= layer->file_bytes)
        return false;
    data = io_next_data(layer->io, off);
    if (data >= layer->file_bytes)
        return false;
    data &= ~(SECTOR_BYTES - 1);
    if (data > off) {
        *end = data < limit ? data : limit;
        return false;
    }
    hole = io_next_hole(layer->io, off > data ? off : data);
    if (hole > layer->file_bytes || !checked_round_up(hole, SECTOR_BYTES, &hole) ||
        hole > layer->file_bytes)
        hole = layer->file_bytes;
    if (hole <= off) { /* a hole since we asked */
        hole = (off | (SECTOR_BYTES - 1)) + 1;
        hole = hole < layer->file_bytes ? hole : layer->file_bytes;
    }
    *end = hole < limit ? hole : limit;
    return true;
}

uint64_t chain_layer_raw_bytes(const struct chain_layer *layer)
{
    uint64_t bytes = 0;

    for (uint64_t off = 0, end; off < layer->file_bytes; off = end)
        if (chain_layer_raw_data(layer, off, layer->file_bytes, &end))
            bytes += end - off;
    return bytes;
}
