// SPDX-License-Identifier: MIT
/* Owns the judgement of when the way over the device can be known, and how. */
#include "host.h"

#include "chain.h"
#include "checked.h"
#include "cleanup.h"
#include "counts.h"
#include "err.h"
#include "facts.h"
#include "figures.h"
#include "flags.h"
#include "image.h"
#include "map.h"
#include "measure.h"
#include "placing.h"
#include "room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Without a map that is no error of the measurement: the reason becomes part of the report. */
static int find_map(struct format_image *image, const struct report_choice *choice,
                    struct report_host *host, struct report_host_maps *maps, struct err *err)
{
    struct err reason = {0};

    maps->map = choice->host_map;
    if (maps->map == NULL &&
        host_map_open(image->io, HOST_SEGMENTS_MAX, &maps->owned, &reason) == 0)
        maps->map = maps->owned;
    if (maps->map != NULL)
        return 0;
    host->reason = strdup(reason.text);
    return reason.code == ENOMEM || host->reason == NULL ? err_no_memory(err) : 0;
}

/* A piece ends at most at the end of the last cluster that the file has a part of. */
static bool is_in_one_piece(const struct format_image *image, const struct host_map *map)
{
    uint64_t end;

    return map->segments[0].kind == HOST_DATA &&
           checked_round_up(image->file_bytes, image->header.cluster_bytes, &end) &&
           host_map_end(map, 0) >= end;
}

static void fill(const struct host_map *map, struct report_host *host)
{
    host->known = true;
    host->is_device = map->is_device;
    host->extents = map->extents;
    host->extent_mean_bytes = opt_ratio((double)map->extent_bytes, (double)map->extents);
    host->unplaced_bytes = map->unplaced_bytes;
    host->encoded = map->encoded;
    host->unknown_flags = map->unknown_flags;
}

int report_host_open(struct format_image *image, const struct report_choice *choice,
                     struct report_host *host, struct report_host_maps *maps, struct err *err)
{
    struct host_facts facts;
    int ret;

    memset(maps, 0, sizeof(*maps));
    if (choice->no_host)
        return 0;
    ret = host_facts_find(image->io, NULL, choice->host_memory, &facts, err);
    host->filesystem = facts.filesystem;
    host->device = facts.device;
    host->rotational = facts.rotational;
    host->flags = host_flags_find(image->io);
    host->room = host_room_find(image->io);
    if (ret == 0)
        ret = find_map(image, choice, host, maps, err);
    if (ret < 0 || maps->map == NULL)
        return ret;
    fill(maps->map, host);
    if (image->header.external_data) /* clusters lie in another file, which is not opened */
        return 0;
    maps->in_one_piece = is_in_one_piece(image, maps->map);
    if (maps->in_one_piece && !image->header.extended_l2)
        return 0;
    maps->has_stage = true;
    if (host_placing_new(&maps->map, 1, image->header.cluster_bytes, NULL, &maps->stage) < 0)
        return err_no_memory(err);
    return 0;
}

/* 1 if all of them are known, 0 if one is not, or -ENOMEM. */
static int find_maps(const struct format_chain *chain, struct report_host_maps *maps,
                     struct err *err)
{
    size_t left = HOST_SEGMENTS_MAX - (maps->owned != NULL ? maps->owned->n_segments : 0);

    maps->chain = calloc(chain->n_files, sizeof(struct host_map *));
    if (maps->chain == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < chain->n_files; i++) {
        struct err reason = {0};

        if (host_map_open(chain->files[i].io, left, &maps->chain[i], &reason) < 0)
            return reason.code == ENOMEM ? err_no_memory(err) : 0;
        left -= maps->chain[i]->n_segments;
        maps->n_chain++;
    }
    return 1;
}

/* Of what each file holds; a raw one counts in clusters of the top image. */
static uint64_t *held_bytes_of(const struct format_chain *chain)
{
    uint64_t *held_bytes = calloc(chain->n_files, sizeof(*held_bytes));

    for (size_t i = 0; held_bytes != NULL && i < chain->n_files; i++) {
        const struct format_layer *layer = &chain->layers[chain->files[i].layer];

        held_bytes[i] = layer->kind == FORMAT_LAYER_QCOW2 ? layer->header.cluster_bytes
                                                          : chain->layers[0].header.cluster_bytes;
    }
    return held_bytes;
}

int report_host_open_chain(const struct format_chain *chain, const struct report_choice *choice,
                           struct report_host_maps *maps, struct err *err)
{
    CLEANUP_FREE uint64_t *held_bytes = NULL;
    int ret;

    if (maps->has_stage)
        host_placing_free(&maps->stage);
    maps->has_stage = maps->in_one_piece = false;
    if (choice->no_host)
        return 0;
    ret = find_maps(chain, maps, err);
    if (ret <= 0)
        return ret;
    held_bytes = held_bytes_of(chain);
    if (held_bytes == NULL)
        return err_no_memory(err);
    maps->has_stage = true;
    ret = host_placing_new((const struct host_map *const *)maps->chain, (unsigned)chain->n_files,
                           chain->layers[0].header.cluster_bytes, held_bytes, &maps->stage);
    return ret < 0 ? err_no_memory(err) : 0;
}

void report_host_close(struct report_host_maps *maps)
{
    if (maps->has_stage)
        host_placing_free(&maps->stage);
    for (size_t i = 0; i < maps->n_chain; i++)
        host_map_free(maps->chain[i]);
    free(maps->chain);
    host_map_free(maps->owned);
}

const struct meter *report_host_meter(const struct report_host_maps *maps,
                                      const struct meter_set *set)
{
    return maps->has_stage ? set->staged : maps->in_one_piece ? set->plain : NULL;
}

static bool has_unplaced(const struct report_host_maps *maps)
{
    for (size_t i = 0; i < maps->n_chain; i++)
        if (maps->chain[i]->unplaced_bytes > 0)
            return true;
    return maps->map != NULL && maps->map->unplaced_bytes > 0;
}

int report_host_figures(const struct report_host_maps *maps, const struct meter *meter,
                        const struct piece_counts *counts, struct report_end_to_end *end_to_end)
{
    uint64_t pieces = maps->has_stage ? meter->compared : counts->mapped_clusters;
    int ret = report_figures(meter, pieces, &end_to_end->walk);

    if (ret < 0)
        return ret;
    end_to_end->known = true;
    end_to_end->unplaced = has_unplaced(maps);
    end_to_end->hole_bytes = meter->hole_bytes;
    end_to_end->walk.compressed_clusters = counts->compressed_clusters;
    end_to_end->walk.zero_clusters = counts->zero_clusters;
    end_to_end->walk.zero_allocated_clusters = counts->zero_allocated_clusters;
    end_to_end->walk.corrupt_entries = counts->corrupt_entries;
    return 0;
}
