// SPDX-License-Identifier: MIT
/* Owns the choice of a renderer, and that no half of a result is seen. */
#include "show.h"

#include "cmd.h"
#include "domains.h"
#include "err.h"
#include "kin.h"
#include "options.h"
#include "output.h"
#include "pack.h"
#include "render.h"
#include "render_nagios.h"
#include "render_prometheus.h"
#include "report.h"
#include "terminal.h"
#include "top.h"

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
    struct report_image *image; /* in it; NULL: none is yet, */
    size_t number;              /* and which it is */
    struct kin kin;
};

static const struct report_image *image_of(void *context, size_t i)
{
    struct unpacked *unpacked = context;
    const struct show_image *wanted = &unpacked->show->images[i];
    struct report_image *image = wanted->image;

    if (wanted->packed != NULL) {
        if (unpacked->image == NULL || unpacked->number != i)
            unpacked->image = report_unpack(wanted->packed, unpacked->room);
        unpacked->number = i;
        image = unpacked->image;
    }
    kin_fill(&unpacked->kin, i, image);
    image->domains = domains_of(unpacked->show->domains, i);
    return image;
}

/* What is shown of the images, and all of them. */
static int render_as(const struct show *show, FILE *stream, const struct render_images *images,
                     const struct render_images *all, const struct render_options *how)
{
    const struct options *options = show->options;

    switch (options->format) {
    case OPTIONS_JSON:
        return render_json(stream, images);
    case OPTIONS_CSV:
        return render_csv(stream, images, how);
    case OPTIONS_PROMETHEUS:
        return render_prometheus(stream, images, &(struct render_run){all, show->search_errors});
    case OPTIONS_NAGIOS:
        return render_nagios(stream, all,
                             &(struct render_nagios){show->level, options->limits, show->table,
                                                     show->search_error, (size_t)options->top});
    default:
        return show->table ? render_table(stream, images, how)
                           : render_text(stream, images->image(images->context, 0), how);
    }
}

/* @width: of the terminal that will show it, or 0. */
static int render(const struct show *show, FILE *stream, unsigned width)
{
    struct unpacked unpacked = {.show = show};
    const struct render_images all = {show->n_images, image_of, &unpacked};
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
        .domains = options->libvirt,
        .sort = options->sort,
        .sort_reversed = options->sort_reversed,
    };
    struct top top = {.list = NULL};
    int ret = 0;

    if (show->room_bytes > 0) {
        unpacked.room = malloc(show->room_bytes);
        if (unpacked.room == NULL)
            return -ENOMEM;
    }
    if (all.n > 1)
        ret = kin_find(&unpacked.kin, &all);
    if (ret == 0 && options->top > 0)
        ret = top_choose(&top, &all, (size_t)options->top, options->sort, options->sort_reversed);
    if (ret == 0)
        ret = render_as(show, stream, options->top > 0 ? &top.images : &all, &all, &how);
    top_free(&top);
    kin_free(&unpacked.kin);
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
