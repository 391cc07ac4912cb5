// SPDX-License-Identifier: MIT
/* Owns the order of the page, and that it fits into its bytes. */
#include "render_html.h"

#include "cleanup.h"
#include "html.h"
#include "html_figures.h"
#include "html_file.h"
#include "html_frame.h"
#include "html_histogram.h"
#include "html_layers.h"
#include "html_map.h"
#include "html_plot.h"
#include "html_subject.h"
#include "html_verdict.h"
#include "html_worst.h"
#include "json.h"
#include "render.h"
#include "uri.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define JSON_BYTES_MAX 250000
#define END_BYTES 12000 /* the script, and what is around it */
#define TABLES_MAX 100  /* more are not tried to fit */

const struct report_picture_choice render_html_pictures = {
    .file = true, .device = true, .bins = HTML_MAP_CELLS_MAX, .rows = 128};

/* ---- what it is about ---- */

static int add_subject(struct html_subjects *subjects, const struct report_image *image,
                       const char *label)
{
    struct html_subject *subject = &subjects->list[subjects->n++];

    *subject =
        (struct html_subject){.image = image, .table = report_main_table(image), .label = label};
    if (image->picture == NULL)
        return 0;
    subject->n_cells = report_picture_cells(image->picture, HTML_MAP_CELLS_MAX, &subject->cells);
    return subject->n_cells > 0 ? 0 : -ENOMEM;
}

/* Where the last cell with anything in it ends, of all: behind it no map has to show nothing. */
static void cut_maps(struct html_subjects *subjects)
{
    size_t end = 1;

    for (size_t i = 0; i < subjects->n; i++)
        for (size_t k = 0; k < subjects->list[i].n_cells; k++)
            if (subjects->list[i].cells[k].kind != REPORT_CELL_EMPTY && k >= end)
                end = k + 1;
    for (size_t i = 0; i < subjects->n; i++)
        if (subjects->list[i].n_cells > end)
            subjects->list[i].n_cells = end;
}

static void release(struct html_subjects *subjects)
{
    for (size_t i = 0; i < subjects->n; i++)
        free(subjects->list[i].cells);
}

/* ---- pictures ---- */

typedef const struct report_picture *picture_of(const struct report_image *image);

static const struct report_picture *file_of(const struct report_image *image)
{
    return image->picture;
}

/* Of a file of nothing but holes there is nothing to see. */
static const struct report_picture *device_of(const struct report_image *image)
{
    const struct report_table *table = report_main_table(image);

    return table != NULL && table->end_to_end.known && table->end_to_end.walk.mapped_bytes > 0
               ? image->device_picture
               : NULL;
}

static bool all_have(const struct html_subjects *subjects, picture_of *picture)
{
    for (size_t i = 0; i < subjects->n; i++)
        if (picture(subjects->list[i].image) == NULL)
            return false;
    return true;
}

static int put_plots(struct html *html, const struct html_subjects *subjects, picture_of *picture,
                     const char *host)
{
    struct html_plot_axes axes = {.guest_end = 0};
    int ret = 0;

    for (size_t i = 0; i < subjects->n; i++)
        html_plot_widen(&axes, picture(subjects->list[i].image));
    for (size_t i = 0; i < subjects->n && ret == 0; i++) {
        if (subjects->n > 1)
            html_format(html, "<div>\n<h3>%s</h3>\n", subjects->list[i].label);
        ret = html_plot(html, picture(subjects->list[i].image), &axes, host);
        if (subjects->n > 1)
            html_put(html, "</div>\n");
    }
    return ret;
}

static int put_maps(struct html *html, const struct html_subjects *subjects)
{
    uint64_t host_end = 0;
    int ret = 0;

    if (!all_have(subjects, file_of))
        return 0;
    for (size_t i = 0; i < subjects->n; i++)
        if (subjects->list[i].image->picture->host_end > host_end)
            host_end = subjects->list[i].image->picture->host_end;
    html_frame_section(
        html, "map", "Map of the guest disk",
        "From top left to bottom right, as one reads. The colour tells where in the file a "
        "stretch lies: a smooth sweep is order, confetti is fragmentation.");
    html_put(html, subjects->n > 1 ? "<div class=\"pair\">\n" : "");
    for (size_t i = 0; i < subjects->n && ret == 0; i++) {
        if (subjects->n > 1)
            html_format(html, "<div>\n<h3>%s</h3>\n", subjects->list[i].label);
        ret = html_map(html, &subjects->list[i], host_end);
        html_put(html, subjects->n > 1 ? "</div>\n" : "");
    }
    html_put(html, subjects->n > 1 ? "</div>\n" : "");
    if (ret == 0)
        ret = html_map_legend(html);
    html_put(html, "</section>\n");
    return ret;
}

static int put_device(struct html *html, const struct html_subjects *subjects)
{
    int ret;

    if (!all_have(subjects, device_of))
        return 0;
    html_frame_section(
        html, "device", "On the device",
        "The same through the second layer: where the host&#39;s file system has put the file. "
        "If this is a cloud and the plot above a line, the host is to blame.");
    html_put(html, subjects->n > 1 ? "<div class=\"pair\">\n" : "");
    ret = put_plots(html, subjects, device_of, "device");
    html_put(html, subjects->n > 1 ? "</div>\n</section>\n" : "</section>\n");
    return ret;
}

/* ---- the first screen ---- */

static void put_note(struct html *html, const struct html_subjects *subjects)
{
    if (subjects->note == NULL)
        return;
    html_put(html, "<p class=\"lead\">");
    html_sentence(html, subjects->note);
    html_put(html, "</p>\n");
}

static int put_hero(struct html *html, const struct html_subjects *subjects)
{
    int ret = 0;

    if (subjects->n == 1) {
        html_put(html, "<div class=\"hero\">\n<div>\n");
        html_verdict(html, &subjects->list[0]);
        put_note(html, subjects);
        html_put(html, "</div>\n");
        if (all_have(subjects, file_of))
            ret = put_plots(html, subjects, file_of, "file");
        html_put(html, "</div>\n");
        return ret;
    }
    html_put(html, "<div class=\"hero-two\">\n");
    html_verdict_change(html, subjects);
    put_note(html, subjects);
    html_put(html, "</div>\n");
    if (!all_have(subjects, file_of))
        return 0;
    html_frame_section(
        html, "plot", "Guest disk against place in the file",
        "Each dot is a stretch of the guest disk, and where in the file its data lies. Both "
        "plots have the same scales.");
    html_put(html, "<div class=\"pair\">\n");
    ret = put_plots(html, subjects, file_of, "file");
    html_put(html, "</div>\n</section>\n");
    return ret;
}

/* ---- the data ---- */

static const struct report_image *image_of(void *context, size_t i)
{
    return &((const struct report_image *)context)[i];
}

/* Less and less of the images: without snapshots, without lists. */
static void shorten(struct report_image *image, unsigned level)
{
    if (level >= 1 && image->n_tables > 1)
        image->n_tables = 1;
    if (level >= 2)
        image->findings.n_list = 0;
}

static bool is_short(const struct report_image *image, unsigned level)
{
    return (level >= 1 || image->n_tables <= TABLES_MAX) &&
           (image->n_tables == 0 || image->tables[0].n_layers <= TABLES_MAX) &&
           (image->space == NULL || image->space->n_snapshots <= TABLES_MAX);
}

/* The document of copies of the images, as far as @level goes; NULL: it does not fit, or there is
 * no memory. */
static char *document_of(const struct html_subjects *subjects, unsigned level, size_t most)
{
    struct report_image copies[2];
    const struct render_images images = {subjects->n, image_of, copies};

    for (size_t i = 0; i < subjects->n; i++) {
        copies[i] = *subjects->list[i].image;
        shorten(&copies[i], level);
        if (!is_short(&copies[i], level))
            return NULL;
    }
    return html_frame_document(&images, most);
}

static void put_document(struct html *html, const struct html_subjects *subjects)
{
    static const char *const left_out[] = {"", " without the snapshots",
                                           " without the snapshots and findings"};
    size_t most = html->n_bytes + END_BYTES < RENDER_HTML_BYTES_MAX
                      ? RENDER_HTML_BYTES_MAX - END_BYTES - html->n_bytes
                      : 0;
    CLEANUP_FREE char *text = NULL;
    unsigned level = 0;

    most = most < JSON_BYTES_MAX ? most : JSON_BYTES_MAX;
    for (; level < 3 && text == NULL; level++)
        text = document_of(subjects, level, most);
    html_frame_section(html, "data", "Data", NULL);
    if (text == NULL) {
        html_put(html,
                 "<p>The JSON of this report is too long to be here: <code>qcow2frag --json</code> "
                 "prints it.</p>\n</section>\n");
        return;
    }
    html_format(html,
                "<p>The source of this page has all figures%s as JSON, in the element <code>"
                "qcow2frag-json</code>: what <code>qcow2frag --json</code> prints.</p>\n"
                "<script type=\"application/json\" id=\"qcow2frag-json\">",
                left_out[level - 1]);
    html_put(html, text);
    html_put(html, "</script>\n</section>\n");
}

/* ---- the page ---- */

/* Of two it is no news that nothing is to be done; of a rewrite, something was. */
static bool has_steps(const struct html_subjects *subjects)
{
    const struct report_image *image = subjects->list[subjects->n - 1].image;

    return html_verdict_has_steps(image) && subjects->note == NULL &&
           (subjects->n == 1 || !image->verdict.known || image->verdict.action != REPORT_NONE);
}

static void put_links(struct html *html, const struct html_subjects *subjects)
{
    const struct html_subject *last = &subjects->list[subjects->n - 1];
    const bool alone = subjects->n == 1, pictures = all_have(subjects, file_of);

    html_frame_link(html, "todo", "What to do", has_steps(subjects));
    html_frame_link(html, "plot", "Plot", pictures && !alone);
    html_frame_link(html, "map", "Map", pictures);
    html_frame_link(html, "worst", "Worst stretches", html_worst_is_there(last));
    html_frame_link(html, "figures", "Figures", true);
    html_frame_link(html, "lengths", "Lengths", html_histogram_is_there(subjects));
    html_frame_link(html, "snapshots", "Snapshots", html_layers_has_snapshots(last->image));
    html_frame_link(html, "chain", "Chain", html_layers_has_chain(last));
    html_frame_link(html, "device", "Device", all_have(subjects, device_of));
    html_frame_link(html, "file", "File and host", true);
    html_frame_link(html, "space", "Space", true);
    html_frame_link(html, "findings", "Findings", true);
    html_put(html, "</ul></nav>\n<main>\n");
}

static int put_parts(struct html *html, const struct html_subjects *subjects)
{
    const struct html_subject *last = &subjects->list[subjects->n - 1];
    int ret = put_hero(html, subjects);

    if (ret == 0 && has_steps(subjects))
        ret = html_verdict_steps(html, last->image);
    if (ret == 0)
        ret = put_maps(html, subjects);
    if (ret == 0)
        ret = html_worst(html, last);
    html_figures(html, subjects);
    html_histograms(html, subjects);
    html_layers_snapshots(html, last->image);
    html_layers_chain(html, last);
    if (ret == 0)
        ret = put_device(html, subjects);
    html_file(html, subjects);
    html_file_space(html, subjects);
    html_file_findings(html, subjects);
    return ret;
}

static void put_title(struct html *html, const struct html_subjects *subjects)
{
    const struct html_subject *first = &subjects->list[0];
    const char *path = first->image->path, *slash = strrchr(path, '/');
    const char *name = slash != NULL && slash[1] != '\0' && !io_uri_is(path) ? slash + 1 : path;

    html_put(html, subjects->n > 1 ? "Before and after" : html_verdict_state(first).word);
    html_put(html, ": ");
    html_name(html, name, strlen(name));
    html_put(html, " \xe2\x80\x93 qcow2frag");
}

static int put_page(struct html *html, const struct html_subjects *subjects)
{
    const char *paths[2] = {subjects->list[0].image->path,
                            subjects->n > 1 ? subjects->list[1].image->path : NULL};
    int ret;

    html_frame_begin(html);
    put_title(html, subjects);
    html_frame_body(html);
    html_frame_header(html, paths, subjects->n > 1 && strcmp(paths[0], paths[1]) != 0 ? 2 : 1,
                      subjects->list[subjects->n - 1].image->measured_at);
    put_links(html, subjects);
    ret = put_parts(html, subjects);
    put_document(html, subjects);
    html_put(html, "</main>\n");
    html_frame_end(html);
    return ret;
}

int render_html(FILE *stream, const struct report_image *image, const struct report_image *after,
                const char *note)
{
    struct html html = {.stream = stream};
    CLEANUP(release) struct html_subjects subjects = {.note = note};
    int ret = add_subject(&subjects, image, after != NULL ? "Before" : NULL);

    if (ret == 0 && after != NULL)
        ret = add_subject(&subjects, after, "After");
    cut_maps(&subjects);
    return ret == 0 ? put_page(&html, &subjects) : ret;
}
