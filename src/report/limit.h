/* SPDX-License-Identifier: MIT */
/* Limits for figures, and what an image comes to by them: for messages and for monitoring. */
#ifndef REPORT_LIMIT_H
#define REPORT_LIMIT_H

#include "opt.h"

#include <stdbool.h>
#include <stddef.h>

struct report_image;
struct report_table;

enum report_limit_kind {
    REPORT_MAX_SCORE,
    REPORT_MIN_RUN, /* of the half length */
    REPORT_MAX_SLOWDOWN,
    REPORT_N_LIMITS
};

/* A figure that is strictly worse is beyond it. */
struct report_limit {
    bool given, has_critical;
    double warning, critical; /* a fraction, bytes, a factor */
};

/* The numbers are the statuses of monitoring plugins. */
enum report_level { REPORT_OK, REPORT_WARNING, REPORT_CRITICAL, REPORT_NOT_KNOWN };

/* Is @figure strictly worse than @than? */
bool report_limit_is_worse(enum report_limit_kind kind, double figure, double than);

/* The figure that a limit is for. */
struct opt_f64 report_limit_figure(const struct report_table *table, enum report_limit_kind kind);

/* @limit is of that kind. What holds no data is within every limit. */
enum report_level report_limit_level(const struct report_table *table, enum report_limit_kind kind,
                                     const struct report_limit *limit);

/* What @level, which is not REPORT_OK, says: "the slowdown is 8.4, above the limit of 5". */
#define REPORT_LIMIT_TEXT_MAX 256
void report_limit_text(const struct report_table *table, enum report_limit_kind kind,
                       const struct report_limit *limit, enum report_level level,
                       char text[REPORT_LIMIT_TEXT_MAX]);

/*
 * An image by all its tables and the REPORT_N_LIMITS limits. What was not measured or is damaged is
 * not known, whatever its figures are.
 */
enum report_level report_limits_level(const struct report_image *image,
                                      const struct report_limit *limits);

/* The worse of two: critical, then not known, then a warning. */
enum report_level report_level_worse(enum report_level a, enum report_level b);

#endif
