// SPDX-License-Identifier: MIT
/* Owns the traces of causes: one is named only if its trace is in the image. */
#include "cause.h"

#include "verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add_cause(struct report_verdict *verdict, enum report_cause_code code,
                      const char *format, ...) __attribute__((format(printf, 3, 4)));

static void add_cause(struct report_verdict *verdict, enum report_cause_code code,
                      const char *format, ...)
{
    struct report_cause *cause = &verdict->causes[verdict->n_causes++];
    va_list args;

    cause->code = code;
    va_start(args, format);
    vsnprintf(cause->option, sizeof(cause->option), format, args);
    va_end(args);
}

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

/* Breaks that a table between two clusters does not explain. */
static uint64_t true_breaks(const struct report_image *image, const struct report_walk *walk)
{
    uint64_t tables = image->format.l2_tables.known ? image->format.l2_tables.value : 0;

    return walk->breaks > tables ? walk->breaks - tables : 0;
}

/* In what order were the clusters allocated? Only the plainest of the traces is named. */
static void find_order(const struct report_image *image, const struct report_table *table,
                       struct report_verdict *verdict)
{
    const struct report_walk *walk = &table->walk;
    uint64_t cluster_bytes = image->format.cluster_bytes;
    const char *grow = "preallocation=metadata";

    if (true_breaks(image, walk) < table->mapped_clusters / 1000 + 1 ||
        walk->file_switches > walk->breaks / 2)
        return;
    if (steps_down(walk, cluster_bytes) > walk->breaks / 2)
        add_cause(verdict, REPORT_CAUSE_DOWNWARD, "%s", grow);
    else if (walk->contiguous_run_half_bytes.value >= (UINT64_C(512) << 10) &&
             walk->contiguous_run_half_bytes.value < (UINT64_C(64) << 20) &&
             jumps_from(walk, UINT64_C(64) << 20) == 0 && walk->backward_steps > walk->breaks / 5)
        add_cause(verdict, REPORT_CAUSE_CONVERT, "qemu-img convert without -W");
    else if (walk->backward_steps < walk->breaks / 10)
        add_cause(verdict, REPORT_CAUSE_INTERLEAVED, "%s", grow);
    else
        add_cause(verdict, REPORT_CAUSE_RANDOM, "%s", grow);
}

/*
 * Bytes of the file that are neither data nor the usual metadata. Refcounts and the L1 table take
 * well under a hundredth of what they describe.
 */
static bool has_discard_holes(const struct report_image *image, const struct report_table *table,
                              struct opt_u64 copy_bytes)
{
    const struct report_format *format = &image->format;
    uint64_t used;

    if (format->snapshot_count > 0 || format->bitmap_count > 0 || format->data_file.bytes != NULL ||
        !copy_bytes.known || !format->l2_bytes.known)
        return false;
    used = copy_bytes.value + format->l2_bytes.value +
           table->walk.zero_allocated_clusters * format->cluster_bytes + 8 * format->cluster_bytes;
    return format->file_bytes > used && format->file_bytes - used > format->file_bytes / 10;
}

static void find_image_causes(const struct report_image *image, const struct report_table *table,
                              struct report_verdict *verdict)
{
    const struct report_format *format = &image->format;

    if (format->snapshot_count > 0)
        add_cause(verdict, REPORT_CAUSE_SNAPSHOTS, "qemu-img snapshot -d");
    else if (table->walk.compressed_clusters > 0 &&
             table->walk.compressed_clusters < table->mapped_clusters)
        add_cause(verdict, REPORT_CAUSE_COMPRESSED, "qemu-img convert without -c");
    else
        find_order(image, table, verdict);
    if (has_discard_holes(image, table, verdict->copy_bytes))
        add_cause(verdict, REPORT_CAUSE_DISCARD, "discard-no-unref=on");
    if (format->cluster_bytes < 65536)
        add_cause(verdict, REPORT_CAUSE_SMALL_CLUSTERS, "cluster_size=65536");
    if (table->chain_depth > 1 && table->walk.file_switches > table->walk.breaks / 10)
        add_cause(verdict, REPORT_CAUSE_CHAIN, "qemu-img commit");
}

static void find_host_causes(const struct report_image *image, struct report_verdict *verdict)
{
    const char *filesystem = image->host.filesystem;

    if (filesystem == NULL)
        return;
    if (strcmp(filesystem, "btrfs") == 0 || strcmp(filesystem, "bcachefs") == 0)
        add_cause(verdict, REPORT_CAUSE_HOST_COW, "chattr +C");
    else if (strcmp(filesystem, "xfs") == 0)
        add_cause(verdict, REPORT_CAUSE_HOST_EXTENTS, "extsize=16m");
    else
        add_cause(verdict, REPORT_CAUSE_HOST_ALLOCATION, "preallocation=falloc");
}

void report_find_causes(const struct report_image *image, const struct report_table *table,
                        struct report_verdict *verdict)
{
    enum report_action action = verdict->action;

    if (action == REPORT_IMAGE || action == REPORT_BOTH || action == REPORT_SNAPSHOTS)
        find_image_causes(image, table, verdict);
    if (action == REPORT_HOST || action == REPORT_BOTH)
        find_host_causes(image, verdict);
    if (action != REPORT_NONE && action != REPORT_UNKNOWN &&
        image->format.l2_cache_bytes > REPORT_DEFAULT_L2_CACHE_BYTES)
        add_cause(verdict, REPORT_CAUSE_L2_CACHE, "l2-cache-size=%" PRIu64,
                  image->format.l2_cache_bytes);
}

/* ---- words ---- */

static const struct {
    const char *name, *text;
} cause_words[REPORT_N_CAUSES] = {
    [REPORT_CAUSE_SNAPSHOTS] = {"snapshots", "clusters that a snapshot keeps are copied elsewhere "
                                             "when the guest writes to them"},
    [REPORT_CAUSE_COMPRESSED] = {"rewritten-compressed",
                                 "a compressed cluster that is written to moves to the end"},
    [REPORT_CAUSE_DOWNWARD] = {"downward-allocation",
                               "the program that wrote it allocates downwards"},
    [REPORT_CAUSE_CONVERT] = {"parallel-convert",
                              "it looks as if qemu-img convert -W had written it out of order"},
    [REPORT_CAUSE_INTERLEAVED] = {"interleaved-growth", "several files grew at the same time, and "
                                                        "their clusters lie in turns"},
    [REPORT_CAUSE_RANDOM] = {"random-growth",
                             "clusters lie in the order in which the guest first wrote them"},
    [REPORT_CAUSE_DISCARD] = {"discard-holes", "discarded clusters leave holes, which later writes "
                                               "fill"},
    [REPORT_CAUSE_SMALL_CLUSTERS] = {"small-clusters", "small clusters make small pieces"},
    [REPORT_CAUSE_CHAIN] = {"long-chain", "the disk is spread over many backing files"},
    [REPORT_CAUSE_L2_CACHE] = {"l2-cache", "QEMU's default L2 cache does not cover the disk"},
    [REPORT_CAUSE_HOST_COW] = {"host-copy-on-write",
                               "the host's file system puts what is written again elsewhere"},
    [REPORT_CAUSE_HOST_EXTENTS] = {"host-extent-size",
                                   "XFS has no extent size hint for the file, and allocates in "
                                   "small pieces"},
    [REPORT_CAUSE_HOST_ALLOCATION] = {"host-allocation",
                                      "the file grew bit by bit, between other files"},
};

const char *report_cause_name(enum report_cause_code code)
{
    return cause_words[code].name;
}

const char *report_cause_text(enum report_cause_code code)
{
    return cause_words[code].text;
}
