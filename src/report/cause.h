/* SPDX-License-Identifier: MIT */
/* What brought a layout about, told from traces in the image. */
#ifndef REPORT_CAUSE_H
#define REPORT_CAUSE_H

#include "report.h"

#include <stdbool.h>

/* Is it worth the time to find out who owns the clusters? The action must stand. */
bool report_causes_need_space(const struct report_image *image);

/*
 * Fills image->verdict.causes. The action must stand. @space: NULL if it is not known, or if the
 * figures are of a part of the disk only; then what needs it is not named. 0 or -ENOMEM.
 */
int report_find_causes(struct report_image *image, const struct report_space *space);

/* "snapshots", "random-growth" ... */
const char *report_cause_name(enum report_cause_code code);

/* What a cause is, as part of a sentence. */
const char *report_cause_text(enum report_cause_code code);

/* Where its option goes, or when it helps: follows the option. */
const char *report_cause_place(enum report_cause_code code);

#endif
