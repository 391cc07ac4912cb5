// SPDX-License-Identifier: MIT
/* Owns the page of many images, and what is left out of it when there are too many. */
#include "render_fleet.h"

#include "cleanup.h"
#include "html.h"
#include "html_frame.h"
#include "html_histogram.h"
#include "render.h"
#include "render_html.h"
#include "seconds.h"
#include "state.h"
#include "text.h"
#include "verdict.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define THUMBS_MAX 200
#define NAME_SHOWN_MAX 200
#define END_BYTES 14000 /* the script, and what is below the table */
#define JSON_BYTES_MAX 300000

const struct report_picture_choice render_fleet_picture = {
    .file = true, .bins = HTML_THUMB_CELLS_MAX, .rows = 32};

/* ---- a row ---- */

static void find_places(const struct report_image *image, double lost, struct render_fleet_row *row)
{
    const struct report_verdict *verdict = &image->verdict;
    double host = verdict->host_share.known ? verdict->host_share.value : 0;
    enum render_fleet_place place = verdict->action == REPORT_SNAPSHOTS  ? RENDER_FLEET_SNAPSHOTS
                                    : verdict->action == REPORT_L2_CACHE ? RENDER_FLEET_TABLES
                                                                         : RENDER_FLEET_IMAGE;

    row->lost_where[RENDER_FLEET_HOST] = host * lost;
    row->lost_where[place] += (1 - host) * lost;
}

static enum render_fleet_state state_of(const struct report_image *image,
                                        const struct report_table *table)
{
    static const enum render_fleet_state of_action[] = {
        [REPORT_NONE] = RENDER_FLEET_IN_ORDER,
        [REPORT_IMAGE] = RENDER_FLEET_SLOW_IMAGE,
        [REPORT_HOST] = RENDER_FLEET_SLOW_HOST,
        [REPORT_BOTH] = RENDER_FLEET_SLOW_BOTH,
        [REPORT_SNAPSHOTS] = RENDER_FLEET_SLOW_SNAPSHOTS,
        [REPORT_L2_CACHE] = RENDER_FLEET_SLOW_L2_CACHE,
        [REPORT_UNKNOWN] = RENDER_FLEET_UNKNOWN};

    switch (report_state(image, table)) {
    case REPORT_STATE_FAILED:
        return RENDER_FLEET_FAILED;
    case REPORT_STATE_DAMAGED:
        return RENDER_FLEET_DAMAGED;
    case REPORT_STATE_CHANGING:
        return RENDER_FLEET_CHANGING;
    case REPORT_STATE_JUDGED:
        return of_action[image->verdict.action];
    default:
        return RENDER_FLEET_UNKNOWN;
    }
}

int render_fleet_row(const struct report_image *image, struct render_fleet_row *row)
{
    const struct report_table *table = image->error == NULL ? report_main_table(image) : NULL;
    struct report_seconds seconds;

    memset(row, 0, sizeof(*row));
    row->path = image->path;
    row->state = state_of(image, table);
    if (table == NULL || !table->measured)
        return 0;
    seconds = report_seconds_of(table);
    row->lost = (struct opt_f64){seconds.known, seconds.lost};
    row->seconds = (struct opt_f64){seconds.known, seconds.seconds};
    row->slowdown = (struct opt_f64){seconds.known, seconds.slowdown_low};
    row->score = table->walk.fragmentation_score;
    row->half_bytes = table->walk.contiguous_run_half_bytes;
    row->mapped_bytes = opt_u64_of(table->walk.mapped_bytes);
    if (seconds.known)
        find_places(image, seconds.lost, row);
    return image->picture != NULL ? html_thumb_fill(&row->before, image->picture) : 0;
}

/* What loses most first; what is not known last, by name. */
static int worst_first(const void *a, const void *b)
{
    const struct render_fleet_row *left = a, *right = b;
    double x = left->lost.known ? left->lost.value : -1,
           y = right->lost.known ? right->lost.value : -1;

    if (x != y)
        return x < y ? 1 : -1;
    return strcmp(left->path, right->path);
}

/* ---- all of them ---- */

struct sum {
    size_t slow, failed, damaged, done, planned;
    double seconds, lost, after;
    double lost_where[RENDER_FLEET_N_PLACES];
};

static bool is_slow(const struct render_fleet_row *row)
{
    return row->state >= RENDER_FLEET_SLOW_IMAGE && row->state <= RENDER_FLEET_SLOW_L2_CACHE;
}

static struct sum sum_of(const struct render_fleet *fleet)
{
    struct sum sum = {.slow = 0};

    for (size_t i = 0; i < fleet->n_rows; i++) {
        const struct render_fleet_row *row = &fleet->rows[i];

        sum.slow += is_slow(row);
        sum.failed += row->state == RENDER_FLEET_FAILED;
        sum.damaged += row->state == RENDER_FLEET_DAMAGED;
        sum.done += row->state == RENDER_FLEET_REWRITTEN;
        sum.planned += row->state == RENDER_FLEET_PLANNED;
        if (row->seconds.known)
            sum.seconds += row->seconds.value;
        if (row->lost.known)
            sum.lost += row->lost.value;
        if (row->seconds.known)
            sum.after += row->seconds_after.known ? row->seconds_after.value : row->seconds.value;
        for (unsigned k = 0; k < RENDER_FLEET_N_PLACES; k++)
            sum.lost_where[k] += row->lost_where[k];
    }
    return sum;
}

/* ---- the first screen ---- */

static void put_bar(struct html *html, const char *words, double seconds, double most,
                    const char *colour)
{
    html_time(html, words, seconds, most > 0 ? 100 * seconds / most : 0, colour);
}

static void put_verdict(struct html *html, const struct render_fleet *fleet, const struct sum *sum)
{
    bool bad = sum->slow + sum->damaged + sum->failed > 0;

    html_put(html, "<div class=\"hero-two\">\n");
    if (fleet->rewritten)
        html_format(html,
                    "<h1 id=\"verdict\"><span class=\"word good\">%s<span class=\"off\">: "
                    "</span></span> <span class=\"rest\">to read all %s images takes %s where it "
                    "%s %s</span></h1>\n",
                    sum->done > 0 || sum->planned == 0 ? "Rewritten" : "A plan",
                    render_number_count(fleet->n_rows), render_number_duration(sum->after),
                    sum->done > 0 || sum->planned == 0 ? "took" : "takes now",
                    render_number_duration(sum->seconds));
    else if (bad)
        html_format(html,
                    "<h1 id=\"verdict\"><span class=\"word bad\">%s of %s<span class=\"off\"> "
                    "</span></span> "
                    "<span class=\"rest\">images are fragmented so that it hurts%s</span></h1>\n",
                    render_number_count(sum->slow), render_number_count(fleet->n_rows),
                    sum->damaged + sum->failed > 0 ? "; others are damaged or could not be measured"
                                                   : "");
    else
        html_format(
            html,
            "<h1 id=\"verdict\"><span class=\"word good\">All well<span class=\"off\">: "
            "</span></span> "
            "<span class=\"rest\">of %s images none is fragmented so that it hurts</span></h1>\n",
            render_number_count(fleet->n_rows));
    html_put(html, "<p class=\"small soft\">Time to read all of them, one after the other</p>\n"
                   "<dl class=\"times\">\n");
    put_bar(html, fleet->rewritten ? "before" : "as they lie", sum->seconds, sum->seconds,
            bad || sum->after < sum->seconds ? "bad" : "good");
    if (fleet->rewritten)
        put_bar(html, "after", sum->after, sum->seconds, "good");
    else
        put_bar(html, "in order", sum->seconds - sum->lost, sum->seconds, "good");
    html_put(html, "</dl>\n</div>\n");
}

static void put_todo(struct html *html, const struct render_fleet *fleet, const struct sum *sum)
{
    CLEANUP_FREE char *word = NULL;

    if (sum->slow == 0 || fleet->rewritten || fleet->folder == NULL)
        return;
    word = text_shell_word(fleet->folder);
    html_frame_section(html, "todo", "What to do", NULL);
    html_format(html,
                "<ol class=\"steps\">\n<li><p>See what it would gain, and cost.</p><pre>"
                "qcow2frag defrag --dry-run --if-slowdown %g ",
                REPORT_CALM_SLOWDOWN);
    html_sentence(html, word != NULL ? word : "DIRECTORY");
    html_format(html,
                "</pre></li>\n<li><p>Shut the VMs down, and put the images in order, the worst "
                "first. No image is begun that would end after the time given.</p><pre>"
                "qcow2frag defrag --if-slowdown %g --max-time 4h ",
                REPORT_CALM_SLOWDOWN);
    html_sentence(html, word != NULL ? word : "DIRECTORY");
    html_put(html, "</pre></li>\n</ol>\n</section>\n");
}

static void put_places(struct html *html, const struct sum *sum)
{
    static const char *const names[] = {"the order in the images", "the host&#39;s file system",
                                        "snapshots", "tables that the cache cannot hold"};
    double most = 0;

    for (unsigned i = 0; i < RENDER_FLEET_N_PLACES; i++)
        most = fmax(most, sum->lost_where[i]);
    if (most <= 0)
        return;
    html_frame_section(html, "where", "What is lost where",
                       "Of the time to read all of them, what is lost to which layer.");
    html_frame_table(html, "Time lost, by layer", NULL);
    html_put(
        html,
        "<thead><tr><th scope=\"col\">lost to</th><th scope=\"col\" class=\"n\">time</th>"
        "<th scope=\"col\" class=\"n\">of all that is lost</th><td></td></tr></thead>\n<tbody>\n");
    for (unsigned i = 0; i < RENDER_FLEET_N_PLACES; i++) {
        html_format(html,
                    "<tr><th scope=\"row\">%s</th><td class=\"n\">%s</td><td class=\"n\">%s</td>",
                    names[i], render_number_duration(sum->lost_where[i]),
                    html_percent(sum->lost_where[i] / sum->lost));
        html_histogram_bar(html, sum->lost_where[i] / most, "bad");
        html_put(html, "</tr>\n");
    }
    html_frame_table_end(html);
    html_put(html, "</section>\n");
}

/* ---- the table ---- */

/* Below the folder, if it is one of its. */
static const char *name_of(const struct render_fleet *fleet, const char *path)
{
    size_t len = fleet->folder != NULL ? strlen(fleet->folder) : 0;

    if (len == 0 || strncmp(path, fleet->folder, len) != 0)
        return path;
    path += len;
    return path + strspn(path, "/");
}

static const char *const state_words[] = {
    [RENDER_FLEET_UNKNOWN] = "unknown",
    [RENDER_FLEET_FAILED] = "failed",
    [RENDER_FLEET_DAMAGED] = "damaged",
    [RENDER_FLEET_CHANGING] = "changing",
    [RENDER_FLEET_IN_ORDER] = "in order",
    [RENDER_FLEET_SLOW_IMAGE] = "fragmented",
    [RENDER_FLEET_SLOW_HOST] = "fragmented by the host",
    [RENDER_FLEET_SLOW_BOTH] = "fragmented twice",
    [RENDER_FLEET_SLOW_SNAPSHOTS] = "snapshots",
    [RENDER_FLEET_SLOW_L2_CACHE] = "cache too small",
    [RENDER_FLEET_REWRITTEN] = "rewritten",
    [RENDER_FLEET_PLANNED] = "planned",
    [RENDER_FLEET_REFUSED] = "refused",
    [RENDER_FLEET_SKIPPED] = "skipped",
};

static const char *score_text(struct opt_f64 score)
{
    static char text[32];

    if (!score.known)
        return "-";
    snprintf(text, sizeof(text), "%.2f %%", 100 * score.value);
    return text;
}

/* End tags that HTML can do without are left out: there may be very many rows. */
static int put_row(struct html *html, const struct render_fleet *fleet,
                   const struct render_fleet_row *row, bool thumbs)
{
    const char *name = name_of(fleet, row->path);
    int ret = 0;

    html_put(html, "<tr><td>");
    if (thumbs)
        ret = html_thumb_put(html, &row->before);
    if (fleet->rewritten) {
        html_put(html, "<td>");
        if (ret == 0 && thumbs)
            ret = html_thumb_put(html, &row->after);
    }
    html_put(html, "<th scope=row>");
    html_isolated(html, name, strlen(name), NAME_SHOWN_MAX);
    html_format(html, "<td>%s<td>%s<td>%s", state_words[row->state],
                row->lost.known ? render_number_duration(row->lost.value) : "-",
                row->seconds.known ? render_number_duration(row->seconds.value) : "-");
    if (fleet->rewritten)
        html_format(html, "<td>%s",
                    row->seconds_after.known ? render_number_duration(row->seconds_after.value)
                                             : "-");
    if (!fleet->rewritten && row->slowdown.known)
        html_format(html, "<td>%.2f", row->slowdown.value);
    else if (!fleet->rewritten)
        html_put(html, "<td>-");
    html_format(html, "<td>%s<td>%s<td>%s\n", score_text(row->score),
                row->half_bytes.known ? render_number_size(row->half_bytes.value) : "-",
                row->mapped_bytes.known ? render_number_size(row->mapped_bytes.value) : "-");
    return ret;
}

static int put_table(struct html *html, const struct render_fleet *fleet)
{
    int ret = 0;
    size_t i;

    html_frame_section(
        html, "images", "Images, the worst first",
        "A small map of each of the worst: a smooth sweep is order, red is broken up. The heads of "
        "the columns sort.");
    html_frame_table(html, "All images",
                     fleet->rewritten ? "sortable fleet two" : "sortable fleet");
    html_format(
        html,
        "<thead><tr>%s<th scope=col>image<th scope=col>how it is<th scope=col class=n>lost"
        "<th scope=col class=n>time to read%s%s<th scope=col class=n>score"
        "<th scope=col class=n>half length<th scope=col class=n>mapped</tr></thead>\n<tbody>\n",
        fleet->rewritten ? "<td>before<td>after" : "<td>",
        fleet->rewritten ? "<th scope=col class=n>after" : "",
        fleet->rewritten ? "" : "<th scope=col class=n>slowdown");
    for (i = 0; i < fleet->n_rows && ret == 0 && html->n_bytes + END_BYTES < RENDER_HTML_BYTES_MAX;
         i++)
        ret = put_row(html, fleet, &fleet->rows[i], i < THUMBS_MAX);
    html_frame_table_end(html);
    if (i < fleet->n_rows)
        html_format(
            html,
            "<p>%s more images, which lose less, are left out, since the page would be too long: "
            "<code>qcow2frag measure</code> lists them.</p>\n",
            render_number_count(fleet->n_rows - i));
    if (fleet->n_rows > THUMBS_MAX)
        html_format(html, "<p>Only the worst %d have a map.</p>\n", THUMBS_MAX);
    html_put(html, "</section>\n");
    return ret;
}

/* ---- the data ---- */

static const struct report_image *image_of(void *context, size_t i)
{
    return &((const struct report_image *)context)[i];
}

static char *document_of(const struct render_fleet *fleet, size_t most)
{
    const struct render_images images = {fleet->n_images, image_of,
                                         (void *)(uintptr_t)fleet->images};

    return fleet->images != NULL ? html_frame_document(&images, most) : NULL;
}

static void put_document(struct html *html, const struct render_fleet *fleet)
{
    size_t room = RENDER_HTML_BYTES_MAX > html->n_bytes + END_BYTES
                      ? RENDER_HTML_BYTES_MAX - html->n_bytes - END_BYTES
                      : 0;
    CLEANUP_FREE char *text = document_of(fleet, room < JSON_BYTES_MAX ? room : JSON_BYTES_MAX);

    html_frame_section(html, "data", "Data", NULL);
    if (text == NULL) {
        html_format(html,
                    "<p>The JSON of %s images is not here: <code>qcow2frag --json</code> prints "
                    "it.</p>\n</section>\n",
                    fleet->n_rows > 1 ? "so many" : "these");
        return;
    }
    html_put(html, "<p>The source of this page has all figures as JSON, in the element "
                   "<code>qcow2frag-json</code>: "
                   "what <code>qcow2frag --json</code> prints.</p>\n"
                   "<script type=\"application/json\" id=\"qcow2frag-json\">");
    html_put(html, text);
    html_put(html, "</script>\n</section>\n");
}

/* ---- the page ---- */

int render_fleet(FILE *stream, struct render_fleet *fleet)
{
    struct html html = {.stream = stream};
    const char *folder = fleet->folder != NULL ? fleet->folder : "several images";
    struct sum sum;
    int ret;

    qsort(fleet->rows, fleet->n_rows, sizeof(*fleet->rows), worst_first);
    sum = sum_of(fleet);
    html_frame_begin(&html);
    html_format(&html, "%s images: ", render_number_count(fleet->n_rows));
    html_name(&html, folder, strnlen(folder, NAME_SHOWN_MAX));
    html_put(&html, " \xe2\x80\x93 qcow2frag");
    html_frame_body(&html);
    html_frame_header(&html, &folder, 1, fleet->measured_at);
    html_frame_link(&html, "todo", "What to do",
                    sum.slow > 0 && !fleet->rewritten && fleet->folder != NULL);
    html_frame_link(&html, "images", "Images", true);
    html_frame_link(&html, "data", "Data", true);
    html_put(&html, "</ul></nav>\n<main>\n");
    put_verdict(&html, fleet, &sum);
    put_todo(&html, fleet, &sum);
    put_places(&html, &sum);
    ret = put_table(&html, fleet);
    put_document(&html, fleet);
    html_put(&html, "</main>\n");
    html_frame_end(&html);
    return ret;
}
