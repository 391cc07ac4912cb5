// SPDX-License-Identifier: MIT
/* Owns the comparison of figures with limits. Computes no figure. */
#include "limit.h"

#include "report.h"
#include "seconds.h"
#include "size.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>

bool report_limit_is_worse(enum report_limit_kind kind, double figure, double than)
{
    return kind == REPORT_MIN_RUN ? figure < than : figure > than;
}

struct opt_f64 report_limit_figure(const struct report_table *table, enum report_limit_kind kind)
{
    const struct opt_u64 *half_bytes = &table->walk.contiguous_run_half_bytes;
    struct report_seconds seconds = report_seconds_of(table);

    switch (kind) {
    case REPORT_MAX_SCORE:
        return table->walk.fragmentation_score;
    case REPORT_MIN_RUN:
        return (struct opt_f64){half_bytes->known, (double)half_bytes->value};
    default:
        return (struct opt_f64){seconds.known, seconds.slowdown_low};
    }
}

enum report_level report_limit_level(const struct report_table *table, enum report_limit_kind kind,
                                     const struct report_limit *limit)
{
    struct opt_f64 figure = report_limit_figure(table, kind);

    if (!limit->given || (table->measured && !figure.known))
        return REPORT_OK; /* no data: nothing is worse than anything */
    if (!figure.known)
        return REPORT_NOT_KNOWN;
    if (limit->has_critical && report_limit_is_worse(kind, figure.value, limit->critical))
        return REPORT_CRITICAL;
    return report_limit_is_worse(kind, figure.value, limit->warning) ? REPORT_WARNING : REPORT_OK;
}

static void value_text(enum report_limit_kind kind, double value, char text[SIZE_TEXT_MAX])
{
    if (kind == REPORT_MAX_SCORE)
        snprintf(text, SIZE_TEXT_MAX, "%.4g %%", 100 * value);
    else if (kind == REPORT_MIN_RUN)
        size_format_mean(text, value);
    else
        snprintf(text, SIZE_TEXT_MAX, "%.4g", value);
}

/* The state that a sentence is about: an image may show several. */
static void name_table(const struct report_table *table, char *text, size_t size)
{
    char *id = table->is_snapshot ? text_escape(table->id.bytes, table->id.len) : NULL;

    snprintf(text, size, "%s%s%s", table->is_snapshot ? "snapshot " : "", id != NULL ? id : "",
             table->is_snapshot ? ": " : "");
    free(id);
}

void report_limit_text(const struct report_table *table, enum report_limit_kind kind,
                       const struct report_limit *limit, enum report_level level,
                       char text[REPORT_LIMIT_TEXT_MAX])
{
    static const char *const names[] = {"the fragmentation score", "the half length",
                                        "the slowdown"};
    char state[64], is[SIZE_TEXT_MAX], most[SIZE_TEXT_MAX];
    bool critical = level == REPORT_CRITICAL;

    name_table(table, state, sizeof(state));
    if (level == REPORT_NOT_KNOWN) {
        snprintf(text, REPORT_LIMIT_TEXT_MAX,
                 "%s%s is not known, so it cannot be compared with the limit", state, names[kind]);
        return;
    }
    value_text(kind, report_limit_figure(table, kind).value, is);
    value_text(kind, critical ? limit->critical : limit->warning, most);
    snprintf(text, REPORT_LIMIT_TEXT_MAX, "%s%s is %s, %s the %slimit of %s", state, names[kind],
             is, kind == REPORT_MIN_RUN ? "below" : "above", critical ? "critical " : "", most);
}

enum report_level report_limits_level(const struct report_image *image,
                                      const struct report_limit *limits)
{
    enum report_level worst = REPORT_OK;

    if (image->error != NULL || format_findings_have_error(&image->findings))
        return REPORT_NOT_KNOWN;
    for (size_t i = 0; i < image->n_tables; i++)
        for (int kind = 0; kind < REPORT_N_LIMITS; kind++)
            worst = report_level_worse(
                worst,
                report_limit_level(&image->tables[i], (enum report_limit_kind)kind, &limits[kind]));
    return worst;
}

enum report_level report_level_worse(enum report_level a, enum report_level b)
{
    static const unsigned char rank[] = {
        [REPORT_OK] = 0, [REPORT_WARNING] = 1, [REPORT_NOT_KNOWN] = 2, [REPORT_CRITICAL] = 3};

    return rank[a] >= rank[b] ? a : b;
}
