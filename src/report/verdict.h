/* SPDX-License-Identifier: MIT */
/*
 * The verdict on an image: whether it hurts, which layer is to blame, what brought it about. A pure
 * function of the finished figures; what to do about it is in recipe.h.
 */
#ifndef REPORT_VERDICT_H
#define REPORT_VERDICT_H

#include "report.h"
#include "seconds.h"

/*
 * Fills image->verdict from the rest of @image. @copy_bytes: of data that a rewrite copies;
 * @snapshot_bytes: that snapshots hold and the active state does not. Leaves the verdict unknown if
 * there is no table of the active state. May be called again, to know more. 0 or -ENOMEM.
 */
int report_verdict(struct report_image *image, struct opt_u64 copy_bytes,
                   struct opt_u64 snapshot_bytes);

/* The word of the JSON: "none", "image" ... */
const char *report_action_name(enum report_action action);

/* Below this slowdown nothing is wrong. */
#define REPORT_CALM_SLOWDOWN 1.2

/* ---- the parts of it ---- */

/* What decides about the action. */
struct report_case {
    enum meter_disk_kind profile;
    bool assumed;                  /* nobody knows the disk */
    bool range;                    /* of it only a part was asked for */
    struct report_seconds judged;  /* of image and host together, where the host is known */
    double image_seconds;          /* of the image's order, on a file in one piece, */
    double image_ideal;            /* and without breaks */
    double after_defrag_seconds;   /* of the image, rewritten */
    struct opt_u64 half_bytes;     /* half length of contiguous runs, end to end if known */
    struct opt_u64 snapshot_bytes; /* that snapshots alone hold */
    uint64_t active_bytes;
    bool sparse; /* much of the data lies in holes of the file */
    bool external_data;
    bool small_slices; /* of L2 tables, as QEMU's default cache does not cover the disk */
};

struct report_judgement {
    enum report_action action;
    struct opt_f64 image_share, host_share;
};

struct report_judgement report_judge(const struct report_case *facts);

/* So little is lost that nothing is to be done. */
bool report_is_calm(const struct report_case *facts);

/* The slowdown alone would be a reason. */
bool report_is_poor(const struct report_case *facts);

/* What of an image's time a rewrite cannot save, since it goes into fetching tables. */
bool report_tables_are_slow(const struct report_case *facts);

#endif
