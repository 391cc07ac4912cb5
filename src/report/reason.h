/* SPDX-License-Identifier: MIT */
/* The verdict in a sentence or two. */
#ifndef REPORT_REASON_H
#define REPORT_REASON_H

#include "report.h"

struct report_case;

/* The action and the shares of image->verdict must stand. The caller frees; NULL without memory. */
char *report_reason(const struct report_image *image, const struct report_case *facts);

/* The same where the figures say nothing. @table: that of the active state. */
char *report_reason_unknown(const struct report_image *image, const struct report_table *table);

#endif
