// SPDX-License-Identifier: MIT
/*
 * Owns the traces of causes: one is named only if its trace is in the image, explains enough, and
 * if there is something against it that QEMU accepts for this image.
 */
#include "cause.h"

#include "recipe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What explains fewer breaks, or a smaller part of them, matters to nobody. */
#define BREAKS_ENOUGH 50
#define PART_ENOUGH 5 /* a fifth */

#define BREAKS_A_CLUSTER 2               /* one that lies elsewhere breaks before and behind it */
#define EXTENT_HINT (UINT64_C(16) << 20) /* as long as a disk needs to make a seek worth it */
#define EXTENDED_L2_LEAST 16384          /* clusters that QEMU divides */
#define USUAL_CLUSTER 65536

/* What is left to be explained. */
struct trace {
    struct report_image *image;
    const struct report_table *table;
    const struct report_space *space;
    uint64_t breaks; /* of all causes */
    uint64_t left;
};

static struct report_cause *add_cause(const struct trace *trace, enum report_cause_code code,
                                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static struct report_cause *add_cause(const struct trace *trace, enum report_cause_code code,
                                      const char *format, ...)
{
    struct report_verdict *verdict = &trace->image->verdict;
    struct report_cause *cause = &verdict->causes[verdict->n_causes++];
    va_list args;

    *cause = (struct report_cause){.code = code};
    va_start(args, format);
    vsnprintf(cause->option, sizeof(cause->option), format, args);
    va_end(args);
    return cause;
}

static bool is_enough(const struct trace *trace, uint64_t breaks)
{
    return breaks >= BREAKS_ENOUGH && breaks >= trace->breaks / PART_ENOUGH;
}

/* Takes @breaks out of what is left to be explained; how many of them were. */
static uint64_t take(struct trace *trace, uint64_t breaks)
{
    breaks = breaks < trace->left ? breaks : trace->left;
    trace->left -= breaks;
    return breaks;
}

/* Of the breaks, @breaks are explained by this. */
static void explain(const struct trace *trace, struct report_cause *cause, uint64_t breaks)
{
    cause->share = opt_ratio((double)breaks, (double)trace->breaks);
}

/* ---- what QEMU accepts for this image ---- */

static bool has_backing(const struct trace *trace)
{
    const struct format_name *name = &trace->image->format.backing_file;

    return name->bytes != NULL && name->bytes[0] != '\0';
}

static bool stays_overlay(const struct trace *trace)
{
    return has_backing(trace) && !report_recipe_flattens(trace->table);
}

/* QEMU reserves space for an image with a backing file only if its L2 entries are extended. */
static void add_preallocation(const struct trace *trace, enum report_cause_code code,
                              const char *mode, uint64_t breaks)
{
    const struct report_format *format = &trace->image->format;
    const char *compat = "", *cluster = "", *extended = "";

    if (stays_overlay(trace)) {
        compat = format->version == 2 ? "compat=1.1," : "";
        cluster = format->cluster_bytes < EXTENDED_L2_LEAST ? "cluster_size=65536," : "";
        extended = format->extended_l2 ? "" : "extended_l2=on,";
    }
    explain(trace,
            add_cause(trace, code, "%s%s%spreallocation=%s", compat, cluster, extended, mode),
            breaks);
}

/*
 * Reserved clusters keep the order in the image, and reserved blocks that on the host. Of what file
 * systems do without: ext4 puts a block where its neighbours in the file make one expect it, others
 * where there is room.
 */
static const char *preallocation_mode(const struct report_image *image)
{
    const char *filesystem = image->host.filesystem;

    if (image->beside.is_device || (filesystem != NULL && strcmp(filesystem, "ext4") == 0))
        return "metadata";
    return "falloc";
}

/* ---- the order of the clusters ---- */

/* Jumps of at least this distance, of a direction or of both. */
static uint64_t jumps_from(const struct report_walk *walk, uint64_t bytes)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < walk->jump_histogram.n; i++)
        if (walk->jump_histogram.list[i].from_bytes >= bytes)
            sum += walk->jump_histogram.list[i].backward + walk->jump_histogram.list[i].forward;
    return sum;
}

/* One step down: over the cluster before and the one that it came from. */
static uint64_t steps_down(const struct report_walk *walk, uint64_t cluster_bytes)
{
    for (size_t i = 0; i < walk->jump_histogram.n; i++)
        if (walk->jump_histogram.list[i].from_bytes == 2 * cluster_bytes)
            return walk->jump_histogram.list[i].backward;
    return 0;
}

/* convert -W writes what it copies out of order, but nothing far from where it should be. */
static bool is_parallel(const struct trace *trace)
{
    const struct report_walk *walk = &trace->table->walk;
    uint64_t half_bytes = walk->contiguous_run_half_bytes.value;

    return !has_backing(trace) && half_bytes >= (UINT64_C(512) << 10) &&
           half_bytes < (UINT64_C(64) << 20) && jumps_from(walk, UINT64_C(64) << 20) == 0 &&
           walk->backward_steps > walk->breaks / 5;
}

/*
 * Seldom a step back, but those go over what the jumps forward left out: it was not left free. With
 * nothing but gaps in the file, all of its jumps would be forward.
 */
static bool is_interleaved(const struct report_walk *walk)
{
    double back = (double)walk->backward_steps * walk->backward_jump_mean_bytes.value;
    double forward = (double)walk->forward_jumps * walk->forward_jump_mean_bytes.value;

    return walk->backward_steps < walk->breaks / 10 && back >= forward / 2;
}

/* In what order were the clusters allocated? Only the plainest of the traces is named. */
static void find_order(struct trace *trace)
{
    const struct report_walk *walk = &trace->table->walk;
    const char *mode = preallocation_mode(trace->image);
    uint64_t down = steps_down(walk, trace->image->format.cluster_bytes);
    uint64_t left = trace->left;

    if (!is_enough(trace, left) || left < trace->breaks / 2 ||
        left < trace->table->mapped_clusters / 1000)
        return;
    if (is_enough(trace, down) && down > walk->breaks / 2)
        add_preallocation(trace, REPORT_CAUSE_DOWNWARD, mode, down);
    else if (is_parallel(trace))
        explain(trace, add_cause(trace, REPORT_CAUSE_CONVERT, "qemu-img convert without -W"), left);
    else if (is_interleaved(walk))
        add_preallocation(trace, REPORT_CAUSE_INTERLEAVED, mode, left);
    else if (walk->backward_steps >= walk->breaks / 10 && walk->backward_steps > 0)
        add_preallocation(trace, REPORT_CAUSE_RANDOM, mode, left);
}

/* ---- clusters that moved ---- */

/* Each cluster that a snapshot alone holds was copied once, or discarded. */
static void find_snapshots(struct trace *trace)
{
    uint64_t held, breaks;

    if (trace->space == NULL || trace->image->format.snapshot_count == 0)
        return;
    held = trace->space->snapshot_only_bytes / trace->image->format.cluster_bytes;
    breaks = take(trace, BREAKS_A_CLUSTER * held);
    if (is_enough(trace, breaks))
        explain(trace, add_cause(trace, REPORT_CAUSE_SNAPSHOTS, "qemu-img snapshot -d"), breaks);
}

/* convert -c puts what it cannot compress among the rest, in order: it never goes back. */
static void find_compressed(struct trace *trace)
{
    const struct report_walk *walk = &trace->table->walk;
    uint64_t plain = trace->table->mapped_clusters - walk->compressed_clusters, breaks;

    if (walk->compressed_clusters == 0 || walk->compressed_clusters > trace->table->mapped_clusters)
        return;
    if (walk->backward_steps < BREAKS_ENOUGH / 2 || walk->backward_steps < walk->breaks / 10)
        return;
    breaks = take(trace, BREAKS_A_CLUSTER * plain);
    if (is_enough(trace, breaks))
        explain(trace, add_cause(trace, REPORT_CAUSE_COMPRESSED, "qemu-img convert without -c"),
                breaks);
}

/*
 * Free gaps between clusters: something was freed there, and later writes fill what is free. Were
 * it the guest that discarded, its clusters now read as zeros: as many as are free. A deleted
 * snapshot leaves gaps, too, and no zeros; then the gaps explain the breaks, but nobody knows whom
 * to blame.
 */
static void find_discards(struct trace *trace)
{
    const struct report_image *image = trace->image;
    const struct report_walk *walk = &trace->table->walk;
    uint64_t zeros, breaks;

    if (trace->space == NULL || trace->table->chain_depth > 1)
        return;
    zeros = walk->zero_clusters - walk->zero_allocated_clusters;
    breaks = take(trace, BREAKS_A_CLUSTER * trace->space->free_gaps);
    if (is_enough(trace, breaks) && image->format.version >= 3 &&
        zeros * image->format.cluster_bytes >= trace->space->free_bytes / 2)
        explain(trace, add_cause(trace, REPORT_CAUSE_DISCARD, "discard-no-unref=on"), breaks);
}

/* ---- the others ---- */

static void find_chain(struct trace *trace)
{
    const struct report_walk *walk = &trace->table->walk;
    uint64_t breaks = take(trace, walk->file_switches);

    if (trace->table->chain_depth > 1 && is_enough(trace, breaks))
        explain(trace, add_cause(trace, REPORT_CAUSE_CHAIN, "qemu-img commit"), breaks);
}

/* Larger ones would at least keep together what lies inside them. */
static void find_small_clusters(const struct trace *trace)
{
    const struct report_walk *walk = &trace->table->walk;

    if (trace->image->format.cluster_bytes < USUAL_CLUSTER && walk->breaks >= BREAKS_ENOUGH &&
        walk->contiguous_run_half_bytes.known &&
        walk->contiguous_run_half_bytes.value < USUAL_CLUSTER)
        add_cause(trace, REPORT_CAUSE_SMALL_CLUSTERS, "cluster_size=65536");
}

static void find_image_causes(struct trace *trace)
{
    const struct report_format *format = &trace->image->format;

    /* A table between two clusters breaks the order, too, and nobody is to blame. */
    trace->left -= format->l2_tables.known && format->l2_tables.value < trace->left
                       ? format->l2_tables.value
                       : 0;
    find_chain(trace);
    find_snapshots(trace);
    find_compressed(trace);
    find_discards(trace);
    find_order(trace);
    find_small_clusters(trace);
}

/* ---- the host ---- */

/* So many pieces, and so short, that longer ones would be felt. */
static bool is_in_pieces(const struct report_host *host)
{
    return host->known && host->extents >= BREAKS_ENOUGH && host->extent_mean_bytes.known &&
           host->extent_mean_bytes.value < (double)EXTENT_HINT;
}

/* Only where it is known what the file system does, and what it accepts. */
static void find_host_causes(const struct trace *trace)
{
    const struct report_host *host = &trace->image->host;
    const struct host_flags *flags = &host->flags;

    if (host->filesystem == NULL || !is_in_pieces(host))
        return;
    if (strcmp(host->filesystem, "btrfs") == 0 && flags->nocow.known && !flags->nocow.value)
        add_cause(trace, REPORT_CAUSE_HOST_COW, "nocow=on");
    else if (strcmp(host->filesystem, "xfs") == 0 && flags->extent_hint_bytes.known &&
             flags->extent_hint_bytes.value < EXTENT_HINT)
        add_cause(trace, REPORT_CAUSE_HOST_EXTENTS, "extent_size_hint=16M");
    else if (strcmp(host->filesystem, "ext4") == 0 || strcmp(host->filesystem, "xfs") == 0 ||
             strcmp(host->filesystem, "btrfs") == 0)
        add_preallocation(trace, REPORT_CAUSE_HOST_ALLOCATION, "falloc", 0);
}

/* ---- the whole ---- */

/* With few breaks to explain, who owns the clusters does not matter. */
bool report_causes_need_space(const struct report_image *image)
{
    const struct report_table *table = report_active_table(image);
    const struct report_format *format = &image->format;
    enum report_action action = image->verdict.action;
    uint64_t used;

    if ((action != REPORT_IMAGE && action != REPORT_BOTH && action != REPORT_SNAPSHOTS) ||
        table->range.known)
        return false;
    used = image->verdict.copy_bytes.value + format->l2_bytes.value;
    return format->snapshot_count > 0 ||
           (table->walk.breaks >= BREAKS_ENOUGH &&
            format->file_bytes > used + BREAKS_ENOUGH / 2 * format->cluster_bytes);
}

/* Most images have one or none, and of a folder all are kept. */
static void keep_those_found(struct report_verdict *verdict)
{
    struct report_cause *fewer = NULL;

    if (verdict->n_causes > 0) {
        fewer = realloc(verdict->causes, verdict->n_causes * sizeof(*fewer));
        if (fewer == NULL)
            return;
    } else {
        free(verdict->causes);
    }
    verdict->causes = fewer;
}

int report_find_causes(struct report_image *image, const struct report_space *space)
{
    const struct report_table *table = report_active_table(image);
    struct report_verdict *verdict = &image->verdict;
    enum report_action action = verdict->action;
    struct trace trace;

    free(verdict->causes);
    verdict->causes = NULL;
    verdict->n_causes = 0;
    if (!verdict->known || table == NULL)
        return 0;
    verdict->causes = calloc(REPORT_N_CAUSES, sizeof(*verdict->causes));
    if (verdict->causes == NULL)
        return -ENOMEM;
    trace = (struct trace){.image = image,
                           .table = table,
                           .space = space,
                           .breaks = table->walk.breaks,
                           .left = table->walk.breaks};
    if (action == REPORT_IMAGE || action == REPORT_BOTH || action == REPORT_SNAPSHOTS)
        find_image_causes(&trace);
    if (action == REPORT_HOST || action == REPORT_BOTH)
        find_host_causes(&trace);
    if (action == REPORT_L2_CACHE)
        add_cause(&trace, REPORT_CAUSE_L2_CACHE, "l2-cache-size=%" PRIu64,
                  image->format.l2_cache_bytes);
    keep_those_found(verdict);
    return 0;
}

/* ---- words ---- */

#define AT_CREATION "an option -o of qemu-img create or convert, for a new file"

static const struct {
    const char *name, *text, *place;
} cause_words[REPORT_N_CAUSES] = {
    [REPORT_CAUSE_SNAPSHOTS] = {"snapshots",
                                "clusters that a snapshot keeps are copied elsewhere when the "
                                "guest writes to them",
                                "for those that are no longer needed"},
    [REPORT_CAUSE_COMPRESSED] = {"rewritten-compressed",
                                 "a compressed cluster that is written to moves to the end",
                                 "where the guest goes on writing"},
    [REPORT_CAUSE_DOWNWARD] = {"downward-allocation",
                               "the clusters were written from the last to the first", AT_CREATION},
    [REPORT_CAUSE_CONVERT] = {"parallel-convert",
                              "it looks as if qemu-img convert -W had written it out of order",
                              "when it is copied again"},
    [REPORT_CAUSE_INTERLEAVED] = {"interleaved-growth",
                                  "several files grew at the same time, and their clusters lie in "
                                  "turns",
                                  AT_CREATION},
    [REPORT_CAUSE_RANDOM] = {"random-growth",
                             "clusters lie in the order in which they were first written",
                             AT_CREATION},
    [REPORT_CAUSE_DISCARD] = {"discard-holes",
                              "clusters that the guest discarded leave holes, which later writes "
                              "fill",
                              "an option of -drive and -blockdev since QEMU 8.1; in libvirt, "
                              "since 9.5, discard_no_unref='on' in the <driver> of the disk"},
    [REPORT_CAUSE_SMALL_CLUSTERS] = {"small-clusters", "small clusters make small pieces",
                                     "an option -o of qemu-img create or convert; the commands "
                                     "below keep the size as it is"},
    [REPORT_CAUSE_CHAIN] = {"long-chain", "the disk is spread over several images",
                            "merges an image into its backing file; only where no other image is "
                            "built on that one"},
    [REPORT_CAUSE_L2_CACHE] = {"l2-cache", "QEMU's default L2 cache does not cover the disk",
                               "an option of -drive and -blockdev; in libvirt, since 7.0, "
                               "<metadata_cache> in the <driver> of the disk"},
    [REPORT_CAUSE_HOST_COW] = {"host-copy-on-write",
                               "the host's file system puts what is written again elsewhere",
                               AT_CREATION ", as is chattr +C on a file without data; it also "
                                           "turns off checksums and compression"},
    [REPORT_CAUSE_HOST_EXTENTS] = {"host-extent-size",
                                   "XFS makes the file longer by pieces no larger than its extent "
                                   "size hint",
                                   AT_CREATION},
    [REPORT_CAUSE_HOST_ALLOCATION] = {"host-allocation",
                                      "the file grew bit by bit, between other files", AT_CREATION},
};

const char *report_cause_name(enum report_cause_code code)
{
    return cause_words[code].name;
}

const char *report_cause_text(enum report_cause_code code)
{
    return cause_words[code].text;
}

const char *report_cause_place(enum report_cause_code code)
{
    return cause_words[code].place;
}
