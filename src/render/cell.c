// SPDX-License-Identifier: MIT
/* Owns how single values look. Decimal points are points, whatever the locale: no setlocale. */
#include "cell.h"

#include "duration.h"
#include "json.h"
#include "size.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

char *render_cell_for_people(const struct render_column *column, struct render_value value,
                             bool bytes)
{
    char text[SIZE_TEXT_MAX];

    if (!value.known)
        return strdup(column->type == RENDER_TEXT ? "" : "-");
    switch (column->type) {
    case RENDER_TEXT:
        return text_escape(value.text, value.text_len);
    case RENDER_COUNT:
        snprintf(text, sizeof(text), "%" PRIu64, value.integer);
        break;
    case RENDER_BYTES:
        if (bytes)
            snprintf(text, sizeof(text), "%" PRIu64, value.integer);
        else
            size_format(text, value.integer);
        break;
    case RENDER_MEAN_BYTES:
        if (bytes)
            snprintf(text, sizeof(text), "%.0f", value.real);
        else
            size_format_mean(text, value.real);
        break;
    case RENDER_RATIO:
        snprintf(text, sizeof(text), "%.2f %%", 100 * value.real);
        break;
    case RENDER_FACTOR:
        snprintf(text, sizeof(text), "%.2f", value.real);
        break;
    case RENDER_SECONDS:
        duration_format(text, value.real);
        break;
    }
    return strdup(text);
}

char *render_cell_for_table(const struct render_column *column, struct render_value value,
                            bool bytes)
{
    if (value.known && column->type == RENDER_TEXT && text_is_plain(value.text, value.text_len))
        return strndup(value.text, value.text_len);
    return render_cell_for_people(column, value, bytes);
}

void render_cell_for_programs(const struct render_column *column, struct render_value value,
                              char digits[RENDER_DIGITS_MAX])
{
    _Static_assert(RENDER_DIGITS_MAX >= JSON_REAL_TEXT_MAX, "");

    if (!value.known)
        digits[0] = '\0';
    else if (column->type == RENDER_COUNT || column->type == RENDER_BYTES)
        snprintf(digits, RENDER_DIGITS_MAX, "%" PRIu64, value.integer);
    else
        json_real_text(digits, value.real);
}

/* A backslash is escaped only if it could begin an escape. */
size_t render_cell_spell(const char *bytes, size_t len, const struct text_sign *sign,
                         char spelled[TEXT_SPELLED_MAX])
{
    if (*bytes != '\n' && *bytes != '\t' && (*bytes != '\\' || (len > 1 && bytes[1] == 'x')))
        return text_spell(bytes, sign, spelled);
    spelled[0] = *bytes;
    return 1;
}

size_t render_chosen_columns(const struct render_options *options, bool all,
                             const struct render_column **list)
{
    size_t n = 0;

    if (options->columns != NULL) {
        memcpy(list, options->columns, options->n_columns * sizeof(*list));
        return options->n_columns;
    }
    for (size_t i = 0; i < render_n_columns; i++)
        if (all || render_columns[i].when == RENDER_BY_DEFAULT)
            list[n++] = &render_columns[i];
    return n;
}
