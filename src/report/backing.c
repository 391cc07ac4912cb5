// SPDX-License-Identifier: MIT
/* Owns the course of a measurement along a chain: each layer alone, then all together. */
#include "backing.h"

#include "cleanup.h"
#include "err.h"
#include "image.h"
#include "l1.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an image below the top was when it was looked at. */
struct report_held {
    uint64_t mapped_bytes; /* that it holds, hidden or not */
    bool looked_at;        /* else the rest means nothing */
    bool written;          /* somebody may be writing to it, */
    uint64_t l1_hash;      /* so its L1 table is looked at twice */
    enum format_crypt encryption;
    struct piece_lost *lost; /* of its disk; NULL: nothing is, or a table has it by now */
    unsigned char first_bytes[FORMAT_IMAGE_FIRST_BYTES];
};

int report_backing_open(struct io *io, const char *path, struct report_backing *backing,
                        struct err *err)
{
    int ret;

    memset(backing, 0, sizeof(*backing));
    ret = format_chain_open(io, path, &backing->chain, err);
    if (ret < 0)
        return ret;
    backing->n_held = backing->chain.n_layers;
    backing->held = calloc(backing->n_held, sizeof(*backing->held));
    if (backing->held != NULL)
        return 0;
    report_backing_close(backing);
    return err_no_memory(err);
}

void report_backing_close(struct report_backing *backing)
{
    chain_layers_free(&backing->layers);
    format_chain_close(&backing->chain);
    for (size_t i = 0; i < backing->n_held && backing->held != NULL; i++)
        free(backing->held[i].lost);
    free(backing->held);
    memset(backing, 0, sizeof(*backing));
}

/* ---- each layer alone ---- */

/* Progress over all layers: each is one of so many. */
struct progress {
    const struct walk_options *options;
    size_t number, n_layers;
};

static void show_progress(void *context, double done)
{
    const struct progress *progress = context;

    progress->options->progress(progress->options->context,
                                ((double)progress->number + done) / (double)progress->n_layers);
}

static int walk_alone(struct format_image *image, struct tables_table *table,
                      struct progress *progress, struct err *err)
{
    const struct walk_options options = {
        .workers = progress->options->workers,
        .span = progress->options->span,
        .progress = progress->options->progress != NULL ? show_progress : NULL,
        .context = progress,
    };
    CLEANUP(meter_set_free) struct meter_set meters = {.plain = NULL};

    return walk_tables(image, table, 1, &meters, &options, err);
}

static int keep_lost(struct report_held *held, const struct tables_table *table, struct err *err)
{
    if (table->lost.ranges == 0)
        return 0;
    held->lost = malloc(sizeof(*held->lost));
    if (held->lost == NULL)
        return err_no_memory(err);
    *held->lost = table->lost;
    return 0;
}

/* @table becomes that of the layer's active state, walked. */
static int look_at_table(struct report_backing *backing, size_t depth, struct format_image *image,
                         struct tables_table *table, struct progress *progress, struct err *err)
{
    const struct format_layer *layer = &backing->chain.layers[depth];
    struct report_held *held = &backing->held[depth];
    struct io_users users = io_users(image->io);
    int ret = 0;

    held->looked_at = true;
    held->encryption = image->header.crypt;
    memcpy(held->first_bytes, image->first_bytes, sizeof(held->first_bytes));
    held->written = users.known && users.written;
    if (held->written)
        ret = tables_l1_hash(image, table, 1, &held->l1_hash, err);
    if (ret == 0)
        ret = walk_alone(image, table, progress, err);
    if (ret == 0)
        ret = keep_lost(held, table, err);
    if (ret < 0)
        return ret;
    held->mapped_bytes = table->counts.mapped_bytes;
    return chain_layers_add(&backing->layers, image, table, (uint16_t)layer->image_file,
                            (uint16_t)layer->data_file, err);
}

static int look_at_image(struct report_backing *backing, size_t depth, struct format_image *image,
                         struct progress *progress, struct format_findings *findings,
                         struct err *err)
{
    struct tables_table table = table_of_disk(tables_table_of_active(image));
    int ret;

    snprintf(table.name, sizeof(table.name), "backing[%zu] ", depth);
    format_findings_prefix(&image->findings, table.name);
    format_findings_merge(findings, &image->findings);
    ret = look_at_table(backing, depth, image, &table, progress, err);
    format_findings_merge(findings, &table.findings);
    return ret;
}

static int look_at_raw(struct report_backing *backing, size_t depth, struct err *err)
{
    const struct format_layer *layer = &backing->chain.layers[depth];
    struct io *io = backing->chain.files[layer->image_file].io;
    int ret = chain_layers_add_raw(&backing->layers, io, layer->file_bytes, layer->virtual_bytes,
                                   (uint16_t)layer->image_file, err);

    if (ret == 0)
        backing->held[depth].mapped_bytes = chain_layer_raw_bytes(&backing->layers.list[depth]);
    return ret;
}

/* Errors of a layer name it. */
static int look_at_layer(struct report_backing *backing, size_t depth, struct progress *progress,
                         struct format_findings *findings, struct err *err)
{
    const struct format_layer *layer = &backing->chain.layers[depth];
    struct format_image image;
    struct err cause = {0};
    int ret;

    if (layer->kind == FORMAT_LAYER_RAW)
        return look_at_raw(backing, depth, err);
    ret = format_image_open(backing->chain.files[layer->image_file].io, &image, &cause);
    if (ret == 0) {
        ret = look_at_image(backing, depth, &image, progress, findings, &cause);
        format_image_close(&image);
    }
    return ret < 0 ? err_set(err, cause.code, "backing[%zu]: %s", depth, cause.text) : 0;
}

int report_backing_look(struct report_backing *backing, struct format_image *top,
                        const struct walk_options *options, struct format_findings *findings,
                        struct err *err)
{
    struct progress progress = {.options = options, .n_layers = backing->chain.n_layers};
    const struct format_layer *layer = &backing->chain.layers[0];
    /* For now: chain_layers_set_top follows. */
    struct tables_table first = table_of_disk(tables_table_of_active(top));
    int ret = chain_layers_begin(&backing->layers, top, &first, (uint16_t)layer->image_file,
                                 (uint16_t)layer->data_file, err);

    for (size_t depth = 1; depth < backing->chain.n_layers && ret == 0; depth++) {
        progress.number = depth;
        ret = look_at_layer(backing, depth, &progress, findings, err);
    }
    return ret;
}

/* The L1 table of the image in @io as it is now. */
static int hash_again(struct io *io, uint64_t *hash, struct err *err)
{
    struct format_image image;
    struct tables_table table;
    int ret = format_image_open(io, &image, err);

    if (ret < 0)
        return ret;
    table = table_of_disk(tables_table_of_active(&image));
    ret = tables_l1_hash(&image, &table, 1, hash, err);
    format_image_close(&image);
    return ret;
}

static int has_layer_changed(const struct report_backing *backing, size_t depth, bool *changed,
                             struct err *err)
{
    const struct format_layer *layer = &backing->chain.layers[depth];
    const struct report_held *held = &backing->held[depth];
    struct io *io = backing->chain.files[layer->image_file].io;
    unsigned char now[FORMAT_IMAGE_FIRST_BYTES];
    uint64_t hash;
    int ret;

    *changed = false;
    if (layer->kind == FORMAT_LAYER_RAW || !held->looked_at)
        return 0;
    ret = io_read(io, 0, now, sizeof(now), err);
    if (ret < 0)
        return ret;
    *changed = memcmp(now, held->first_bytes, sizeof(now)) != 0;
    if (*changed || !held->written)
        return 0;
    ret = hash_again(io, &hash, err);
    *changed = ret == 0 && hash != held->l1_hash;
    return ret;
}

int report_backing_has_changed(const struct report_backing *backing, bool *changed, struct err *err)
{
    int ret = 0;

    *changed = false;
    for (size_t depth = 1; depth < backing->chain.n_layers && ret == 0 && !*changed; depth++)
        ret = has_layer_changed(backing, depth, changed, err);
    return ret;
}

/* ---- all together ---- */

static int new_layers(const struct report_backing *backing, struct report_table *filled,
                      struct err *err)
{
    size_t n = backing->chain.n_layers;

    filled->layers = calloc(n, sizeof(*filled->layers));
    if (filled->layers == NULL)
        return err_no_memory(err);
    filled->n_layers = n;
    for (size_t depth = 0; depth < n; depth++) {
        const struct format_layer *layer = &backing->chain.layers[depth];
        struct report_layer *out = &filled->layers[depth];

        out->depth = (uint32_t)depth;
        out->path = strdup(backing->chain.files[layer->image_file].path);
        if (out->path == NULL)
            return err_no_memory(err);
    }
    return 0;
}

int report_backing_alone(const struct report_backing *backing, struct report_table *filled,
                         struct err *err)
{
    int ret = new_layers(backing, filled, err);

    if (ret < 0)
        return ret;
    filled->layers[0].bytes = filled->walk.mapped_bytes;
    if (!filled->range.known)
        filled->layers[0].shadowed_bytes = opt_u64_of(0);
    filled->layers[0].runs = filled->walk.contiguous_runs;
    return 0;
}

int report_backing_fill(struct report_backing *backing, const struct meter *meter,
                        uint64_t alone_bytes, struct report_table *filled, struct err *err)
{
    int ret = new_layers(backing, filled, err);

    for (size_t depth = 0; depth < filled->n_layers && ret == 0; depth++) {
        const struct format_layer *layer = &backing->chain.layers[depth];
        const struct meter_file *file = &meter->files[layer->data_file];
        struct report_layer *out = &filled->layers[depth];
        uint64_t held = depth == 0 ? alone_bytes : backing->held[depth].mapped_bytes;

        out->bytes = file->bytes;
        out->runs = file->runs;
        out->encryption = backing->held[depth].encryption;
        out->lost = backing->held[depth].lost;
        backing->held[depth].lost = NULL;
        /* In a damaged image, or one that grows, the walk along the chain may find more. What a
         * layer holds of a range is not asked: clusters may reach over its borders. */
        if (!filled->range.known)
            out->shadowed_bytes = opt_u64_of(held > file->bytes ? held - file->bytes : 0);
    }
    return ret;
}

int report_backing_set_top(struct report_backing *backing, struct format_image *top,
                           struct tables_table *table, struct err *err)
{
    return chain_layers_set_top(&backing->layers, top, table, err);
}
