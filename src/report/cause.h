/* SPDX-License-Identifier: MIT */
/* What brought a layout about, told from traces in the image. */
#ifndef REPORT_CAUSE_H
#define REPORT_CAUSE_H

#include "report.h"

/* Fills verdict->causes. The action must stand. @table: that of the active state. */
void report_find_causes(const struct report_image *image, const struct report_table *table,
                        struct report_verdict *verdict);

/* "snapshots", "random-growth" ... */
const char *report_cause_name(enum report_cause_code code);

/* What a cause is, as part of a sentence. */
const char *report_cause_text(enum report_cause_code code);

#endif
