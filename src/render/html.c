// SPDX-License-Identifier: MIT
/* Owns the one function that text goes through on its way into HTML. */
#include "html.h"

#include "cleanup.h"
#include "duration.h"
#include "size.h"
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void put_bytes(struct html *html, const char *bytes, size_t len)
{
    fwrite(bytes, 1, len, html->stream);
    html->n_bytes += len;
}

void html_put(struct html *html, const char *markup)
{
    put_bytes(html, markup, strlen(markup));
}

void html_digits(struct html *html, uint64_t number)
{
    char digits[20], *first = digits + sizeof(digits);

    do
        *--first = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    put_bytes(html, first, (size_t)(digits + sizeof(digits) - first));
}

void html_format(struct html *html, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vfprintf(html->stream, format, args);
    va_end(args);
    html->n_bytes += n > 0 ? (size_t)n : 0;
}

/* ---- text ---- */

/* What a parser would take for the beginning of something. NULL: nothing. */
static const char *entity_of(uint32_t code)
{
    switch (code) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* Code points that stand for no character, and that no document may have. */
static bool is_no_character(uint32_t code)
{
    return (code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code <= 0xfdef);
}

static void put_text(struct html *html, const char *bytes, size_t len, bool keep_backslash)
{
    for (size_t i = 0; i < len;) {
        struct text_sign sign = text_first(bytes + i, len - i);
        const char *entity = sign.valid ? entity_of(sign.code) : NULL;
        char spelled[TEXT_SPELLED_MAX];

        sign.control |= sign.valid && is_no_character(sign.code);
        if (entity != NULL)
            html_put(html, entity);
        else if (keep_backslash && sign.valid && sign.code == '\\')
            html_put(html, "\\");
        else
            put_bytes(html, spelled, text_spell(bytes + i, &sign, spelled));
        i += sign.len;
    }
}

void html_name(struct html *html, const char *bytes, size_t len)
{
    put_text(html, bytes, len, false);
}

void html_sentence(struct html *html, const char *text)
{
    put_text(html, text, strlen(text), true);
}

void html_isolated(struct html *html, const char *bytes, size_t len, size_t most)
{
    CLEANUP_FREE char *text = text_escape(bytes, len);

    html_put(html, "<bdi>");
    if (text != NULL) {
        text_shorten(text, most);
        html_sentence(html, text);
    } else {
        html_put(html, "?");
    }
    html_put(html, "</bdi>");
}

/* ---- a time ---- */

void html_time(struct html *html, const char *words, double seconds, double percent,
               const char *colour)
{
    html_format(
        html,
        "<dt>%s</dt><dd><svg class=\"bar\" width=\"100%%\" height=\"18\" aria-hidden=\"true\">"
        "<rect class=\"track\" width=\"100%%\" height=\"100%%\" rx=\"3\"/>"
        "<rect class=\"%s\" width=\"%.2f%%\" height=\"100%%\" rx=\"3\"/></svg></dd>"
        "<dd class=\"value\">%s</dd>\n",
        words, colour, percent, render_number_duration(seconds));
}

/* ---- numbers ---- */

const char *html_mean(struct opt_f64 bytes)
{
    if (!bytes.known)
        return "-";
    return render_number_size(render_number_rounded(bytes.value));
}

const char *html_percent(double share)
{
    static char ring[RENDER_NUMBER_RING][SIZE_TEXT_MAX];
    static unsigned next;
    char *text = ring[next++ % RENDER_NUMBER_RING];

    if (share > 0 && share < 0.001)
        strcpy(text, "under 0.1 %");
    else
        snprintf(text, SIZE_TEXT_MAX, "%.1f %%", 100 * share);
    return text;
}

const char *html_exact(uint64_t bytes)
{
    static char ring[RENDER_NUMBER_RING][SIZE_TEXT_MAX];
    static unsigned next;
    char *text = ring[next++ % RENDER_NUMBER_RING];
    unsigned unit = 0;

    while (bytes > 0 && bytes % 1024 == 0 && unit < 4) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, SIZE_TEXT_MAX, "%" PRIu64 "%.1s", bytes, &"\0KMGT"[unit]);
    return text;
}
