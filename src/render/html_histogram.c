// SPDX-License-Identifier: MIT
/* Owns the rows of histograms. */
#include "html_histogram.h"

#include "html_frame.h"

#include <stdint.h>

void html_histogram_bar(struct html *html, double share, const char *colour)
{
    html_put(html, "<td class=\"bars\">");
    if (share > 0)
        html_format(html,
                    "<svg class=\"bar\" width=\"100%%\" height=\"12\" aria-hidden=\"true\">"
                    "<rect class=\"%s\" width=\"%.2f%%\" height=\"100%%\" rx=\"2\"/></svg>",
                    colour, share * 100 < 0.4 ? 0.4 : share * 100);
    html_put(html, "</td>");
}

/* One class of one image. */
struct amount {
    uint64_t number; /* of runs, or of jumps */
    double share;    /* of the bytes, or of the jumps */
};

typedef struct amount amount_of(const struct report_walk *walk, uint64_t from_bytes);

static struct amount runs_of(const struct report_walk *walk, uint64_t from_bytes)
{
    for (size_t i = 0; i < walk->run_histogram.n; i++) {
        const struct report_run_class *class = &walk->run_histogram.list[i];

        if (class->from_bytes == from_bytes)
            return (struct amount){class->runs, (double)class->bytes / (double)walk->mapped_bytes};
    }
    return (struct amount){0, 0};
}

static struct amount jumps_of(const struct report_walk *walk, uint64_t from_bytes)
{
    double all = (double)(walk->backward_steps + walk->forward_jumps);

    for (size_t i = 0; i < walk->jump_histogram.n; i++) {
        const struct report_jump_class *class = &walk->jump_histogram.list[i];

        if (class->from_bytes == from_bytes)
            return (struct amount){class->backward + class->forward,
                                   (double)(class->backward + class->forward) / all};
    }
    return (struct amount){0, 0};
}

static void put_head(struct html *html, const struct html_subjects *subjects, const char *what,
                     const char *number, const char *share)
{
    html_format(html, "<thead><tr><th scope=\"col\" class=\"n\">%s</th>", what);
    for (size_t i = 0; i < subjects->n; i++)
        html_format(html,
                    "<th scope=\"col\" class=\"n\">%s%s%s</th><th scope=\"col\" class=\"n\">%s</th>"
                    "<td></td>",
                    number, subjects->n > 1 ? ", " : "",
                    subjects->n == 1 ? ""
                    : i == 0         ? "before"
                                     : "after",
                    share);
    html_put(html, "</tr></thead>\n<tbody>\n");
}

/* Classes are powers of two, and 0. */
static void put_rows(struct html *html, const struct html_subjects *subjects, amount_of *amount)
{
    for (unsigned power = 0; power <= 64; power++) {
        uint64_t from_bytes = power == 0 ? 0 : UINT64_C(1) << (power - 1);
        struct amount amounts[2] = {{0, 0}, {0, 0}};
        uint64_t all = 0;

        for (size_t i = 0; i < subjects->n; i++) {
            amounts[i] = amount(&subjects->list[i].table->walk, from_bytes);
            all += amounts[i].number;
        }
        if (all == 0)
            continue;
        html_format(html, "<tr><th scope=\"row\" class=\"n\">%s</th>",
                    render_number_size(from_bytes));
        for (size_t i = 0; i < subjects->n; i++) {
            html_format(html, "<td class=\"n\">%s</td><td class=\"n\">%s</td>",
                        render_number_count(amounts[i].number), html_percent(amounts[i].share));
            html_histogram_bar(html, amounts[i].share,
                               subjects->n == 1 ? "plain"
                               : i == 0         ? "bad"
                                                : "good");
        }
        html_put(html, "</tr>\n");
    }
}

bool html_histogram_is_there(const struct html_subjects *subjects)
{
    for (size_t i = 0; i < subjects->n; i++) {
        const struct report_table *table = subjects->list[i].table;

        if (table == NULL || !table->measured || table->walk.contiguous_runs == 0)
            return false;
    }
    return true;
}

void html_histograms(struct html *html, const struct html_subjects *subjects)
{
    uint64_t jumps = 0;

    if (!html_histogram_is_there(subjects))
        return;
    for (size_t i = 0; i < subjects->n; i++)
        jumps += subjects->list[i].table->walk.jump_histogram.n;
    html_frame_section(html, "lengths", "How long the pieces are, how far the jumps go",
                       "Long pieces are good: a disk reads them in one go.");
    html_frame_table(html, "Contiguous runs by length, and the share of the data in them", NULL);
    put_head(html, subjects, "runs from", "runs", "of the data");
    put_rows(html, subjects, runs_of);
    html_frame_table_end(html);
    if (jumps > 0) {
        html_frame_table(html, "Jumps by distance, back and forward, and their share of all", NULL);
        put_head(html, subjects, "jumps from", "jumps", "of all");
        put_rows(html, subjects, jumps_of);
        html_frame_table_end(html);
    }
    html_put(html, "</section>\n");
}
