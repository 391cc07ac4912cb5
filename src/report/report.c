// SPDX-License-Identifier: MIT
/* Owns the release of a report, and the short form of it. Computes nothing. */
#include "report.h"

#include "arena.h"

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
    free(table->id.bytes);
    free(table->name.bytes);
    free(table->lost);
    report_walk_free(&table->walk);
    report_walk_free(&table->end_to_end.walk);
    for (size_t i = 0; i < table->n_layers; i++)
        free(table->layers[i].path);
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
    if (image->packed)
        return;
    for (size_t i = 0; i < image->n_tables; i++)
        table_free(&image->tables[i]);
    free(image->tables);
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

/* ---- packing ---- */

static bool pack_string(char **string, struct arena *arena)
{
    const char *from = *string;

    *string = arena_string(arena, from);
    return from == NULL || *string != NULL;
}

static bool pack_name(struct format_name *name, struct arena *arena)
{
    const char *from = name->bytes;

    name->bytes = from != NULL ? arena_copy(arena, from, name->len + 1) : NULL;
    return from == NULL || name->bytes != NULL;
}

static bool pack_table(struct report_table *table, struct arena *arena)
{
    table->walk.jump_histogram = table->end_to_end.walk.jump_histogram =
        (struct report_jump_histogram){0};
    table->walk.run_histogram = table->end_to_end.walk.run_histogram =
        (struct report_run_histogram){0};
    table->layers = NULL;
    table->n_layers = 0;
    return pack_name(&table->id, arena) && pack_name(&table->name, arena);
}

static bool pack_tables(struct report_image *image, struct arena *arena)
{
    image->tables = arena_copy(arena, image->tables, image->n_tables * sizeof(*image->tables));
    for (size_t i = 0; image->tables != NULL && i < image->n_tables; i++)
        if (!pack_table(&image->tables[i], arena))
            return false;
    return image->tables != NULL;
}

static bool pack_space(struct report_image *image, struct arena *arena)
{
    if (image->space == NULL)
        return true;
    image->space = arena_copy(arena, image->space, sizeof(*image->space));
    if (image->space == NULL)
        return false;
    image->space->snapshots = NULL;
    image->space->n_snapshots = 0;
    image->space->free_gap_histogram = (struct report_gap_histogram){0};
    return true;
}

void report_image_pack(struct report_image *image, struct arena *arena)
{
    struct report_image packed = *image;
    struct report_format *format = &packed.format;
    struct report_host *host = &packed.host;

    packed.packed = true;
    packed.beside = (struct io_beside){0};
    format->in_use_names = NULL;
    format->n_in_use_names = 0;
    packed.verdict.causes = NULL;
    packed.verdict.n_causes = 0;
    packed.findings.list = NULL;
    packed.findings.n_list = packed.findings.cap_list = 0;
    if (!pack_tables(&packed, arena) || !pack_space(&packed, arena) ||
        !pack_name(&format->backing_file, arena) || !pack_name(&format->backing_format, arena) ||
        !pack_name(&format->data_file, arena) || !pack_string(&host->filesystem, arena) ||
        !pack_string(&host->device, arena) || !pack_string(&host->reason, arena) ||
        !pack_string(&packed.verdict.reason, arena) || !pack_string(&packed.error, arena))
        return;
    report_image_free(image);
    *image = packed;
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
