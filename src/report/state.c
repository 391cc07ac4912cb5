// SPDX-License-Identifier: MIT
/* Owns which of several truths about an image comes first. */
#include "state.h"

#include "report.h"
#include "verdict.h"

#include <stddef.h>

enum report_state report_state(const struct report_image *image, const struct report_table *table)
{
    if (image->error != NULL)
        return REPORT_STATE_FAILED;
    if (format_findings_have_error(&image->findings))
        return REPORT_STATE_DAMAGED;
    if (image->changing)
        return REPORT_STATE_CHANGING;
    return (table != NULL && table->is_snapshot) || !image->verdict.known ? REPORT_STATE_NOT_JUDGED
                                                                          : REPORT_STATE_JUDGED;
}

const char *report_state_name(const struct report_image *image, const struct report_table *table)
{
    switch (report_state(image, table)) {
    case REPORT_STATE_FAILED:
        return "failed";
    case REPORT_STATE_DAMAGED:
        return "damaged";
    case REPORT_STATE_CHANGING:
        return "changing";
    case REPORT_STATE_JUDGED:
        return report_action_name(image->verdict.action);
    default:
        return NULL;
    }
}
