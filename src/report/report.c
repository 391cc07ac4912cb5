// SPDX-License-Identifier: MIT
/* Owns the release of a report. Computes nothing. */
#include "report.h"

#include "picture.h"

#include <stdlib.h>
#include <string.h>

/* An error that needs no memory. */
static char no_memory[] = "out of memory";

void report_walk_free(struct report_walk *walk)
{
    free(walk->jump_histogram.list);
    free(walk->run_histogram.list);
}

static void table_free(struct report_table *table)
{
    free(table->lost);
    report_walk_free(&table->walk);
    report_walk_free(&table->end_to_end.walk);
    for (size_t i = 0; i < table->n_layers; i++) {
        free(table->layers[i].path);
        free(table->layers[i].lost);
    }
    free(table->layers);
}

static void space_free(struct report_space *space)
{
    if (space == NULL)
        return;
    for (size_t i = 0; i < space->n_snapshots; i++) {
        free(space->snapshots[i].id.bytes);
        free(space->snapshots[i].name.bytes);
    }
    free(space->snapshots);
    free(space->free_gap_histogram.list);
    free(space);
}

void report_image_free(struct report_image *image)
{
    for (size_t i = 0; i < image->n_tables; i++)
        table_free(&image->tables[i]);
    free(image->tables);
    arena_free(&image->names);
    space_free(image->space);
    free(image->format.backing_file.bytes);
    free(image->format.backing_format.bytes);
    free(image->format.data_file.bytes);
    for (size_t i = 0; i < image->format.n_in_use_names; i++)
        free(image->format.in_use_names[i].bytes);
    free(image->format.in_use_names);
    io_beside_release(&image->beside);
    free(image->host.filesystem);
    free(image->host.device);
    free(image->host.reason);
    free(image->verdict.reason);
    free(image->verdict.causes);
    format_findings_free(&image->findings);
    report_picture_free(image->picture);
    report_picture_free(image->device_picture);
    if (image->error != no_memory)
        free(image->error);
    memset(image, 0, sizeof(*image));
}

void report_image_set_error(struct report_image *image, const char *text)
{
    image->error = strdup(text);
    if (image->error == NULL)
        image->error = no_memory;
}

const struct report_table *report_main_table(const struct report_image *image)
{
    return image->n_tables > 0 ? &image->tables[0] : NULL;
}

const struct report_table *report_active_table(const struct report_image *image)
{
    for (size_t i = 0; i < image->n_tables; i++)
        if (!image->tables[i].is_snapshot)
            return &image->tables[i];
    return NULL;
}

const struct report_picture *report_main_picture(const struct report_image *image)
{
    return image->device_picture != NULL ? image->device_picture : image->picture;
}
