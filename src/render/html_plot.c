// SPDX-License-Identifier: MIT
/*
 * Owns the plot. A column is some bins of the raster, a line some of its rows; how much of what
 * could be there is there gives the density of a dot, in steps of powers of two, and how broken
 * the column is its colour. What is not there is transparent: the ground is that of the page.
 */
#include "html_plot.h"

#include "cleanup.h"
#include "counts.h"
#include "html_frame.h"
#include "html_pixels.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#define WIDTH_MAX 256
#define HEIGHT_MAX 128
#define N_DENSITIES 5
#define N_ORDERS 3
#define STRETCHES 16 /* rows of the table */

/* ---- axes ---- */

/* The part of the guest disk where anything is mapped; all of it if nothing is. */
static void find_mapped(const struct report_picture *picture, uint64_t *begin, uint64_t *end)
{
    const struct meter_axis *guest = &picture->shape.guest;
    uint64_t last = 0;
    bool any = false;

    *begin = picture->guest_begin;
    *end = picture->guest_end;
    for (uint32_t i = 0; i < guest->n; i++) {
        const uint64_t *rows;
        const struct meter_raster_bin *bin = meter_raster_bin(picture->raster, i, &rows);
        uint64_t off = guest->origin + ((uint64_t)i << guest->shift);

        if (bin == NULL || bin->mapped_bytes == 0)
            continue;
        if (!any && off > *begin)
            *begin = off;
        any = true;
        last = off + (UINT64_C(1) << guest->shift);
    }
    if (any && last < *end)
        *end = last;
}

void html_plot_widen(struct html_plot_axes *axes, const struct report_picture *picture)
{
    uint64_t begin, end;

    find_mapped(picture, &begin, &end);
    if (axes->guest_end == 0) {
        *axes = (struct html_plot_axes){begin, end, picture->host_begin, picture->host_end};
        return;
    }
    if (begin < axes->guest_begin)
        axes->guest_begin = begin;
    if (end > axes->guest_end)
        axes->guest_end = end;
    if (picture->host_begin < axes->host_begin)
        axes->host_begin = picture->host_begin;
    if (picture->host_end > axes->host_end)
        axes->host_end = picture->host_end;
}

/* An axis of the raster as dots: so many stretches are one, from stretch number first on. */
struct grid {
    uint32_t per_dot, n_dots;
    int64_t first; /* below 0: dots come before the first stretch */
};

/* Dots for all of [begin, end), at most @most of them. */
static struct grid grid_of(const struct meter_axis *axis, uint64_t begin, uint64_t end,
                           uint32_t most)
{
    struct grid grid = {.per_dot = 1};
    uint64_t from = begin >> axis->shift,
             to = end > begin ? ((end - 1) >> axis->shift) + 1 : from + 1;

    while ((to - from + grid.per_dot - 1) / grid.per_dot > most)
        grid.per_dot *= 2;
    grid.n_dots = (uint32_t)((to - from + grid.per_dot - 1) / grid.per_dot);
    grid.first = (int64_t)(from - (axis->origin >> axis->shift));
    return grid;
}

static uint32_t dot_of(const struct grid *grid, uint32_t stretch)
{
    int64_t dot = ((int64_t)stretch - grid->first) / grid->per_dot;

    return dot < 0 ? 0 : dot < grid->n_dots ? (uint32_t)dot : grid->n_dots - 1;
}

/* ---- dots ---- */

struct dots {
    struct grid columns, lines;
    uint64_t *bytes; /* [n_dots of lines][n_dots of columns] */
    uint64_t column_bytes, line_bytes;
    uint64_t most; /* that one can have */
};

static void count_bin(struct dots *dots, const struct report_picture *picture, uint32_t bin,
                      const uint32_t *line_of_row)
{
    uint32_t n_rows = meter_raster_rows(&picture->shape)->n;
    const uint64_t *rows;
    const struct meter_raster_bin *bytes = meter_raster_bin(picture->raster, bin, &rows);
    uint32_t column = dot_of(&dots->columns, bin);

    if (bytes == NULL || bytes->mapped_bytes == 0)
        return;
    for (uint32_t i = 0; i < n_rows; i++)
        if (rows[i] > 0)
            dots->bytes[(size_t)line_of_row[i] * dots->columns.n_dots + column] += rows[i];
}

static int count_dots(struct dots *dots, const struct report_picture *picture,
                      const struct html_plot_axes *axes)
{
    const struct meter_axis *guest = &picture->shape.guest, *host = &picture->shape.host;
    CLEANUP_FREE uint32_t *line_of_row = calloc(host->n, sizeof(*line_of_row));

    dots->columns = grid_of(guest, axes->guest_begin, axes->guest_end, WIDTH_MAX);
    dots->lines = grid_of(host, axes->host_begin, axes->host_end, HEIGHT_MAX);
    dots->column_bytes = (uint64_t)dots->columns.per_dot << guest->shift;
    dots->line_bytes = (uint64_t)dots->lines.per_dot << host->shift;
    dots->most = dots->column_bytes < dots->line_bytes ? dots->column_bytes : dots->line_bytes;
    dots->bytes = calloc((size_t)dots->columns.n_dots * dots->lines.n_dots, sizeof(*dots->bytes));
    if (dots->bytes == NULL || line_of_row == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < host->n; i++)
        line_of_row[i] = dot_of(&dots->lines, i);
    for (uint32_t i = 0; i < guest->n; i++)
        count_bin(dots, picture, i, line_of_row);
    return 0;
}

/* 0: nothing; N_DENSITIES: half of what can be there, or more. */
static unsigned density_of(uint64_t bytes, uint64_t most)
{
    if (bytes == 0)
        return 0;
    return bytes >= most / 2     ? 5
           : bytes >= most / 8   ? 4
           : bytes >= most / 32  ? 3
           : bytes >= most / 256 ? 2
                                 : 1;
}

/*
 * How broken each column is, 0 .. N_ORDERS - 1: by the part of its time that a spinning disk loses
 * to seeks, as for cells.
 */
static void find_orders(const struct dots *dots, const struct report_picture *picture,
                        uint8_t orders[WIDTH_MAX])
{
    static const uint8_t order_of[] = {[REPORT_CELL_WHOLE] = 0,
                                       [REPORT_CELL_CRACKED] = 1,
                                       [REPORT_CELL_BROKEN] = 1,
                                       [REPORT_CELL_IN_PIECES] = 2};
    uint64_t seeks[WIDTH_MAX] = {0}, mapped[WIDTH_MAX] = {0};

    for (uint32_t i = 0; i < picture->shape.guest.n; i++) {
        const uint64_t *rows;
        const struct meter_raster_bin *bin = meter_raster_bin(picture->raster, i, &rows);
        uint32_t column = dot_of(&dots->columns, i);

        if (bin == NULL)
            continue;
        mapped[column] += bin->mapped_bytes;
        seeks[column] += report_picture_seeks(bin);
    }
    for (uint32_t x = 0; x < dots->columns.n_dots; x++)
        orders[x] = order_of[report_picture_order(seeks[x], mapped[x])];
}

/* Blue, amber and red, which are seen on a light and on a dark ground. */
static void add_colours(struct html_pixels *pixels)
{
    static const struct render_colour colours[N_ORDERS] = {
        {37, 110, 230}, {222, 132, 10}, {221, 44, 44}};
    static const uint8_t alphas[N_DENSITIES] = {96, 145, 185, 225, 255};

    for (unsigned order = 0; order < N_ORDERS; order++)
        for (unsigned density = 0; density < N_DENSITIES; density++)
            html_pixels_colour(pixels, colours[order], alphas[density]);
}

static int fill_pixels(struct html_pixels *pixels, const struct dots *dots,
                       const struct report_picture *picture)
{
    const uint32_t width = dots->columns.n_dots, height = dots->lines.n_dots;
    uint8_t orders[WIDTH_MAX];

    if (html_pixels_new(pixels, width, height) < 0)
        return -ENOMEM;
    find_orders(dots, picture, orders);
    add_colours(pixels);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            unsigned density = density_of(dots->bytes[(size_t)y * width + x], dots->most);

            if (density > 0)
                pixels->list[(size_t)(height - 1 - y) * width + x] =
                    (uint8_t)(1 + orders[x] * N_DENSITIES + density - 1);
        }
    return 0;
}

/* ---- in words ---- */

/* In how many lines the data of a column lies, weighed by its bytes. */
static double mean_spread(const struct dots *dots)
{
    double spread = 0, all = 0;

    for (uint32_t x = 0; x < dots->columns.n_dots; x++) {
        uint32_t n = 0;
        double bytes = 0;

        for (uint32_t y = 0; y < dots->lines.n_dots; y++) {
            uint64_t here = dots->bytes[(size_t)y * dots->columns.n_dots + x];

            n += here > 0;
            bytes += (double)here;
        }
        spread += n * bytes;
        all += bytes;
    }
    return all > 0 ? spread / all : 0;
}

/* What a spinning disk loses to seeks, of all its time. */
static double lost_share(const struct report_picture *picture)
{
    uint64_t mapped = 0, seeks = 0;

    for (uint32_t i = 0; i < picture->shape.guest.n; i++) {
        const uint64_t *rows;
        const struct meter_raster_bin *bin = meter_raster_bin(picture->raster, i, &rows);

        if (bin == NULL)
            continue;
        mapped += bin->mapped_bytes;
        seeks += report_picture_seeks(bin);
    }
    return report_picture_lost(seeks, mapped);
}

/* In an attribute and in a caption: what is to be seen. */
static void put_finding(struct html *html, const struct dots *dots,
                        const struct report_picture *picture, const char *host)
{
    double spread = mean_spread(dots), lost = lost_share(picture);

    if (spread == 0) {
        html_put(html, "Nothing is mapped, so there is no dot.");
        return;
    }
    html_put(html, lost < 1. / 8   ? "The dots make lines: the data is in order."
                   : lost < 1. / 2 ? "The lines are broken: a part of the data is out of order."
                                   : "The dots are strewn about: the data is scattered.");
    if (spread >= 3)
        html_format(html,
                    " Each %s of the guest disk lies in about %.0f of %" PRIu32 " parts of the %s.",
                    render_number_size(dots->column_bytes), spread, dots->lines.n_dots, host);
}

/* ---- the table ---- */

/* Where the first @share of the bytes of a stretch ends, on the axis of the host. */
static uint64_t quantile(const struct report_picture *picture, const uint64_t *rows, double share)
{
    const struct meter_axis *host = &picture->shape.host;
    double all = 0, sum = 0;

    for (uint32_t i = 0; i < host->n; i++)
        all += (double)rows[i];
    for (uint32_t i = 0; i < host->n; i++) {
        sum += (double)rows[i];
        if (sum >= share * all)
            return host->origin + ((uint64_t)i << host->shift);
    }
    return host->origin;
}

static void put_stretch(struct html *html, const struct report_picture *picture, uint32_t first,
                        uint32_t end, uint64_t *sums)
{
    const struct meter_axis *guest = &picture->shape.guest;
    uint32_t n_rows = picture->shape.host.n;
    uint64_t mapped = 0;

    for (uint32_t k = 0; k < n_rows; k++)
        sums[k] = 0;
    for (uint32_t i = first; i < end; i++) {
        const uint64_t *rows;
        const struct meter_raster_bin *bin = meter_raster_bin(picture->raster, i, &rows);

        if (bin == NULL || bin->mapped_bytes == 0)
            continue;
        mapped += bin->mapped_bytes;
        for (uint32_t k = 0; k < n_rows; k++)
            sums[k] += rows[k];
    }
    html_format(html, "<tr><th scope=\"row\" class=\"n\">%s</th><td class=\"n\">%s</td>",
                render_number_size(guest->origin + ((uint64_t)first << guest->shift)),
                render_number_size(mapped));
    if (mapped > 0)
        html_format(html, "<td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n",
                    render_number_size(quantile(picture, sums, 0.25)),
                    render_number_size(quantile(picture, sums, 0.75)));
    else
        html_put(html, "<td class=\"n\">-</td><td class=\"n\">-</td></tr>\n");
}

static int put_table(struct html *html, const struct report_picture *picture, const char *host)
{
    uint32_t n = picture->shape.guest.n, per_row = (n + STRETCHES - 1) / STRETCHES;
    CLEANUP_FREE uint64_t *sums = calloc(picture->shape.host.n, sizeof(*sums));
    char caption[128];

    if (sums == NULL)
        return -ENOMEM;
    snprintf(caption, sizeof(caption),
             "Where the middle half of each stretch&#39;s data lies in the %s", host);
    html_put(html, "<details><summary>The same as a table</summary>\n");
    html_frame_table(html, caption, NULL);
    html_put(html,
             "<thead><tr><th scope=\"col\" class=\"n\">guest disk from</th>"
             "<th scope=\"col\" class=\"n\">mapped</th><th scope=\"col\" class=\"n\">lies from</th>"
             "<th scope=\"col\" class=\"n\">to</th></tr></thead>\n<tbody>\n");
    for (uint32_t i = 0; i < n; i += per_row)
        put_stretch(html, picture, i, i + per_row < n ? i + per_row : n, sums);
    html_frame_table_end(html);
    html_put(html, "</details>\n");
    return 0;
}

/* ---- all of it ---- */

static int put_picture(struct html *html, const struct dots *dots,
                       const struct report_picture *picture, const struct html_plot_axes *axes,
                       const char *host)
{
    struct html_pixels pixels;
    int ret = fill_pixels(&pixels, dots, picture);

    if (ret < 0)
        return ret;
    html_format(html,
                "<div class=\"plot\">\n<div class=\"up\"><span>%s</span><span class=\"axis\">place "
                "in the %s</span>"
                "<span>%s</span></div>\n",
                render_number_size(axes->host_end), host, render_number_size(axes->host_begin));
    html_format(html, "<img width=\"%" PRIu32 "\" height=\"%" PRIu32 "\" alt=\"", pixels.width,
                pixels.height);
    html_format(html, "Plot of the guest disk against the place in the %s. ", host);
    put_finding(html, dots, picture, host);
    html_put(html, "\" src=\"");
    ret = html_pixels_put(html, &pixels);
    html_pixels_free(&pixels);
    html_format(html,
                "\">\n<div class=\"along\"><span>%s</span><span class=\"axis\">guest disk</span>"
                "<span>%s</span></div>\n</div>\n",
                render_number_size(axes->guest_begin), render_number_size(axes->guest_end));
    return ret;
}

int html_plot(struct html *html, const struct report_picture *picture,
              const struct html_plot_axes *axes, const char *host)
{
    struct dots dots = {.bytes = NULL};
    int ret = count_dots(&dots, picture, axes);

    if (ret < 0)
        return ret;
    html_format(html,
                "<figure class=\"of-plot\" data-host=\"%s\" data-axes=\"%" PRIu64 " %" PRIu64
                " %" PRIu64 " %" PRIu64 "\">\n",
                host, axes->guest_begin, axes->guest_end, axes->host_begin, axes->host_end);
    ret = put_picture(html, &dots, picture, axes, host);
    html_put(html, "<figcaption>");
    put_finding(html, &dots, picture, host);
    html_put(html, " A thin rising line is order, blue; what is broken up is red.</figcaption>\n");
    if (ret == 0)
        ret = put_table(html, picture, host);
    html_put(html, "</figure>\n");
    free(dots.bytes);
    return ret;
}
