// SPDX-License-Identifier: MIT
/* Owns the axes of pictures: how long the disk, its files and the devices under them are. */
#include "work.h"

#include "backing.h"
#include "checked.h"
#include "err.h"
#include "image.h"
#include "map.h"
#include "picture.h"
#include "table.h"

#include <errno.h>
#include <stdlib.h>

/* A stretch of the host: of a file, or of the device between the first and the last of a file. */
struct stretch {
    uint64_t begin, end;
};

static uint64_t largest_cluster(const struct report_work *work)
{
    uint64_t largest = work->image->header.cluster_bytes;

    for (size_t i = 0; work->backing != NULL && i < work->backing->chain.n_layers; i++) {
        const struct format_layer *layer = &work->backing->chain.layers[i];

        if (layer->kind == FORMAT_LAYER_QCOW2 && layer->header.cluster_bytes > largest)
            largest = layer->header.cluster_bytes;
    }
    return largest;
}

static struct stretch placed_of(const struct host_map *map)
{
    struct stretch placed = {UINT64_MAX, 0};

    for (size_t i = 0; i < map->n_segments; i++) {
        const struct host_segment *segment = &map->segments[i];
        uint64_t end;

        if (!host_kind_is_placed(segment->kind))
            continue;
        end = host_map_place(map, i, host_map_end(map, i));
        placed.begin = segment->physical < placed.begin ? segment->physical : placed.begin;
        placed.end = end > placed.end ? end : placed.end;
    }
    return placed.end > 0 ? placed : (struct stretch){0, 0};
}

/* Of file number @i of the image alone or, with several, of a chain. */
static struct stretch stretch_of(const struct report_work *work, bool device, size_t i)
{
    const struct format_chain *chain = work->backing != NULL ? &work->backing->chain : NULL;
    struct err ignored = {0};
    uint64_t bytes = 0;

    if (device)
        return placed_of(work->host.n_chain > 0 ? work->host.chain[i] : work->host.map);
    if (chain != NULL && chain->n_files > 1)
        return io_size(chain->files[i].io, &bytes, &ignored) == 0 ? (struct stretch){0, bytes}
                                                                  : (struct stretch){0, 0};
    /* How long a data file is that is not opened nobody knows: most are as long as the disk. */
    return (struct stretch){0, work->image->header.external_data ? work->image->header.virtual_bytes
                                                                 : work->image->file_bytes};
}

/* The files lie one behind the other, the lowest layer first. */
static int place_files(const struct report_work *work, struct report_picture *picture,
                       size_t n_files, uint64_t unit_bytes)
{
    uint64_t next = 0;

    if (n_files == 1) {
        struct stretch only = stretch_of(work, picture->end_to_end, 0);

        picture->host_begin = only.begin;
        picture->host_end = only.end;
        return 0;
    }
    picture->file_begins = calloc(n_files, sizeof(*picture->file_begins));
    if (picture->file_begins == NULL)
        return -ENOMEM;
    for (size_t i = n_files; i-- > 0;) {
        struct stretch stretch = stretch_of(work, picture->end_to_end, i);

        stretch.begin &= ~(unit_bytes - 1);
        picture->file_begins[i] = next - stretch.begin;
        next += (stretch.end - stretch.begin + unit_bytes - 1) & ~(unit_bytes - 1);
    }
    picture->host_end = next;
    return 0;
}

static int begin(struct report_work *work, bool device, struct report_picture **made)
{
    const struct report_picture_choice *choice = work->choice->picture;
    const struct tables_span *span = work->choice->walk.span;
    uint64_t unit_bytes = largest_cluster(work);
    uint64_t disk_bytes = tables_table_of_snapshot(work->image, work->chosen[0]).virtual_bytes;
    size_t n_files = work->backing != NULL ? work->backing->chain.n_files : 1;
    struct report_picture *picture = calloc(1, sizeof(*picture));

    if (picture == NULL)
        return err_no_memory(work->err);
    *made = picture;
    picture->end_to_end = device;
    if (place_files(work, picture, n_files, unit_bytes) < 0)
        return err_no_memory(work->err);
    picture->guest_begin = span != NULL ? span->begin : 0;
    picture->guest_end = span != NULL && span->end < disk_bytes ? span->end : disk_bytes;
    picture->shape = (struct meter_raster_shape){
        .by_host = choice->by_host,
        .guest = meter_axis_of(picture->guest_begin, picture->guest_end, unit_bytes,
                               choice->by_host ? choice->rows : choice->bins),
        .host = meter_axis_of(picture->host_begin, picture->host_end, unit_bytes,
                              choice->by_host ? choice->bins : choice->rows),
        .n_files = n_files > PIECE_N_FILES ? (unsigned)n_files : PIECE_N_FILES,
        .file_begins = picture->file_begins,
    };
    return 0;
}

/* A file in one piece lies on the device as it is: then only the addresses are others. */
static bool is_known(const struct report_host_maps *host)
{
    return host->has_stage || (host->in_one_piece && host->map != NULL);
}

int report_work_begin_pictures(struct report_work *work)
{
    const struct report_picture_choice *choice = work->choice->picture;
    int ret = 0;

    if (choice == NULL)
        return 0;
    if (choice->file)
        ret = begin(work, false, &work->report->picture);
    if (ret == 0 && choice->device && is_known(&work->host) &&
        (work->host.has_stage || !choice->file))
        ret = begin(work, true, &work->report->device_picture);
    return ret;
}

bool report_work_pictures_are_of_tables(const struct report_work *work)
{
    return work->backing == NULL || work->backing->chain.n_layers == 1;
}

void report_work_picture(const struct report_work *work, struct walk_options *options)
{
    const struct report_picture *file = work->report->picture;
    const struct report_picture *device = work->report->device_picture;

    if (file != NULL)
        options->raster = &file->shape;
    if (device != NULL && work->host.has_stage)
        options->staged_raster = &device->shape;
    else if (device != NULL)
        options->raster = &device->shape;
}

void report_work_end_pictures(struct report_work *work, struct meter_set *meters)
{
    struct report_picture *file = work->report->picture, *device = work->report->device_picture;

    if (file != NULL) {
        file->raster = meters->raster;
        meters->raster = NULL;
    }
    if (device != NULL && work->host.has_stage) {
        device->raster = meters->staged_raster;
        meters->staged_raster = NULL;
    } else if (device != NULL) {
        device->raster = meters->raster;
        meters->raster = NULL;
    }
}

/* Of a table that could not be read there is none. */
static void drop_empty(struct report_picture **picture)
{
    if (*picture == NULL || (*picture)->raster != NULL)
        return;
    report_picture_free(*picture);
    *picture = NULL;
}

void report_work_drop_pictures(struct report_work *work)
{
    drop_empty(&work->report->picture);
    drop_empty(&work->report->device_picture);
}
