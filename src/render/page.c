// SPDX-License-Identifier: MIT
/* Owns how things look on the page. Knows no figure. */
#include "page.h"

#include "size.h"
#include "text.h"

#include <inttypes.h>

#define BAR_MAX 30

const char *render_page_size(const struct render_page *page, uint64_t bytes)
{
    static char ring[RENDER_NUMBER_RING][SIZE_TEXT_MAX];
    static unsigned next;
    char *text = ring[next++ % RENDER_NUMBER_RING];

    if (!page->options->bytes)
        return render_number_size(bytes);
    snprintf(text, SIZE_TEXT_MAX, "%" PRIu64 " B", bytes);
    return text;
}

const char *render_page_mean(const struct render_page *page, struct opt_f64 bytes)
{
    if (!bytes.known)
        return "-";
    return render_page_size(page, render_number_rounded(bytes.value));
}

void render_page_name(const struct render_page *page, const char *bytes, size_t len)
{
    text_print(page->stream, bytes, len);
}

void render_page_explain(const struct render_page *page, const char *sentences)
{
    if (page->options->verbose)
        fprintf(page->stream, "      " RENDER_PROSE "%s\n", sentences);
}

/* What is left of a narrow row, after @used columns and two blanks, may be the bar. */
static int bar_room(const struct render_page *page, int used)
{
    int room = BAR_MAX;

    if (page->options->width > 0)
        room = (int)page->options->width - used - 2;
    return room > BAR_MAX ? BAR_MAX : room < 0 ? 0 : room;
}

void render_page_bar(const struct render_page *page, int used, double share)
{
    int n = (int)(share * bar_room(page, used) + 0.5);

    if (n > 0)
        fputs("  ", page->stream);
    for (int i = 0; i < n; i++)
        putc('#', page->stream);
    putc('\n', page->stream);
}

bool render_page_is_narrow(const struct render_page *page)
{
    return page->options->width > 0 && page->options->width < RENDER_PROSE_MAX;
}
