// SPDX-License-Identifier: MIT
/* Owns the judgement. Thresholds are the contract's (doc/definitions.md, "The verdict"). */
#include "verdict.h"

#include "reason.h"
#include "seconds.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define CALM_SLOWDOWN 1.2
#define CALM_HALF_BYTES (UINT64_C(1) << 20) /* on a disk without a head */
#define BLAME_SLOWDOWN 1.02                 /* below it there is nothing to share out */
#define BLAME_SHARE 0.6
#define SNAPSHOTS_PART 0.25 /* of the active bytes */

/* ---- the action ---- */

static double clamp(double share)
{
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

bool report_is_calm(const struct report_case *facts)
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
    if (report_is_calm(facts) || !judgement.host_share.known)
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
        .small_slices = image->format.l2_cache_bytes > REPORT_DEFAULT_L2_CACHE_BYTES,
    };

    if (!end_to_end->known)
        return facts;
    facts.sparse = report_is_sparse(table);
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
