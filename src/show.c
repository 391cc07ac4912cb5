// SPDX-License-Identifier: MIT
/* Owns the choice of a renderer, and that no half of a result is seen. */
#include "show.h"

#include "cmd.h"
#include "err.h"
#include "options.h"
#include "output.h"
#include "pack.h"
#include "render.h"
#include "render_nagios.h"
#include "render_prometheus.h"
#include "report.h"
#include "terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_page(const struct show *show)
{
    return show->options->format == OPTIONS_TEXT && !show->table;
}

/* The images for the renderers: the one that they asked for last is unpacked. */
struct unpacked {
    const struct show *show;
    void *room;
    const struct report_image *image; /* in it; NULL: none is yet, */
    size_t number;                    /* and which it is */
};

static const struct report_image *image_of(void *context, size_t i)
{
    struct unpacked *unpacked = context;
    const struct show_image *wanted = &unpacked->show->images[i];

    if (wanted->packed == NULL)
        return wanted->image;
    if (unpacked->image == NULL || unpacked->number != i)
        unpacked->image = report_unpack(wanted->packed, unpacked->room);
    unpacked->number = i;
    return unpacked->image;
}

/* @width: of the terminal that will show it, or 0. */
static int render(const struct show *show, FILE *stream, unsigned width)
{
    struct unpacked unpacked = {.show = show};
    const struct render_images images = {show->n_images, image_of, &unpacked};
    const struct options *options = show->options;
    const struct render_options how = {
        .bytes = options->bytes,
        .noheadings = options->noheadings,
        .verbose = options->verbose,
        .histogram = options->histogram,
        .width = width,
        .columns = options->n_columns > 0 ? options->columns : NULL,
        .n_columns = options->n_columns,
        .snapshots = options->all_snapshots || options->n_snapshots > 0,
        .sort = options->sort,
        .sort_reversed = options->sort_reversed,
    };

    int ret;

    if (show->room_bytes > 0) {
        unpacked.room = malloc(show->room_bytes);
        if (unpacked.room == NULL)
            return -ENOMEM;
    }
    if (options->format == OPTIONS_JSON)
        ret = render_json(stream, &images);
    else if (options->format == OPTIONS_PROMETHEUS)
        ret =
            render_prometheus(stream, &images, &(struct render_run){&images, show->search_errors});
    else if (options->format == OPTIONS_NAGIOS)
        ret = render_nagios(stream, &images,
                            &(struct render_nagios){show->level, options->limits, show->table,
                                                    show->search_error, 0});
    else if (options->format == OPTIONS_CSV)
        ret = render_csv(stream, &images, &how);
    else if (show->table)
        ret = render_table(stream, &images, &how);
    else
        ret = render_text(stream, image_of(&unpacked, 0), &how);
    free(unpacked.room);
    return ret;
}

/* A page or a table, and the terminal that it is for. */
struct page {
    const struct show *show;
    unsigned width;
};

static int render_page(void *context, FILE *memory)
{
    const struct page *page = context;

    return render(page->show, memory, page->width);
}

/* Page, table and the line for monitoring ask for memory while they are printed. The others, which
 * may be large, do not. */
static int render_whole(const struct show *show, FILE *stream)
{
    struct page page = {show, terminal_width(stream)};

    return show->options->format == OPTIONS_TEXT || show->options->format == OPTIONS_NAGIOS
               ? cmd_print_whole(stream, render_page, &page)
               : render(show, stream, 0);
}

int show_reports(const struct show *show, struct io_output *output, struct err *err)
{
    int ret = io_output_check(output, err);

    if (ret < 0 || (is_page(show) && show->images[0].image->error != NULL)) {
        io_output_abort(output);
        return ret;
    }
    ret = render_whole(show, output->stream);
    if (ret < 0) {
        err_set(err, -ret, "cannot print the result: %s", strerror(-ret));
        io_output_abort(output);
        return ret;
    }
    return io_output_commit(output, err);
}
