// SPDX-License-Identifier: MIT
/* Owns the map on a page, its table, and what a pointer is told of a cell. */
#include "html_map.h"

#include "cleanup.h"
#include "html_frame.h"
#include "html_pixels.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define PLACES 24 /* colours of the ramp: with all kinds and orders they fit into a byte */
#define ROWS 64   /* of the table */

/* Twice as many as there are lines. */
static uint32_t columns_of(size_t n)
{
    uint32_t columns = 1;

    while ((size_t)columns * columns < 2 * n && columns < 64)
        columns *= 2;
    return columns;
}

static struct render_colour colour_of(const struct report_cell *cell, double scale)
{
    struct report_cell rounded = *cell;

    rounded.place = round(cell->place * scale * (PLACES - 1)) / (PLACES - 1);
    return render_ramp_cell(&rounded);
}

/* ---- in words ---- */

/* Shares of the mapped bytes by order. */
static void put_finding(struct html *html, const struct html_subject *subject)
{
    double shares[4] = {0}, all = 0;

    for (size_t i = 0; i < subject->n_cells; i++) {
        double bytes = (double)subject->cells[i].bytes.mapped_bytes;

        shares[subject->cells[i].order] += bytes;
        all += bytes;
    }
    if (all == 0) {
        html_put(html, "Nothing is mapped.");
        return;
    }
    html_format(
        html,
        "%s of the data lies in stretches that are in order, %s in stretches that are in pieces.",
        html_percent(shares[REPORT_CELL_WHOLE] / all),
        html_percent((shares[REPORT_CELL_BROKEN] + shares[REPORT_CELL_IN_PIECES]) / all));
}

/* ---- the picture ---- */

static uint64_t end_of(const struct html_subject *subject)
{
    const struct report_cell *last = &subject->cells[subject->n_cells - 1];

    return last->off + last->len_bytes;
}

static int put_picture(struct html *html, const struct html_subject *subject, double scale)
{
    uint32_t columns = columns_of(subject->n_cells);
    uint32_t lines = (uint32_t)((subject->n_cells + columns - 1) / columns);
    struct html_pixels pixels;
    int ret = html_pixels_new(&pixels, columns, lines);

    if (ret < 0)
        return ret;
    for (size_t i = 0; i < subject->n_cells; i++)
        pixels.list[i] = html_pixels_colour(&pixels, colour_of(&subject->cells[i], scale), 255);
    html_format(html,
                "<div class=\"map\">\n<img width=\"%" PRIu32 "\" height=\"%" PRIu32 "\" alt=\"",
                columns, lines);
    html_format(html, "Map of the guest disk in %s cells. ", render_number_count(subject->n_cells));
    put_finding(html, subject);
    html_put(html, "\" src=\"");
    ret = html_pixels_put(html, &pixels);
    html_pixels_free(&pixels);
    html_format(html, "\">\n<div class=\"ends\"><span>%s</span><span>%s</span></div>\n</div>\n",
                render_number_size(subject->cells[0].off), render_number_size(end_of(subject)));
    return ret;
}

static void put_numbers(struct html *html, const char *key, const struct html_subject *subject,
                        uint64_t (*number)(const struct html_subject *, const struct report_cell *))
{
    html_format(html, ",\"%s\":[", key);
    for (size_t i = 0; i < subject->n_cells; i++) {
        html_put(html, i > 0 ? "," : "");
        html_digits(html, number(subject, &subject->cells[i]));
    }
    html_put(html, "]");
}

static uint64_t row_number(const struct html_subject *subject, const struct report_cell *cell)
{
    (void)subject;
    return cell->row;
}

static uint64_t seek_number(const struct html_subject *subject, const struct report_cell *cell)
{
    (void)subject;
    return report_picture_seeks(&cell->bytes);
}

static uint64_t mapped_number(const struct html_subject *subject, const struct report_cell *cell)
{
    return cell->bytes.mapped_bytes / subject->image->format.cluster_bytes;
}

/* For the script alone. */
static void put_cells(struct html *html, const struct html_subject *subject)
{
    static const char kinds[] = {[REPORT_CELL_EMPTY] = 'e',
                                 [REPORT_CELL_ZERO] = 'z',
                                 [REPORT_CELL_DATA] = 'd',
                                 [REPORT_CELL_COMPRESSED] = 'c'};
    const struct report_picture *picture = subject->image->picture;
    const struct meter_axis *host = &picture->shape.host;
    uint32_t columns = columns_of(subject->n_cells);

    html_format(html,
                "<script type=\"application/json\">{\"columns\":%" PRIu32
                ",\"lines\":%zu,\"begin\":%" PRIu64 ",\"unit\":%" PRIu64 ",\"cluster\":%" PRIu64
                ",\"host\":%" PRIu64 ",\"rowBytes\":%" PRIu64 ",\"kind\":\"",
                columns, (subject->n_cells + columns - 1) / columns, subject->cells[0].off,
                subject->cells[0].len_bytes, subject->image->format.cluster_bytes, host->origin,
                UINT64_C(1) << host->shift);
    for (size_t i = 0; i < subject->n_cells; i++)
        html_put(html, (const char[]){kinds[subject->cells[i].kind], '\0'});
    html_put(html, "\",\"order\":\"");
    for (size_t i = 0; i < subject->n_cells; i++)
        html_digits(html, subject->cells[i].order);
    html_put(html, "\"");
    put_numbers(html, "row", subject, row_number);
    put_numbers(html, "seeks", subject, seek_number);
    put_numbers(html, "mapped", subject, mapped_number);
    html_put(html, "}</script>\n");
}

/* ---- the table ---- */

static void put_row(struct html *html, const struct report_picture *picture,
                    const struct report_cell *cell)
{
    static const char *const orders[] = {"in order", "some breaks", "many breaks", "in pieces"};
    const struct meter_axis *host = &picture->shape.host;
    bool mapped = cell->bytes.mapped_bytes > 0;

    html_format(html, "<tr><th scope=\"row\" class=\"n\">%s</th><td>%s</td><td class=\"n\">%s</td>",
                render_number_size(cell->off), report_cell_name(cell->kind),
                render_number_size(cell->bytes.mapped_bytes));
    html_format(
        html, "<td>%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n",
        mapped ? orders[cell->order] : "-", render_number_count(report_picture_seeks(&cell->bytes)),
        mapped ? render_number_size(host->origin + ((uint64_t)cell->row << host->shift)) : "-");
}

static int put_table(struct html *html, const struct html_subject *subject)
{
    const struct report_picture *picture = subject->image->picture;
    CLEANUP_FREE struct report_cell *cells = NULL;
    size_t n = report_picture_cells(picture, ROWS, &cells);
    char caption[128];

    if (n == 0)
        return -ENOMEM;
    snprintf(caption, sizeof(caption), "The guest disk in stretches of %s",
             render_number_size(cells[0].len_bytes));
    html_put(html, "<details><summary>The same as a table</summary>\n");
    html_frame_table(html, caption, NULL);
    html_put(
        html,
        "<thead><tr><th scope=\"col\" class=\"n\">guest disk from</th><th scope=\"col\">holds</th>"
        "<th scope=\"col\" class=\"n\">mapped</th><th scope=\"col\">order</th>"
        "<th scope=\"col\" class=\"n\">seeks</th>"
        "<th scope=\"col\" class=\"n\">most of it lies near</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n; i++)
        put_row(html, picture, &cells[i]);
    html_frame_table_end(html);
    html_put(html, "</details>\n");
    return 0;
}

/* ---- all of it ---- */

int html_map(struct html *html, const struct html_subject *subject, uint64_t host_end)
{
    const struct report_picture *picture = subject->image->picture;
    double scale = host_end > 0 ? (double)picture->host_end / (double)host_end : 1;
    int ret;

    html_put(html, "<figure class=\"of-map\">\n");
    ret = put_picture(html, subject, scale > 1 ? 1 : scale);
    html_format(html, "<figcaption>Each cell is %s of the guest disk, in reading order. ",
                render_number_size(subject->cells[0].len_bytes));
    put_finding(html, subject);
    if (end_of(subject) < picture->guest_end)
        html_format(html, " Behind that, up to %s, nothing is mapped.",
                    render_number_size(picture->guest_end));
    html_put(html, "</figcaption>\n");
    put_cells(html, subject);
    if (ret == 0)
        ret = put_table(html, subject);
    html_put(html, "</figure>\n");
    return ret;
}

/* ---- the legend ---- */

static int put_strip(struct html *html, enum report_cell_kind kind, enum report_cell_order order,
                     const char *words)
{
    struct html_pixels pixels;
    int ret = html_pixels_new(&pixels, PLACES, 1);

    if (ret < 0)
        return ret;
    for (uint32_t i = 0; i < PLACES; i++)
        pixels.list[i] = html_pixels_colour(
            &pixels, render_ramp_colour(kind, order, (double)i / (PLACES - 1)), 255);
    html_put(html, "<li><img alt=\"\" width=\"24\" height=\"1\" src=\"");
    ret = html_pixels_put(html, &pixels);
    html_pixels_free(&pixels);
    html_format(html, "\">%s</li>\n", words);
    return ret;
}

static int put_one(struct html *html, enum report_cell_kind kind, const char *words)
{
    const struct report_cell cell = {.kind = kind};
    struct html_pixels pixels;
    int ret = html_pixels_new(&pixels, 1, 1);

    if (ret < 0)
        return ret;
    pixels.list[0] = html_pixels_colour(&pixels, render_ramp_cell(&cell), 255);
    html_put(html, "<li><img class=\"one\" alt=\"\" width=\"1\" height=\"1\" src=\"");
    ret = html_pixels_put(html, &pixels);
    html_pixels_free(&pixels);
    html_format(html, "\">%s</li>\n", words);
    return ret;
}

int html_map_legend(struct html *html)
{
    int ret;

    html_put(html, "<ul class=\"legend\" aria-label=\"Colours of the map\">\n");
    ret = put_strip(html, REPORT_CELL_DATA, REPORT_CELL_WHOLE,
                    "in order, from the front of the file to its end")
              ?: put_strip(html, REPORT_CELL_DATA, REPORT_CELL_IN_PIECES,
                           "broken up: the redder, the more")
              ?: put_strip(html, REPORT_CELL_COMPRESSED, REPORT_CELL_WHOLE, "compressed")
              ?: put_one(html, REPORT_CELL_ZERO, "zeros")
              ?: put_one(html, REPORT_CELL_EMPTY, "nothing");
    html_put(html, "</ul>\n");
    return ret;
}
