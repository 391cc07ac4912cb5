// SPDX-License-Identifier: MIT
/* Owns the judgement. Thresholds are the contract's (doc/definitions.md, "The verdict"). */
#include "verdict.h"

#include "cost.h"
#include "l2.h"
#include "reason.h"

#include <errno.h>
#include <stdlib.h>

#define CALM_HALF_BYTES (UINT64_C(1) << 20) /* on a disk without a head */
#define BLAME_SLOWDOWN 1.02                 /* below it there is nothing to share out */
#define BLAME_SHARE 0.6
#define SNAPSHOTS_PART 0.25 /* of the active bytes */

/* ---- the action ---- */

static double clamp(double share)
{
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

bool report_is_poor(const struct report_case *facts)
{
    return facts->judged.slowdown_low >= REPORT_CALM_SLOWDOWN;
}

bool report_is_calm(const struct report_case *facts)
{
    if (!report_is_poor(facts) || facts->judged.lost < report_felt_seconds(facts->profile))
        return true;
    return facts->profile != METER_DISK_HDD && facts->half_bytes.known &&
           facts->half_bytes.value >= CALM_HALF_BYTES;
}

static bool rewrite_helps(const struct report_case *facts)
{
    return report_helps(facts->profile, facts->image_seconds, facts->after_defrag_seconds);
}

/*
 * A cache that holds all tables reads each of them at once, and the ways to their slices are gone.
 * That is the better half of the cure, or all of it, if more of the time goes there than a rewrite
 * would save.
 */
bool report_tables_are_slow(const struct report_case *facts)
{
    double slices = facts->after_defrag_seconds - facts->image_ideal;

    return facts->small_slices && slices > facts->image_seconds - facts->after_defrag_seconds &&
           report_helps(facts->profile, facts->after_defrag_seconds, facts->image_ideal);
}

static enum report_action blame_image(const struct report_case *facts)
{
    if (report_tables_are_slow(facts))
        return REPORT_L2_CACHE;
    if (facts->external_data || !rewrite_helps(facts))
        return REPORT_NONE;
    if (facts->snapshot_bytes.known &&
        (double)facts->snapshot_bytes.value > SNAPSHOTS_PART * (double)facts->active_bytes)
        return REPORT_SNAPSHOTS;
    return REPORT_IMAGE;
}

/* Of the time lost, what is lost beside that of the image alone is the host's. */
static double host_share_of(const struct report_case *facts)
{
    double image_lost = facts->image_seconds - facts->image_ideal;

    return clamp((facts->judged.lost - image_lost) / facts->judged.lost);
}

struct report_judgement report_judge(const struct report_case *facts)
{
    struct report_judgement judgement = {.action = REPORT_NONE};
    double host_share;

    if (facts->judged.seconds < BLAME_SLOWDOWN * facts->judged.ideal || facts->judged.lost <= 0)
        return judgement;
    host_share = host_share_of(facts);
    judgement.host_share = opt_f64_of(host_share);
    judgement.image_share = opt_f64_of(1 - host_share);
    if (report_is_calm(facts))
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

/* ---- the whole ---- */

static struct report_case case_of(const struct report_image *image,
                                  const struct report_table *table, struct opt_u64 snapshot_bytes)
{
    const struct report_disk *disk = &table->disk;
    const struct report_format *format = &image->format;
    struct report_case facts = {
        .profile = disk->profile,
        .assumed = disk->assumed,
        .range = table->range.known,
        .judged = report_seconds_of(table),
        .image_seconds = disk->seconds,
        .image_ideal = disk->ideal_seconds,
        .after_defrag_seconds =
            disk->after_defrag_seconds.known ? disk->after_defrag_seconds.value : disk->seconds,
        .half_bytes = table->walk.contiguous_run_half_bytes,
        .snapshot_bytes = snapshot_bytes,
        .active_bytes = table->walk.mapped_bytes,
        .sparse = report_is_sparse(table),
        .external_data = format->data_file.bytes != NULL,
        /* Tables of a cluster that is no larger are read as a whole anyway. */
        .small_slices = format->l2_cache_bytes > TABLES_L2_CACHE_BYTES &&
                        format->cluster_bytes > TABLES_L2_SLICE_BYTES,
    };

    if (facts.judged.with_host)
        facts.half_bytes = table->end_to_end.walk.contiguous_run_half_bytes;
    return facts;
}

int report_verdict(struct report_image *image, struct opt_u64 copy_bytes,
                   struct opt_u64 snapshot_bytes)
{
    const struct report_table *table = report_active_table(image);
    struct report_verdict *verdict = &image->verdict;

    if (table == NULL || !table->measured)
        return 0;
    free(verdict->reason);
    free(verdict->causes);
    *verdict = (struct report_verdict){.known = true, .copy_bytes = copy_bytes};
    if (!image->complete || !table->disk.known) {
        verdict->action = image->complete ? REPORT_NONE : REPORT_UNKNOWN;
        verdict->reason = report_reason_unknown(image, table);
    } else {
        struct report_case facts = case_of(image, table, snapshot_bytes);
        struct report_judgement judgement = report_judge(&facts);

        verdict->action = judgement.action;
        verdict->image_share = judgement.image_share;
        verdict->host_share = judgement.host_share;
        verdict->reason = report_reason(image, &facts);
    }
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
