// SPDX-License-Identifier: MIT
/*
 * Owns the page for people: what the image is, its figures, and what they mean in plain words.
 * The words state what was measured; they promise nothing.
 */
#include "render.h"

#include "duration.h"
#include "flow.h"
#include "render_damage.h"
#include "render_verdict.h"
#include "rescue.h"
#include "seconds.h"
#include "size.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LABEL "  %-24s " RENDER_FIGURE

struct page {
    FILE *stream;
    const struct render_options *options;
};

/* Several sizes in one printf need a buffer each: a ring of them lives as long as a statement. */
static const char *size_text(const struct page *page, uint64_t bytes)
{
    static char ring[8][SIZE_TEXT_MAX];
    static unsigned next;
    char *text = ring[next++ % 8];

    if (page->options->bytes)
        snprintf(text, SIZE_TEXT_MAX, "%" PRIu64 " B", bytes);
    else
        size_format(text, bytes);
    return text;
}

static const char *mean_text(const struct page *page, struct opt_f64 bytes)
{
    if (!bytes.known)
        return "-";
    return size_text(page, bytes.value >= 0x1p64 ? UINT64_MAX : (uint64_t)(bytes.value + 0.5));
}

static const char *count_text(uint64_t count)
{
    static char ring[8][SIZE_TEXT_MAX];
    static unsigned next;
    char *text = ring[next++ % 8];

    size_format_count(text, count);
    return text;
}

static const char *steps_text(uint64_t count)
{
    return size_noun(count, "step", "steps");
}

static const char *runs_text(uint64_t count)
{
    return size_noun(count, "run", "runs");
}

static void print_name(const struct page *page, const char *bytes, size_t len)
{
    text_print(page->stream, bytes, len);
}

/* Of the line above it: called only where that was printed. */
static void explain(const struct page *page, const char *sentences)
{
    if (page->options->verbose)
        fprintf(page->stream, "      " RENDER_PROSE "%s\n", sentences);
}

/* ---- what is under the file ---- */

static void print_device(const struct page *page, const struct report_host *host)
{
    const char *name = host->device != NULL ? host->device : "a device that is not known";

    print_name(page, name, strlen(name));
    fprintf(page->stream, " (");
    if (host->is_device)
        fprintf(page->stream, "itself the image");
    else if (host->filesystem != NULL)
        print_name(page, host->filesystem, strlen(host->filesystem));
    else
        fprintf(page->stream, "a file system that is not known");
    if (host->rotational.known)
        fprintf(page->stream, ", %s",
                host->rotational.value ? "a spinning disk" : "without moving parts");
    fprintf(page->stream, ")\n");
}

static void print_host(const struct page *page, const struct report_host *host)
{
    if (host->reason != NULL) {
        fprintf(page->stream, LABEL "not known: %s", "extents on the host", host->reason);
        if (host->filesystem != NULL) {
            fprintf(page->stream, " (");
            print_name(page, host->filesystem, strlen(host->filesystem));
            putc(')', page->stream);
        }
        putc('\n', page->stream);
    }
    if (!host->known)
        return;
    fprintf(page->stream, LABEL "%-11s ", "extents on the host", count_text(host->extents));
    if (host->extents > 0)
        fprintf(page->stream, "mean %s, ", mean_text(page, host->extent_mean_bytes));
    fprintf(page->stream, "on ");
    print_device(page, host);
    if (!host->is_device)
        explain(page, "In so many pieces the host's file system keeps this file, counted as filefrag "
                      "does.");
    if (host->unplaced_bytes > 0)
        fprintf(page->stream, LABEL "%-11s sync the file and measure again\n",
                "not on the device yet", size_text(page, host->unplaced_bytes));
    if (host->unknown_flags != 0)
        fprintf(page->stream, LABEL "flags 0x%" PRIx32 ", which are not understood\n",
                "odd extents", host->unknown_flags);
}

/* ---- what the image is ---- */

static void print_title(const struct page *page, const struct report_image *image)
{
    const struct report_format *format = &image->format;
    const struct report_table *main_table = report_main_table(image);

    print_name(page, image->path, strlen(image->path));
    fprintf(page->stream, ": " RENDER_FIGURE "qcow2 v%" PRIu32 ", %s clusters, %s virtual", format->version,
            size_text(page, format->cluster_bytes), size_text(page, format->virtual_bytes));
    if (main_table != NULL && main_table->measured && !main_table->is_snapshot &&
        !main_table->range.known)
        fprintf(page->stream, ", %s mapped", size_text(page, main_table->walk.mapped_bytes));
    putc('\n', page->stream);
}

static void print_file_name(const struct page *page, const char *label,
                            const struct format_name *name, const char *remark)
{
    if (name->bytes == NULL)
        return;
    fprintf(page->stream, LABEL, label);
    print_name(page, name->bytes, name->len);
    fprintf(page->stream, "%s\n", remark);
}

static void print_properties(const struct page *page, const struct report_image *image)
{
    const struct report_format *format = &image->format;
    const struct report_table *main_table = report_main_table(image);
    const bool chained = main_table != NULL && main_table->layers != NULL;

    if (image->in_use.known && image->in_use.value)
        fprintf(page->stream, LABEL "%s\n", "in use",
                image->being_written
                    ? "yes, and it may be written to: the figures may be a moment old"
                    : "yes, by readers");
    print_file_name(page, "backing file", &format->backing_file,
                    chained ? "" : "  (not opened; only this file is measured)");
    print_file_name(page, "external data file", &format->data_file,
                    chained ? "" : "  (not opened; offsets below are offsets in it)");
    if (format->encryption != FORMAT_CRYPT_NONE)
        fprintf(page->stream, LABEL "%s  (no key is needed to measure)\n", "encryption",
                format->encryption == FORMAT_CRYPT_AES ? "AES" : "LUKS");
    if (format->snapshot_count > 0 && image->n_tables == 1 && !main_table->is_snapshot)
        fprintf(page->stream, LABEL "%s  (--all-snapshots measures each)\n", "internal snapshots",
                count_text(format->snapshot_count));
    print_host(page, &image->host);
}

/* ---- the figures of one table ---- */

static void print_score(const struct page *page, const struct report_table *table)
{
    const struct report_walk *walk = &table->walk;
    bool chained = table->chain_depth > 1;
    char score[SIZE_TEXT_MAX];

    snprintf(score, sizeof(score), "%.2f %%", 100 * walk->fragmentation_score.value);
    fprintf(page->stream, LABEL "%-11s %s %s back over %s %s\n", "fragmentation score", score,
            count_text(walk->backward_steps), steps_text(walk->backward_steps),
            count_text(walk->pieces),
            chained ? size_noun(walk->pieces, "piece", "pieces")
                    : size_noun(walk->pieces, "mapped cluster", "mapped clusters"));
    explain(page, "Read in guest order, the place in the file goes backwards this often, in "
                  "percent of the clusters. On a spinning disk each step back costs a seek and "
                  "half a turn.");
    fprintf(page->stream, LABEL "%-11s mean %s\n", "ascending runs",
            count_text(walk->ascending_runs), mean_text(page, walk->ascending_run_mean_bytes));
    explain(page, "Stretches between two steps back; jumps forward may lie in them.");
}

static void print_runs(const struct page *page, const struct report_walk *walk)
{
    fprintf(page->stream,
            LABEL "%-11s mean %s, half of the data in runs of %s or more, longest %s\n",
            "contiguous runs", count_text(walk->contiguous_runs),
            mean_text(page, walk->contiguous_run_mean_bytes),
            size_text(page, walk->contiguous_run_half_bytes.value),
            size_text(page, walk->contiguous_run_max_bytes.value));
    explain(page, "Stretches that can be read without any jump. The half length weighs long "
                  "runs more: it is the length that a byte picked at random is likely to lie "
                  "in.");
}

static void print_jumps(const struct page *page, const struct report_walk *walk)
{
    fprintf(page->stream, LABEL, "jumps");
    if (walk->breaks == 0) {
        fprintf(page->stream, "none\n");
        return;
    }
    fprintf(page->stream, "%s back", count_text(walk->backward_steps));
    if (walk->backward_steps > 0)
        fprintf(page->stream, " (mean %s)", mean_text(page, walk->backward_jump_mean_bytes));
    fprintf(page->stream, ", %s forward", count_text(walk->forward_jumps));
    if (walk->forward_jumps > 0)
        fprintf(page->stream, " (mean %s; %s of them near)",
                mean_text(page, walk->forward_jump_mean_bytes), count_text(walk->near_jumps));
    if (walk->file_switches > 0)
        fprintf(page->stream, ", %s to another file", count_text(walk->file_switches));
    putc('\n', page->stream);
    if (walk->forward_jumps > 0)
        explain(page, "A near jump skips at most 512 KiB forward: a disk reads over it faster than "
                      "it seeks. An L2 table or a refcount block between two data clusters makes "
                      "such a jump, too.");
}

static const char *duration_text(double seconds)
{
    static char ring[8][DURATION_TEXT_MAX];
    static unsigned next;
    char *text = ring[next++ % 8];

    duration_format(text, seconds);
    return text;
}

/* The two numbers that the verdict goes by. */
static void print_time(const struct page *page, const struct report_table *table)
{
    static const char *const disks[] = {
        [METER_DISK_HDD] = "spinning disk", [METER_DISK_SSD] = "SSD", [METER_DISK_NVME] = "NVMe"};
    const struct report_seconds judged = report_seconds_of(table);
    double most = judged.with_host ? table->end_to_end.slowdown.value : table->disk.slowdown_high;

    if (!judged.known)
        return;
    fprintf(page->stream, LABEL "%-11s instead of %s without breaks", "time to read it all",
            duration_text(judged.seconds), duration_text(judged.ideal));
    if (judged.slowdown_low < most)
        fprintf(page->stream, ": %.2f to %.2f times (%s)\n", judged.slowdown_low, most,
                disks[table->disk.profile]);
    else
        fprintf(page->stream, ": %.2f times (%s)\n", most, disks[table->disk.profile]);
    explain(page, judged.with_host
                      ? "By a model of such a disk, for a guest that reads all of its disk in order, "
                        "with this file where it lies on the host. Ways to the L2 tables are in the "
                        "first time, not in the second."
                      : "By a model of such a disk, for a guest that reads all of its disk in order, "
                        "with this file in one piece on the host. Ways to the L2 tables are in the "
                        "first time, not in the second.");
}

static void print_reads(const struct page *page, const struct report_table *table)
{
    if (!table->read_split.known)
        return;
    fprintf(page->stream, LABEL "%.2f times as many as without breaks\n", "data reads",
            table->read_split.value);
    explain(page, "Counted for a guest that reads its whole disk in requests of 1 MiB. This is "
                  "what an SSD feels.");
}

static void print_kinds(const struct page *page, const struct report_table *table)
{
    const struct report_walk *walk = &table->walk;

    if (walk->compressed_clusters > 0)
        fprintf(page->stream, LABEL "%s of %s mapped %s\n", "compressed",
                count_text(walk->compressed_clusters), count_text(table->mapped_clusters),
                size_noun(table->mapped_clusters, "cluster", "clusters"));
    if (walk->zero_clusters > 0)
        fprintf(page->stream, LABEL "%s (%s of them %s space in the file)\n", "zero clusters",
                count_text(walk->zero_clusters), count_text(walk->zero_allocated_clusters),
                size_noun(walk->zero_allocated_clusters, "keeps", "keep"));
    if (walk->corrupt_entries > 0)
        fprintf(page->stream, LABEL "%s\n", "damaged table entries",
                count_text(walk->corrupt_entries));
}

static void print_end_to_end(const struct page *page, const struct report_image *image,
                             const struct report_table *table)
{
    const struct report_end_to_end *end_to_end = &table->end_to_end;
    const struct report_walk *walk = &end_to_end->walk;
    char score[SIZE_TEXT_MAX];

    if (image->host.known && !end_to_end->known)
        fprintf(page->stream, LABEL "not known: the data is in another file, which is not opened\n",
                "end to end");
    if (!end_to_end->known)
        return;
    if (walk->mapped_bytes == 0) {
        fprintf(page->stream, LABEL "%s\n", "end to end",
                image->host.unplaced_bytes > 0
                    ? "not known: the data has no place on the device yet"
                    : "nothing is read: all of the data lies in holes of the file");
        return;
    }
    snprintf(score, sizeof(score), "%.2f %%", 100 * walk->fragmentation_score.value);
    fprintf(page->stream, LABEL "%-11s %s %s back, %s contiguous %s, mean %s\n", "end to end",
            score, count_text(walk->backward_steps), steps_text(walk->backward_steps),
            count_text(walk->contiguous_runs), runs_text(walk->contiguous_runs),
            mean_text(page, walk->contiguous_run_mean_bytes));
    explain(page, "The score and the runs on the device: through the image and then through the "
                  "extents of the file.");
    if (end_to_end->hole_bytes > 0)
        fprintf(page->stream, LABEL "%-11s of the data, not read\n",
                image->host.unplaced_bytes > 0 ? "in holes, or not placed" : "in holes of the file",
                size_text(page, end_to_end->hole_bytes));
}

/* dump_human_image_check in qemu-img.c prints these three ratios. */
static void print_check(const struct page *page, const struct report_table *table)
{
    const struct report_check *check = &table->check;

    if (!page->options->verbose || !table->has_check || check->allocated_clusters == 0)
        return;
    fprintf(page->stream, LABEL "%s/%s = %.2f%% allocated, %.2f%% fragmented, %.2f%% compressed\n",
            "as qemu-img check says", count_text(check->allocated_clusters),
            count_text(check->total_clusters),
            100.0 * (double)check->allocated_clusters / (double)check->total_clusters,
            100.0 * (double)check->fragmented_clusters / (double)check->allocated_clusters,
            100.0 * (double)check->compressed_clusters / (double)check->allocated_clusters);
    explain(page, "Its \"fragmented\" counts every cluster that does not follow the one before, "
                  "near or far, forward or back; it starts anew at each L2 table, counts every "
                  "compressed cluster and every hole kept in step, and includes VM state and "
                  "zero clusters that hold space. So it differs from the score.");
}

/* ---- histograms ---- */

#define BAR_MAX 30

/* What is left of a row in a narrow terminal, after @used columns and two blanks, may be the bar. */
static int bar_room(const struct page *page, int used)
{
    int room = BAR_MAX;

    if (page->options->width > 0)
        room = (int)page->options->width - used - 2;
    return room > BAR_MAX ? BAR_MAX : room < 0 ? 0 : room;
}

static void print_bar(const struct page *page, int used, double share)
{
    int n = (int)(share * bar_room(page, used) + 0.5);

    if (n > 0)
        fputs("  ", page->stream);
    for (int i = 0; i < n; i++)
        putc('#', page->stream);
    putc('\n', page->stream);
}

static void print_run_histogram(const struct page *page, const struct report_walk *walk)
{
    fprintf(page->stream, "\n  contiguous runs by length (share of the data)\n");
    for (size_t i = 0; i < walk->run_histogram.n; i++) {
        const struct report_run_class *class = &walk->run_histogram.list[i];
        double share = (double)class->bytes / (double)walk->mapped_bytes;

        print_bar(page,
                  fprintf(page->stream, "    from %9s  %13s %-4s %9s %6.2f %%",
                          size_text(page, class->from_bytes), count_text(class->runs),
                          runs_text(class->runs), size_text(page, class->bytes), 100 * share),
                  share);
    }
}

/* Too narrow for two columns of counts and a bar? Then the counts are as wide as they must be. */
static bool is_narrow(const struct page *page)
{
    return page->options->width > 0 && page->options->width < RENDER_PROSE_MAX;
}

static int wider(int width, const char *text)
{
    return (int)strlen(text) > width ? (int)strlen(text) : width;
}

static void print_jump_histogram(const struct page *page, const struct report_walk *walk)
{
    uint64_t jumps = walk->backward_steps + walk->forward_jumps;
    int count_width = is_narrow(page) ? 1 : 13;

    if (jumps == 0)
        return;
    for (size_t i = 0; i < walk->jump_histogram.n; i++) {
        const struct report_jump_class *class = &walk->jump_histogram.list[i];

        count_width = wider(count_width, count_text(class->backward));
        count_width = wider(count_width, count_text(class->forward));
    }
    fprintf(page->stream, "\n  jumps by distance (share of all jumps)\n");
    for (size_t i = 0; i < walk->jump_histogram.n; i++) {
        const struct report_jump_class *class = &walk->jump_histogram.list[i];
        double share = (double)(class->backward + class->forward) / (double)jumps;

        print_bar(page,
                  fprintf(page->stream, "    from %9s  %*s back %*s forward %6.2f %%",
                          size_text(page, class->from_bytes), count_width,
                          count_text(class->backward), count_width, count_text(class->forward),
                          100 * share),
                  share);
    }
}

/* ---- what it means ---- */

#define MEANING "  " RENDER_PROSE

static void print_meaning(const struct page *page, const struct report_walk *walk)
{
    uint64_t far_jumps = walk->breaks - walk->near_jumps;

    putc('\n', page->stream);
    if (walk->contiguous_runs == 0) {
        fprintf(page->stream, MEANING "Nothing is mapped: there is nothing that could be fragmented.\n");
        return;
    }
    if (walk->breaks == 0) {
        fprintf(page->stream,
                MEANING "The data lies in guest order without a break: reading the disk from "
                "front to back never jumps.\n");
        return;
    }
    if (far_jumps == 0) {
        fprintf(page->stream,
                MEANING "Reading the disk from front to back only skips short gaps, %s of them; a "
                        "spinning disk reads over them.\n",
                count_text(walk->near_jumps));
        return;
    }
    fprintf(page->stream,
            MEANING "Reading the disk from front to back takes a spinning disk %s %s, one for "
                    "every %s of data.\n",
            count_text(far_jumps), size_noun(far_jumps, "seek", "seeks"),
            size_text(page, walk->mapped_bytes / far_jumps));
    if (walk->near_jumps > 0)
        fprintf(page->stream, MEANING "Besides, it reads over %s short %s.\n",
                count_text(walk->near_jumps), size_noun(walk->near_jumps, "gap", "gaps"));
    fprintf(page->stream, MEANING "An SSD does not seek: it only gets more and smaller reads.\n");
}

/* ---- the space of the file ---- */

#define SNAPSHOTS_SHOWN 20

static void print_owner(const struct page *page, const struct report_image *image,
                        const char *owner, struct opt_u64 bytes)
{
    double share = (double)bytes.value / (double)image->format.file_bytes;

    if (!bytes.known) {
        fprintf(page->stream,
                "    %-22s %9s  " RENDER_FIGURE "not known: the image is in use or dirty, or its refcounts are "
                "damaged\n",
                owner, "-");
        return;
    }
    print_bar(page,
              fprintf(page->stream, "    %-22s %9s %6.2f %%", owner, size_text(page, bytes.value),
                      100 * share),
              share);
}

static void print_owners(const struct page *page, const struct report_image *image)
{
    const struct report_space *space = image->space;

    fprintf(page->stream, "\n  space of the file (share of its length, %s)\n",
            size_text(page, image->format.file_bytes));
    print_owner(page, image, "metadata", opt_u64_of(space->metadata_bytes));
    print_owner(page, image, "active data", opt_u64_of(space->active_bytes));
    print_owner(page, image, "VM state", opt_u64_of(space->vm_state_bytes));
    print_owner(page, image, "only in snapshots", opt_u64_of(space->snapshot_only_bytes));
    if (space->reclaimable_bytes.known)
        print_owner(page, image, "leaked", space->leaked_bytes);
    else
        print_owner(page, image, "unknown", opt_u64_of(space->unknown_bytes));
    print_owner(page, image, "free", opt_u64_of(space->free_bytes));
    print_owner(page, image, "behind the end", opt_u64_of(space->tail_bytes));
    if (!space->reclaimable_bytes.known)
        fprintf(page->stream,
                "      " RENDER_PROSE "Unknown is what has a refcount, though nothing that can be "
                "read refers to it: the damaged tables may have named it, so it may be the "
                "guest's data. Free none of it.\n");
    explain(page, "Each cluster counts once, for the first that applies from the top. Leaked is "
                  "what has a refcount, but nothing refers to it. Nothing in use comes after "
                  "the end.");
}

static void print_gap_histogram(const struct page *page, const struct report_space *space)
{
    if (space->free_gaps == 0)
        return;
    fprintf(page->stream, "\n  free gaps by length (share of the free space)\n");
    for (size_t i = 0; i < space->free_gap_histogram.n; i++) {
        const struct report_gap_class *class = &space->free_gap_histogram.list[i];
        double share = (double)class->bytes / (double)space->free_bytes;

        print_bar(page,
                  fprintf(page->stream, "    from %9s  %13s %-4s %9s %6.2f %%",
                          size_text(page, class->from_bytes), count_text(class->gaps),
                          size_noun(class->gaps, "gap", "gaps"), size_text(page, class->bytes),
                          100 * share),
                  share);
    }
}

/* What frees most first; those that are not known last. */
static int by_exclusive(const struct report_space_snapshot *left,
                        const struct report_space_snapshot *right)
{
    struct opt_u64 x = left->exclusive_bytes, y = right->exclusive_bytes;

    if (x.known != y.known)
        return x.known ? -1 : 1;
    if (x.value != y.value)
        return x.value > y.value ? -1 : 1;
    return (left > right) - (left < right);
}

/* The first behind @last, or of all if that is NULL, in the order of by_exclusive. */
static const struct report_space_snapshot *next_exclusive(const struct report_space *space,
                                                          const struct report_space_snapshot *last)
{
    const struct report_space_snapshot *best = NULL;

    for (size_t i = 0; i < space->n_snapshots; i++) {
        const struct report_space_snapshot *one = &space->snapshots[i];

        if ((last == NULL || by_exclusive(last, one) < 0) &&
            (best == NULL || by_exclusive(one, best) < 0))
            best = one;
    }
    return best;
}

static void print_exclusive(const struct page *page, const struct report_space *space)
{
    const struct report_space_snapshot *one = NULL;

    if (space->n_snapshots == 0)
        return;
    fprintf(page->stream, "\n  what deleting a snapshot frees\n");
    for (size_t i = 0; i < space->n_snapshots && i < SNAPSHOTS_SHOWN; i++) {
        struct opt_u64 bytes;

        one = next_exclusive(space, one);
        bytes = one->exclusive_bytes;
        fprintf(page->stream, "    %9s  " RENDER_FIGURE "snapshot ",
                bytes.known ? size_text(page, bytes.value) : "-");
        print_name(page, one->id.bytes, one->id.len);
        fprintf(page->stream, " \"");
        print_name(page, one->name.bytes, one->name.len);
        fprintf(page->stream, "\"\n");
    }
    if (space->n_snapshots > SNAPSHOTS_SHOWN)
        fprintf(page->stream, "    and %s %s no more than these\n",
                count_text(space->n_snapshots - SNAPSHOTS_SHOWN),
                size_noun(space->n_snapshots - SNAPSHOTS_SHOWN, "snapshot that frees",
                          "snapshots that free"));
    explain(page, "One alone: what two snapshots share is freed when both are deleted.");
}

static void print_space(const struct page *page, const struct report_image *image)
{
    const struct report_space *space = image->space;

    if (space == NULL)
        return;
    print_owners(page, image);
    fprintf(page->stream, LABEL "%s\n", "image end", size_text(page, space->end_offset_bytes));
    explain(page, "Behind the last cluster in use, as qemu-img check says. An image on a device "
                  "needs so much of it.");
    if (space->host_allocated_bytes.known)
        fprintf(page->stream, LABEL "%s\n", "stored by the host",
                size_text(page, space->host_allocated_bytes.value));
    if (space->free_gaps > 0)
        fprintf(page->stream, LABEL "%-11s longest %s\n", "free gaps", count_text(space->free_gaps),
                size_text(page, space->free_gap_max_bytes.value));
    fprintf(page->stream, LABEL "%s\n", "reclaimable",
            space->reclaimable_bytes.known ? size_text(page, space->reclaimable_bytes.value)
                                           : "not known, since tables are damaged");
    explain(page, "So much shorter is a file that holds the same, without what is free, leaked or "
                  "behind the end.");
    if (page->options->histogram)
        print_gap_histogram(page, space);
    print_exclusive(page, space);
}

static void print_snapshot_title(const struct page *page, const struct report_table *table)
{
    fprintf(page->stream, "\n  " RENDER_FIGURE "snapshot ");
    print_name(page, table->id.bytes, table->id.len);
    fprintf(page->stream, " \"");
    print_name(page, table->name.bytes, table->name.len);
    fprintf(page->stream, "\": %s virtual", size_text(page, table->virtual_bytes));
    if (table->measured)
        fprintf(page->stream, ", %s mapped\n", size_text(page, table->walk.mapped_bytes));
    else
        fprintf(page->stream, ", not readable\n");
}

#define LAYERS_SHOWN 20

static void print_layer(const struct page *page, const struct report_layer *layer)
{
    fprintf(page->stream, "    %4" PRIu32 "  %9s " RENDER_FIGURE "in %s %s", layer->depth,
            size_text(page, layer->bytes), count_text(layer->runs), runs_text(layer->runs));
    if (layer->shadowed_bytes.known && layer->shadowed_bytes.value > 0)
        fprintf(page->stream, ", and %s that nobody sees",
                size_text(page, layer->shadowed_bytes.value));
    fprintf(page->stream, ": ");
    print_name(page, layer->path, strlen(layer->path));
    putc('\n', page->stream);
}

/* Of a chain of one there is nothing to tell. */
static void print_layers(const struct page *page, const struct report_table *table)
{
    size_t n = table->n_layers < LAYERS_SHOWN ? table->n_layers : LAYERS_SHOWN;

    if (table->n_layers < 2)
        return;
    fprintf(page->stream, LABEL "%s images, the top one first\n", "chain",
            count_text(table->n_layers));
    explain(page, "What the guest reads from each, and what is hidden below others, or lies beyond "
                  "the disk.");
    for (size_t i = 0; i < n; i++)
        print_layer(page, &table->layers[i]);
    if (n < table->n_layers)
        fprintf(page->stream, "    and %s more; --json lists them\n",
                count_text(table->n_layers - n));
}

static void print_range(const struct page *page, const struct report_table *table)
{
    fprintf(page->stream, LABEL "%-11s from %s on, %s mapped; all below is of that part only\n",
            "part of the disk", size_text(page, table->range.len_bytes),
            size_text(page, table->range.guest_off), size_text(page, table->walk.mapped_bytes));
    explain(page, "Clusters that the range touches count whole. What the file holds, and how to "
                  "mend it, is of the whole image still.");
}

static void print_table(const struct page *page, const struct report_image *image,
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
        print_run_histogram(page, walk);
        print_jump_histogram(page, walk);
    }
}

int render_text(FILE *stream, const struct report_image *image,
                const struct render_options *options)
{
    const struct page page = {render_flow_open(stream, options->width), options};
    int ret;

    if (page.stream == NULL)
        return -ENOMEM;
    print_title(&page, image);
    ret = render_damage(page.stream, image, options);
    print_properties(&page, image);
    for (size_t i = 0; i < image->n_tables; i++)
        print_table(&page, image, &image->tables[i]);
    print_space(&page, image);
    if (image->findings.total > 0)
        putc('\n', page.stream);
    render_findings(page.stream, &image->findings, options);
    if (ret == 0)
        ret = render_verdict(page.stream, image);
    if (!image->verdict.known && image->n_tables == 1 && image->tables[0].measured)
        print_meaning(&page, &image->tables[0].walk);
    if (!image->complete && !report_is_damaged(image))
        fprintf(page.stream, "  " RENDER_PROSE
                             "Not everything could be read, or was read in one state: the figures "
                             "are incomplete.\n");
    if (fclose(page.stream) != 0 && ret == 0)
        ret = -ENOMEM;
    return ret;
}
