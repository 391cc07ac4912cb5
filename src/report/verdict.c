// SPDX-License-Identifier: MIT
/*
 * Owns the judgement. Thresholds are the contract's (doc/definitions.md, "The verdict"); a cause is
 * named only if its trace is there, and a number only with the digits that the model can bear.
 */
#include "verdict.h"

#include "duration.h"
#include "size.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALM_SLOWDOWN 1.2
#define CALM_HALF_BYTES (UINT64_C(1) << 20) /* on a disk without a head */
#define BLAME_SLOWDOWN 1.02                 /* below it there is nothing to share out */
#define BLAME_SHARE 0.6
#define SNAPSHOTS_PART 0.25 /* of the active bytes */
#define SPARSE_PART 10      /* a tenth of the data */
#define DEFAULT_L2_CACHE_BYTES (UINT64_C(32) << 20)

/* ---- the action ---- */

static double clamp(double share)
{
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

static bool is_calm(const struct report_case *facts)
{
    if (facts->slowdown_high < CALM_SLOWDOWN)
        return true;
    return facts->profile != METER_DISK_HDD && facts->half_bytes.known &&
           facts->half_bytes.value >= CALM_HALF_BYTES;
}

/* Would a rewrite bring the image's time down? The ways to its tables would stay. */
static bool rewrite_helps(const struct report_case *facts)
{
    return facts->image_seconds >= BLAME_SLOWDOWN * facts->after_defrag_seconds;
}

static enum report_action blame_image(const struct report_case *facts)
{
    /* The tables are the slow part if even an image in order would be slow. */
    if (facts->small_slices && facts->image_seconds < CALM_SLOWDOWN * facts->after_defrag_seconds)
        return REPORT_L2_CACHE;
    if (facts->external_data || !rewrite_helps(facts))
        return REPORT_NONE;
    if (facts->snapshot_bytes.known &&
        (double)facts->snapshot_bytes.value > SNAPSHOTS_PART * (double)facts->active_bytes)
        return REPORT_SNAPSHOTS;
    return REPORT_IMAGE;
}

struct report_judgement report_judge(const struct report_case *facts)
{
    double both = facts->both_seconds.known ? facts->both_seconds.value : facts->image_seconds;
    struct report_judgement judgement = {.action = REPORT_NONE};
    double host_share;

    if (both >= BLAME_SLOWDOWN * facts->ideal_seconds && facts->ideal_seconds > 0) {
        host_share = clamp((both - facts->image_seconds) / (both - facts->ideal_seconds));
        judgement.host_share = opt_f64_of(host_share);
        judgement.image_share = opt_f64_of(1 - host_share);
    }
    if (is_calm(facts) || !judgement.host_share.known)
        return judgement;
    if (host_share >= BLAME_SHARE)
        judgement.action = REPORT_HOST;
    else if (1 - host_share >= BLAME_SHARE)
        judgement.action = blame_image(facts);
    else if (facts->external_data || !rewrite_helps(facts))
        judgement.action = REPORT_HOST;
    else
        judgement.action = REPORT_BOTH;
    return judgement;
}

/* ---- causes ---- */

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

static void find_causes(const struct report_image *image, const struct report_table *table,
                        struct report_verdict *verdict)
{
    enum report_action action = verdict->action;

    if (action == REPORT_IMAGE || action == REPORT_BOTH || action == REPORT_SNAPSHOTS)
        find_image_causes(image, table, verdict);
    if (action == REPORT_HOST || action == REPORT_BOTH)
        find_host_causes(image, verdict);
    if (action != REPORT_NONE && action != REPORT_UNKNOWN &&
        image->format.l2_cache_bytes > DEFAULT_L2_CACHE_BYTES)
        add_cause(verdict, REPORT_CAUSE_L2_CACHE, "l2-cache-size=%" PRIu64,
                  image->format.l2_cache_bytes);
}

/* ---- the reason ---- */

/* A share in words: nobody believes in 0.8731 of it. */
static const char *share_text(double share)
{
    static const char *const tenths[] = {
        "next to nothing", "a tenth",      "a fifth",     "three tenths", "two fifths", "half",
        "three fifths",    "seven tenths", "four fifths", "nine tenths",  "nearly all"};

    return share >= 0.995 ? "all" : tenths[(int)(share * 10 + 0.5)];
}

struct sentence {
    char text[640];
    size_t len;
};

static void say(struct sentence *sentence, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct sentence *sentence, const char *format, ...)
{
    size_t room = sizeof(sentence->text) - sentence->len;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(sentence->text + sentence->len, room, format, args);
    va_end(args);
    sentence->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* "about 18 minutes": "18 min" is short enough. */
static const char *about(char text[DURATION_TEXT_MAX], double seconds)
{
    duration_format(text, seconds);
    return text;
}

static const char *what_is_read(const struct report_case *facts)
{
    return facts->range ? "this part of the disk" : "the whole disk";
}

static const char *spins(const struct report_case *facts)
{
    return facts->assumed ? ", if the disk spins" : "";
}

static void say_times(struct sentence *sentence, const struct report_case *facts)
{
    double both = facts->both_seconds.known ? facts->both_seconds.value : facts->image_seconds;
    char whole[DURATION_TEXT_MAX], ideal[DURATION_TEXT_MAX];

    say(sentence, "Reading %s takes about %s where %s would do%s; ", what_is_read(facts),
        about(whole, both), about(ideal, facts->ideal_seconds), spins(facts));
}

static void say_blame(struct sentence *sentence, const struct report_image *image,
                      const struct report_verdict *verdict, const struct report_case *facts)
{
    char size[SIZE_TEXT_MAX], count[SIZE_TEXT_MAX], after[DURATION_TEXT_MAX];

    say_times(sentence, facts);
    switch (verdict->action) {
    case REPORT_HOST:
        size_format_count(count, image->host.extents);
        say(sentence, "%s of that is the host file system's, where the file lies in %s pieces.",
            share_text(verdict->host_share.value), count);
        return;
    case REPORT_BOTH:
        say(sentence, "%s of that is the image's own order, the rest the host file system's.",
            share_text(verdict->image_share.value));
        return;
    case REPORT_L2_CACHE:
        size_format(size, image->format.l2_cache_bytes);
        say(sentence,
            "the time goes into fetching L2 tables, since QEMU's default cache of 32 MiB does not "
            "cover this disk. %s would.",
            size);
        return;
    default:
        say(sentence, "%s of that is the image's own order. Rewritten, it would take %s.",
            share_text(verdict->image_share.value), about(after, facts->after_defrag_seconds));
    }
    if (verdict->action == REPORT_SNAPSHOTS) {
        size_format(size, facts->snapshot_bytes.value);
        say(sentence, " Its snapshots hold %s that the disk itself no longer needs.", size);
    }
    if (facts->sparse)
        say(sentence, " Much of the file is a hole on the host, and is taken as data here.");
    else if (!facts->both_seconds.known)
        say(sentence, " How the file lies on the host is not known.");
}

static void say_calm(struct sentence *sentence, const struct report_case *facts)
{
    double both = facts->both_seconds.known ? facts->both_seconds.value : facts->image_seconds;
    char whole[DURATION_TEXT_MAX], ideal[DURATION_TEXT_MAX];

    about(whole, both);
    about(ideal, facts->ideal_seconds);
    if (strcmp(whole, ideal) == 0) {
        say(sentence, "Reading %s takes about %s%s, as fast as it can be: nothing to do.",
            what_is_read(facts), whole, spins(facts));
        return;
    }
    say(sentence, "Reading %s takes about %s, where %s would be the least%s: ", what_is_read(facts),
        whole, ideal, spins(facts));
    if (is_calm(facts))
        say(sentence, "nothing to do.");
    else if (facts->external_data)
        say(sentence, "the data lie in guest order in their own file, and no rewrite would change "
                      "that.");
    else
        say(sentence, "the rest goes into fetching the image's tables, and no rewrite would change "
                      "that.");
}

static void say_unknown(struct sentence *sentence, const struct report_image *image,
                        const struct report_table *table)
{
    if (image->changing)
        say(sentence, "The image was changing while it was measured: measure it again when it is "
                      "quieter.");
    else if (!image->complete)
        say(sentence, "The figures are incomplete, see the findings: repair the image first, then "
                      "measure again.");
    else
        say(sentence, "Nothing is mapped%s: there is nothing to read.",
            table->range.known ? " in this part of the disk" : "");
}

/* ---- the whole ---- */

static struct report_case case_of(const struct report_image *image,
                                  const struct report_table *table, struct opt_u64 snapshot_bytes)
{
    const struct report_end_to_end *end_to_end = &table->end_to_end;
    const struct report_disk *disk = &table->disk;
    struct report_case facts = {
        .profile = disk->profile,
        .assumed = disk->assumed,
        .range = table->range.known,
        .ideal_seconds = disk->ideal_seconds,
        .image_seconds = disk->seconds,
        .after_defrag_seconds = disk->after_defrag_seconds.known ? disk->after_defrag_seconds.value
                                                                 : disk->ideal_seconds,
        .slowdown_high = disk->slowdown_high,
        .half_bytes = table->walk.contiguous_run_half_bytes,
        .snapshot_bytes = snapshot_bytes,
        .active_bytes = table->walk.mapped_bytes,
        .external_data = image->format.data_file.bytes != NULL,
        .small_slices = image->format.l2_cache_bytes > DEFAULT_L2_CACHE_BYTES,
    };

    if (!end_to_end->known)
        return facts;
    facts.sparse = end_to_end->hole_bytes > table->walk.mapped_bytes / SPARSE_PART;
    if (facts.sparse || !end_to_end->seconds.known)
        return facts;
    facts.both_seconds = end_to_end->seconds;
    facts.slowdown_high = fmax(facts.slowdown_high, end_to_end->slowdown.value);
    facts.half_bytes = end_to_end->walk.contiguous_run_half_bytes;
    return facts;
}

int report_verdict(struct report_image *image, struct opt_u64 copy_bytes,
                   struct opt_u64 snapshot_bytes)
{
    const struct report_table *table = report_active_table(image);
    struct report_verdict *verdict = &image->verdict;
    struct sentence sentence = {.len = 0};

    if (table == NULL || !table->measured)
        return 0;
    free(verdict->reason);
    *verdict = (struct report_verdict){.known = true, .copy_bytes = copy_bytes};
    if (!image->complete || !table->disk.known) {
        verdict->action = image->complete ? REPORT_NONE : REPORT_UNKNOWN;
        say_unknown(&sentence, image, table);
    } else {
        struct report_case facts = case_of(image, table, snapshot_bytes);
        struct report_judgement judgement = report_judge(&facts);

        verdict->action = judgement.action;
        verdict->image_share = judgement.image_share;
        verdict->host_share = judgement.host_share;
        find_causes(image, table, verdict);
        if (verdict->action == REPORT_NONE)
            say_calm(&sentence, &facts);
        else
            say_blame(&sentence, image, verdict, &facts);
    }
    verdict->reason = strdup(sentence.text);
    return verdict->reason != NULL ? 0 : -ENOMEM;
}

/* ---- words ---- */

const char *report_action_name(enum report_action action)
{
    static const char *const names[] = {
        [REPORT_NONE] = "none",           [REPORT_IMAGE] = "image",
        [REPORT_HOST] = "host",           [REPORT_BOTH] = "both",
        [REPORT_SNAPSHOTS] = "snapshots", [REPORT_L2_CACHE] = "l2_cache",
        [REPORT_UNKNOWN] = "unknown"};

    return names[action];
}

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
