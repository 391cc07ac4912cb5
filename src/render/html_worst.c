// SPDX-License-Identifier: MIT
/* Owns the choice of the worst stretches: those with most seeks. */
#include "html_worst.h"

#include "cleanup.h"
#include "html_frame.h"
#include "html_histogram.h"
#include "words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STRETCHES 256 /* of the disk, to choose from */
#define SHOWN 10
#define COMMAND_MAX 8192

static int most_seeks_first(const void *a, const void *b)
{
    const struct report_cell *left = a, *right = b;

    if (report_picture_seeks(&left->bytes) != report_picture_seeks(&right->bytes))
        return report_picture_seeks(&left->bytes) < report_picture_seeks(&right->bytes) ? 1 : -1;
    return (left->off > right->off) - (left->off < right->off);
}

static void put_stretch(struct html *html, const struct report_cell *cell, uint64_t all,
                        uint64_t most)
{
    html_format(
        html,
        "<tr><th scope=\"row\" class=\"n\">%s</th><td class=\"n\">%s</td><td class=\"n\">%" PRIu64
        "</td><td class=\"n\">%s</td>",
        render_number_size(cell->off), render_number_size(cell->len_bytes), cell->off,
        render_number_size(cell->bytes.mapped_bytes));
    html_format(html, "<td class=\"n\">%s</td><td class=\"n\">%s</td>",
                render_number_count(report_picture_seeks(&cell->bytes)),
                html_percent((double)report_picture_seeks(&cell->bytes) / (double)all));
    html_histogram_bar(html, (double)report_picture_seeks(&cell->bytes) / (double)most, "bad");
    html_format(html, "<td><code>%s:%s</code></td></tr>\n", html_exact(cell->off),
                html_exact(cell->len_bytes));
}

/* How to see every run of the first of them. */
static int put_command(struct html *html, const struct html_subject *subject,
                       const struct report_cell *worst)
{
    CLEANUP(report_words_release) struct report_words words;
    int ret = report_words(subject->image, false, false, &words);

    if (ret < 0 || strlen(words.measured) > COMMAND_MAX)
        return ret;
    html_format(
        html,
        "<p>To see every run of the worst one:</p>\n<pre>qcow2frag map --list --range %s:%s%s ",
        html_exact(worst->off), html_exact(worst->len_bytes),
        subject->table->chain_depth > 1 ? " --chain" : "");
    html_sentence(html, words.measured);
    html_put(html, "</pre>\n");
    return 0;
}

bool html_worst_is_there(const struct html_subject *subject)
{
    return subject->image->picture != NULL && subject->table != NULL && subject->table->measured &&
           subject->table->walk.breaks > subject->table->walk.near_jumps;
}

int html_worst(struct html *html, const struct html_subject *subject)
{
    CLEANUP_FREE struct report_cell *cells = NULL;
    uint64_t all = 0;
    size_t n;

    if (!html_worst_is_there(subject))
        return 0;
    n = report_picture_cells(subject->image->picture, STRETCHES, &cells);
    if (n == 0)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        all += report_picture_seeks(&cells[i].bytes);
    qsort(cells, n, sizeof(*cells), most_seeks_first);
    html_frame_section(
        html, "worst", "Worst stretches",
        "Where on the guest disk most seeks are lost. If they all lie in one partition, that "
        "one is slow.");
    html_frame_table(html, "Stretches of the guest disk with most seeks", NULL);
    html_put(
        html,
        "<thead><tr><th scope=\"col\" class=\"n\">from</th><th scope=\"col\" "
        "class=\"n\">length</th>"
        "<th scope=\"col\" class=\"n\">from, in bytes</th><th scope=\"col\" class=\"n\">mapped</th>"
        "<th scope=\"col\" class=\"n\">seeks</th><th scope=\"col\" class=\"n\">of all</th><td></td>"
        "<th scope=\"col\">as --range</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n && i < SHOWN && report_picture_seeks(&cells[i].bytes) > 0; i++)
        put_stretch(html, &cells[i], all, report_picture_seeks(&cells[0].bytes));
    html_frame_table_end(html);
    if (put_command(html, subject, &cells[0]) < 0)
        return -ENOMEM;
    html_put(html, "</section>\n");
    return 0;
}
