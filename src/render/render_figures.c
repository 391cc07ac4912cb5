// SPDX-License-Identifier: MIT
/* Owns the lines of a table's figures, and what --verbose says of each. */
#include "render_figures.h"

#include "figures.h"
#include "histogram.h"
#include "seconds.h"
#include "size.h"

#include <inttypes.h>
#include <string.h>

#define LAYERS_SHOWN 20

static void print_score(const struct render_page *page, const struct report_table *table)
{
    const struct report_walk *walk = &table->walk;
    bool chained = table->chain_depth > 1;
    char score[SIZE_TEXT_MAX];

    snprintf(score, sizeof(score), "%.2f %%", 100 * walk->fragmentation_score.value);
    fprintf(page->stream, RENDER_PAGE_LABEL "%-11s %s %s back over %s %s\n", "fragmentation score",
            score, render_number_count(walk->backward_steps),
            size_noun(walk->backward_steps, "step", "steps"), render_number_count(walk->pieces),
            chained ? size_noun(walk->pieces, "piece", "pieces")
                    : size_noun(walk->pieces, "mapped cluster", "mapped clusters"));
    render_page_explain(
        page, "Read in guest order, the place in the file goes backwards this often, in "
              "percent of the clusters. On a spinning disk each step back costs a seek and "
              "half a turn.");
    fprintf(page->stream, RENDER_PAGE_LABEL "%-11s mean %s\n", "ascending runs",
            render_number_count(walk->ascending_runs),
            render_page_mean(page, walk->ascending_run_mean_bytes));
    render_page_explain(page, "Stretches between two steps back; jumps forward may lie in them.");
}

static void print_runs(const struct render_page *page, const struct report_walk *walk)
{
    fprintf(page->stream,
            RENDER_PAGE_LABEL "%-11s mean %s, half of the data in runs of %s or more, longest %s\n",
            "contiguous runs", render_number_count(walk->contiguous_runs),
            render_page_mean(page, walk->contiguous_run_mean_bytes),
            render_page_size(page, walk->contiguous_run_half_bytes.value),
            render_page_size(page, walk->contiguous_run_max_bytes.value));
    render_page_explain(page,
                        "Stretches that can be read without any jump. The half length weighs long "
                        "runs more: it is the length that a byte picked at random is likely to lie "
                        "in.");
}

static void print_jumps(const struct render_page *page, const struct report_walk *walk)
{
    fprintf(page->stream, RENDER_PAGE_LABEL, "jumps");
    if (walk->breaks == 0) {
        fprintf(page->stream, "none\n");
        return;
    }
    fprintf(page->stream, "%s back", render_number_count(walk->backward_steps));
    if (walk->backward_steps > 0)
        fprintf(page->stream, " (mean %s)", render_page_mean(page, walk->backward_jump_mean_bytes));
    fprintf(page->stream, ", %s forward", render_number_count(walk->forward_jumps));
    if (walk->forward_jumps > 0)
        fprintf(page->stream, " (mean %s; %s of them near)",
                render_page_mean(page, walk->forward_jump_mean_bytes),
                render_number_count(walk->near_jumps));
    if (walk->file_switches > 0)
        fprintf(page->stream, ", %s to another file", render_number_count(walk->file_switches));
    putc('\n', page->stream);
    if (walk->forward_jumps > 0)
        render_page_explain(
            page, "A near jump skips at most 512 KiB forward: a disk reads over it faster than "
                  "it seeks. An L2 table or a refcount block between two data clusters makes "
                  "such a jump, too.");
}

/* The two numbers that the verdict goes by. */
static void print_time(const struct render_page *page, const struct report_table *table)
{
    static const char *const disks[] = {
        [METER_DISK_HDD] = "spinning disk", [METER_DISK_SSD] = "SSD", [METER_DISK_NVME] = "NVMe"};
    const struct report_seconds judged = report_seconds_of(table);
    double most = judged.with_host ? table->end_to_end.slowdown.value : table->disk.slowdown_high;

    if (!judged.known)
        return;
    fprintf(page->stream, RENDER_PAGE_LABEL "%-11s instead of %s without breaks",
            "time to read it all", render_number_duration(judged.seconds),
            render_number_duration(judged.ideal));
    if (judged.slowdown_low < most)
        fprintf(page->stream, ": %.2f to %.2f times (%s)\n", judged.slowdown_low, most,
                disks[table->disk.profile]);
    else
        fprintf(page->stream, ": %.2f times (%s)\n", most, disks[table->disk.profile]);
    render_page_explain(
        page, judged.with_host
                  ? "By a model of such a disk, for a guest that reads all of its disk in order, "
                    "with this file where it lies on the host. Ways to the L2 tables are in the "
                    "first time, not in the second."
                  : "By a model of such a disk, for a guest that reads all of its disk in order, "
                    "with this file in one piece on the host. Ways to the L2 tables are in the "
                    "first time, not in the second.");
}

static void print_reads(const struct render_page *page, const struct report_table *table)
{
    if (!table->read_split.known)
        return;
    fprintf(page->stream, RENDER_PAGE_LABEL "%.2f times as many as without breaks\n", "data reads",
            table->read_split.value);
    render_page_explain(
        page, "Counted for a guest that reads its whole disk in requests of 1 MiB. This is "
              "what an SSD feels.");
}

static void print_kinds(const struct render_page *page, const struct report_table *table)
{
    const struct report_walk *walk = &table->walk;

    if (walk->compressed_clusters > 0)
        fprintf(page->stream, RENDER_PAGE_LABEL "%s of %s mapped %s\n", "compressed",
                render_number_count(walk->compressed_clusters),
                render_number_count(table->mapped_clusters),
                size_noun(table->mapped_clusters, "cluster", "clusters"));
    if (walk->zero_clusters > 0)
        fprintf(page->stream, RENDER_PAGE_LABEL "%s (%s of them %s space in the file)\n",
                "zero clusters", render_number_count(walk->zero_clusters),
                render_number_count(walk->zero_allocated_clusters),
                size_noun(walk->zero_allocated_clusters, "keeps", "keep"));
    if (walk->corrupt_entries > 0)
        fprintf(page->stream, RENDER_PAGE_LABEL "%s\n", "damaged table entries",
                render_number_count(walk->corrupt_entries));
}

static void print_end_to_end(const struct render_page *page, const struct report_image *image,
                             const struct report_table *table)
{
    const struct report_end_to_end *end_to_end = &table->end_to_end;
    const struct report_walk *walk = &end_to_end->walk;
    char score[SIZE_TEXT_MAX];

    if (image->host.known && !end_to_end->known)
        fprintf(page->stream,
                RENDER_PAGE_LABEL "not known: the data is in another file, which is not opened\n",
                "end to end");
    if (!end_to_end->known)
        return;
    if (walk->mapped_bytes == 0) {
        fprintf(page->stream, RENDER_PAGE_LABEL "%s\n", "end to end",
                image->host.unplaced_bytes > 0
                    ? "not known: the data has no place on the device yet"
                    : "nothing is read: all of the data lies in holes of the file");
        return;
    }
    snprintf(score, sizeof(score), "%.2f %%", 100 * walk->fragmentation_score.value);
    fprintf(page->stream, RENDER_PAGE_LABEL "%-11s %s %s back, %s contiguous %s, mean %s\n",
            "end to end", score, render_number_count(walk->backward_steps),
            size_noun(walk->backward_steps, "step", "steps"),
            render_number_count(walk->contiguous_runs),
            size_noun(walk->contiguous_runs, "run", "runs"),
            render_page_mean(page, walk->contiguous_run_mean_bytes));
    render_page_explain(
        page, "The score and the runs on the device: through the image and then through the "
              "extents of the file.");
    if (end_to_end->hole_bytes > 0)
        fprintf(page->stream, RENDER_PAGE_LABEL "%-11s of the data, not read\n",
                image->host.unplaced_bytes > 0 ? "in holes, or not placed" : "in holes of the file",
                render_page_size(page, end_to_end->hole_bytes));
}

/* dump_human_image_check in qemu-img.c prints these three ratios. */
static void print_check(const struct render_page *page, const struct report_table *table)
{
    const struct report_check *check = &table->check;
    const struct opt_f64 fragmented = report_figures_check(table);

    if (!page->options->verbose || !fragmented.known)
        return;
    fprintf(page->stream,
            RENDER_PAGE_LABEL "%s/%s = %.2f%% allocated, %.2f%% fragmented, %.2f%% compressed\n",
            "as qemu-img check says", render_number_count(check->allocated_clusters),
            render_number_count(check->total_clusters),
            100.0 * (double)check->allocated_clusters / (double)check->total_clusters,
            100.0 * fragmented.value,
            100.0 * (double)check->compressed_clusters / (double)check->allocated_clusters);
    render_page_explain(
        page, "Its \"fragmented\" counts every cluster that does not follow the one before, "
              "near or far, forward or back; it starts anew at each L2 table, counts every "
              "compressed cluster and every hole kept in step, and includes VM state and "
              "zero clusters that hold space. So it differs from the score.");
}

static void print_layer(const struct render_page *page, const struct report_layer *layer)
{
    fprintf(page->stream, "    %4" PRIu32 "  %9s " RENDER_FIGURE "in %s %s", layer->depth,
            render_page_size(page, layer->bytes), render_number_count(layer->runs),
            size_noun(layer->runs, "run", "runs"));
    if (layer->shadowed_bytes.known && layer->shadowed_bytes.value > 0)
        fprintf(page->stream, ", and %s that nobody sees",
                render_page_size(page, layer->shadowed_bytes.value));
    fprintf(page->stream, ": ");
    render_page_name(page, layer->path, strlen(layer->path));
    putc('\n', page->stream);
}

/* Of a chain of one there is nothing to tell. */
static void print_layers(const struct render_page *page, const struct report_table *table)
{
    size_t n = table->n_layers < LAYERS_SHOWN ? table->n_layers : LAYERS_SHOWN;

    if (table->n_layers < 2)
        return;
    fprintf(page->stream, RENDER_PAGE_LABEL "%s images, the top one first\n", "chain",
            render_number_count(table->n_layers));
    render_page_explain(
        page, "What the guest reads from each, and what is hidden below others, or lies beyond "
              "the disk.");
    for (size_t i = 0; i < n; i++)
        print_layer(page, &table->layers[i]);
    if (n < table->n_layers)
        fprintf(page->stream, "    and %s more; --json lists them\n",
                render_number_count(table->n_layers - n));
}

static void print_range(const struct render_page *page, const struct report_table *table)
{
    fprintf(page->stream,
            RENDER_PAGE_LABEL "%-11s from %s on, %s mapped; all below is of that part only\n",
            "part of the disk", render_page_size(page, table->range.len_bytes),
            render_page_size(page, table->range.guest_off),
            render_page_size(page, table->walk.mapped_bytes));
    render_page_explain(
        page, "Clusters that the range touches count whole. What the file holds, and how to "
              "mend it, is of the whole image still.");
}

static void print_snapshot_title(const struct render_page *page, const struct report_table *table)
{
    fprintf(page->stream, "\n  " RENDER_FIGURE "snapshot ");
    render_page_name(page, table->id.bytes, table->id.len);
    fprintf(page->stream, " \"");
    render_page_name(page, table->name.bytes, table->name.len);
    fprintf(page->stream, "\": %s virtual", render_page_size(page, table->virtual_bytes));
    if (table->measured)
        fprintf(page->stream, ", %s mapped\n", render_page_size(page, table->walk.mapped_bytes));
    else
        fprintf(page->stream, ", not readable\n");
}

void render_figures(const struct render_page *page, const struct report_image *image,
                    const struct report_table *table)
{
    const struct report_walk *walk = &table->walk;

    if (table->is_snapshot)
        print_snapshot_title(page, table);
    if (!table->measured)
        return;
    if (table->range.known)
        print_range(page, table);
    if (table->mapped_clusters > 0) {
        print_score(page, table);
        print_runs(page, walk);
        print_jumps(page, walk);
    }
    print_time(page, table);
    print_reads(page, table);
    print_kinds(page, table);
    if (table->mapped_clusters > 0)
        print_end_to_end(page, image, table);
    print_check(page, table);
    print_layers(page, table);
    if (page->options->histogram && table->mapped_clusters > 0) {
        render_histogram_runs(page, walk);
        render_histogram_jumps(page, walk);
    }
}
