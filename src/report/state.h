/* SPDX-License-Identifier: MIT */
/* An image in one word, for a row among many. */
#ifndef REPORT_STATE_H
#define REPORT_STATE_H

struct report_image;
struct report_table;

/* Which of several truths about it comes first. */
enum report_state {
    REPORT_STATE_FAILED,
    REPORT_STATE_DAMAGED,
    REPORT_STATE_CHANGING,
    REPORT_STATE_JUDGED,     /* what the verdict says */
    REPORT_STATE_NOT_JUDGED, /* nobody does: a snapshot of a sound image */
};

/* @table: what the row is of; may be NULL. */
enum report_state report_state(const struct report_image *image, const struct report_table *table);

/*
 * The action of the verdict; or "failed", "damaged" or "changing", which no figure of the row must
 * hide. NULL for a snapshot of a sound image, of which nobody judges. @table may be NULL.
 */
const char *report_state_name(const struct report_image *image, const struct report_table *table);

#endif
