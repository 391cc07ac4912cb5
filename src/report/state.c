// SPDX-License-Identifier: MIT
/* Owns which of several truths about an image comes first. */
#include "state.h"

#include "report.h"
#include "verdict.h"

#include <stddef.h>

const char *report_state_name(const struct report_image *image, const struct report_table *table)
{
    if (image->error != NULL)
        return "failed";
    if (format_findings_have_error(&image->findings))
        return "damaged";
    if (image->changing)
        return "changing";
    if ((table != NULL && table->is_snapshot) || !image->verdict.known)
        return NULL;
    return report_action_name(image->verdict.action);
}
