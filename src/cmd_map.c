// SPDX-License-Identifier: MIT
/* Owns the course of `qcow2frag map`: the picture of one image. */
#include "cmd.h"

#include "cleanup.h"
#include "err.h"
#include "measure.h"
#include "options.h"
#include "output.h"
#include "picture.h"
#include "render_map.h"
#include "terminal.h"
#include "workers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Bins for each cell: so many, that whole ones fill the room nearly. See raster.h for the memory.
 */
#define BINS_PER_CELL 16
#define BINS_MIN 1024
#define BINS_MAX 32768         /* with all their rows 16 MiB, most of the time for a picture */
#define BINS_BY_HOST_MAX 16384 /* met in any order: they are to stay in the processor's cache */
#define ROWS 64                /* more colours than the eye tells apart */

struct map {
    const struct options *options;
    const struct cmd_console *console;
    time_t shown; /* when the progress line was last renewed */
};

static void show_progress(void *context, double done)
{
    struct map *map = context;

    cmd_show_measuring(map->console, &map->shown, done);
}

/* ---- how it is shown ---- */

static enum render_colours colours_of(const struct options *options, FILE *stream)
{
    switch (options->color) {
    case OPTIONS_COLOR_NEVER:
        return RENDER_NO_COLOURS;
    case OPTIONS_COLOR_16:
        return RENDER_16_COLOURS;
    case OPTIONS_COLOR_256:
        return RENDER_256_COLOURS;
    case OPTIONS_COLOR_TRUE:
        return RENDER_TRUE_COLOURS;
    default:
        return terminal_colours(stream, options->color == OPTIONS_COLOR_ALWAYS);
    }
}

/* A side of the picture: as asked for, or as the terminal has it, within what can be shown. */
static unsigned side_of(unsigned given, unsigned terminal, unsigned usual, unsigned least)
{
    unsigned side = given > 0 ? given : terminal > 0 ? terminal : usual;

    return side < least ? least : side > RENDER_MAP_SIDE_MAX ? RENDER_MAP_SIDE_MAX : side;
}

static struct render_map_options how_of(const struct options *options, FILE *stream)
{
    return (struct render_map_options){
        .colours = colours_of(options, stream),
        .ascii = options->ascii || !terminal_has_utf8(),
        .bytes = options->bytes,
        .width = side_of(options->width, terminal_width(stream), TERMINAL_WIDTH_USUAL,
                         RENDER_MAP_WIDTH_MIN),
        .height = side_of(options->height, terminal_height(stream), TERMINAL_HEIGHT_USUAL,
                          RENDER_MAP_HEIGHT_MIN),
    };
}

static size_t cells_of(const struct options *options, const struct render_map_options *how)
{
    if (options->format == OPTIONS_JSON)
        return (size_t)how->width * how->height;
    return render_map_cells_most(how);
}

static uint32_t bins_of(size_t cells, bool by_host)
{
    size_t bins = cells * BINS_PER_CELL, most = by_host ? BINS_BY_HOST_MAX : BINS_MAX;

    return (uint32_t)(bins < BINS_MIN ? BINS_MIN : bins > most ? most : bins);
}

/* ---- the course ---- */

static void measure(struct map *map, size_t cells, struct report_image *image)
{
    const struct options *options = map->options;
    struct workers workers;
    const struct report_picture_choice picture = {
        .by_host = options->by_host,
        .file = !options->end_to_end,
        .device = options->end_to_end,
        .bins = bins_of(cells, options->by_host),
        .rows = ROWS,
    };
    const struct report_choice choice = {
        .snapshots = options->snapshots,
        .n_snapshots = options->n_snapshots,
        .chain = options->chain,
        .device = options->device,
        .no_host = options->no_host,
        .space = options->by_host && !options->end_to_end && !options->chain,
        .picture = &picture,
        .walk = {.workers = &workers,
                 .span = options->has_range ? &options->range : NULL,
                 .progress = map->console->progress != NULL ? show_progress : NULL,
                 .context = map},
    };

    workers_init(&workers, cmd_threads(options));
    report_measure(options->paths[0], &choice, image);
    if (map->console->progress != NULL)
        map->console->progress(NULL);
}

/* Why there is nothing to be shown; NULL: there is. */
static const char *why_not(const struct options *options, const struct report_image *image,
                           char *text, size_t room)
{
    if (image->error != NULL)
        return image->error;
    if (report_main_picture(image) != NULL)
        return NULL;
    if (!options->end_to_end || !report_main_table(image)->measured)
        return "its L1 table cannot be read, so there is nothing to show; measure it to see why";
    snprintf(text, room,
             "where the file lies on its device is not known (%s); leave out "
             "--end-to-end to see where its data lie in the file",
             image->host.reason != NULL ? image->host.reason : "its data are in another file");
    return text;
}

static int show(struct map *map, const struct report_image *image,
                const struct render_map_options *how, struct io_output *output, struct err *err)
{
    int ret = map->options->format == OPTIONS_JSON
                  ? render_map_json(output->stream, image, cells_of(map->options, how))
                  : render_map(output->stream, image, how);

    if (ret == 0)
        return io_output_commit(output, err);
    io_output_abort(output);
    return err_set(err, -ret, "cannot print the result: %s", strerror(-ret));
}

/* A picture has no room for findings: the first damage is told, and where to read on. */
static int tell(const struct map *map, const struct report_image *image)
{
    const struct format_finding *finding = format_findings_first_error(&image->findings);
    const char *path = map->options->paths[0];
    char text[512];

    if (image->being_written)
        map->console->complain(path,
                               "in use, and may be written to: the picture may be a moment old");
    if (finding == NULL)
        return CMD_DONE;
    snprintf(text, sizeof(text), "%s: %s (measure it to see all findings)", finding->where,
             finding->message);
    map->console->complain(path, text);
    return CMD_DAMAGED;
}

static int map_image(struct map *map, struct report_image *image)
{
    const struct options *options = map->options;
    struct io_output output;
    struct render_map_options how;
    struct err err = {0};
    char text[512];
    const char *why;
    int ret = io_output_open(&output, options->output, &err);

    if (ret == 0) {
        how = how_of(options, output.stream);
        measure(map, cells_of(options, &how), image);
        why = why_not(options, image, text, sizeof(text));
        ret = why == NULL ? io_output_check(&output, &err) : -EINVAL;
        if (ret < 0)
            io_output_abort(&output);
        if (why != NULL)
            map->console->complain(options->paths[0], why);
    }
    if (ret == 0)
        ret = show(map, image, &how, &output, &err);
    cmd_complain(map->console, NULL, &err);
    return ret < 0 ? CMD_FAILED : tell(map, image);
}

int cmd_map(const struct options *options, const struct cmd_console *console)
{
    struct map map = {.options = options, .console = console};
    struct report_image image = {.n_tables = 0};
    int status;

    if (options->list)
        return cmd_list(options, console);
    status = map_image(&map, &image);
    report_image_free(&image);
    return status;
}
