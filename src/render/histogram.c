// SPDX-License-Identifier: MIT
/* Owns the rows of histograms. */
#include "histogram.h"

#include "size.h"

#include <string.h>

void render_histogram_runs(const struct render_page *page, const struct report_walk *walk)
{
    fprintf(page->stream, "\n  contiguous runs by length (share of the data)\n");
    for (size_t i = 0; i < walk->run_histogram.n; i++) {
        const struct report_run_class *class = &walk->run_histogram.list[i];
        double share = (double)class->bytes / (double)walk->mapped_bytes;

        render_page_bar(page,
                        fprintf(page->stream, "    from %9s  %13s %-4s %9s %6.2f %%",
                                render_page_size(page, class->from_bytes),
                                render_number_count(class->runs),
                                size_noun(class->runs, "run", "runs"),
                                render_page_size(page, class->bytes), 100 * share),
                        share);
    }
}

/* On a narrow page counts are as wide as they must be. */
static int wider(int width, const char *text)
{
    return (int)strlen(text) > width ? (int)strlen(text) : width;
}

void render_histogram_jumps(const struct render_page *page, const struct report_walk *walk)
{
    uint64_t jumps = walk->backward_steps + walk->forward_jumps;
    int count_width = render_page_is_narrow(page) ? 1 : 13;

    if (jumps == 0)
        return;
    for (size_t i = 0; i < walk->jump_histogram.n; i++) {
        const struct report_jump_class *class = &walk->jump_histogram.list[i];

        count_width = wider(count_width, render_number_count(class->backward));
        count_width = wider(count_width, render_number_count(class->forward));
    }
    fprintf(page->stream, "\n  jumps by distance (share of all jumps)\n");
    for (size_t i = 0; i < walk->jump_histogram.n; i++) {
        const struct report_jump_class *class = &walk->jump_histogram.list[i];
        double share = (double)(class->backward + class->forward) / (double)jumps;

        render_page_bar(page,
                        fprintf(page->stream, "    from %9s  %*s back %*s forward %6.2f %%",
                                render_page_size(page, class->from_bytes), count_width,
                                render_number_count(class->backward), count_width,
                                render_number_count(class->forward), 100 * share),
                        share);
    }
}

void render_histogram_gaps(const struct render_page *page, const struct report_space *space)
{
    if (space->free_gaps == 0)
        return;
    fprintf(page->stream, "\n  free gaps by length (share of the free space)\n");
    for (size_t i = 0; i < space->free_gap_histogram.n; i++) {
        const struct report_gap_class *class = &space->free_gap_histogram.list[i];
        double share = (double)class->bytes / (double)space->free_bytes;

        render_page_bar(page,
                        fprintf(page->stream, "    from %9s  %13s %-4s %9s %6.2f %%",
                                render_page_size(page, class->from_bytes),
                                render_number_count(class->gaps),
                                size_noun(class->gaps, "gap", "gaps"),
                                render_page_size(page, class->bytes), 100 * share),
                        share);
    }
}
