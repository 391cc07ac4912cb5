// SPDX-License-Identifier: MIT
/*
 * Owns the head and the end of a page. Style and script are files of their own, and become a part
 * of the program (html_parts.h) with their hashes: what a page may run is this script alone.
 */
#include "html_frame.h"

#include "html_parts.h"
#include "printed.h"
#include "render.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the head ---- */

static unsigned digit_of(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* A hash in hexadecimal digits, as a policy has it. */
static void put_hash(struct html *html, const char hash[65])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, n_bits = 0;

    html_put(html, "'sha256-");
    for (unsigned i = 0; i < 64; i++) {
        bits = bits << 4 | digit_of(hash[i]);
        n_bits += 4;
        if (n_bits >= 6) {
            n_bits -= 6;
            html_format(html, "%c", digits[bits >> n_bits & 63]);
        }
    }
    html_format(html, "%c='",
                digits[bits << (6 - n_bits) & 63]); /* 256 bits are 42 digits and 4 bits */
}

void html_frame_begin(struct html *html)
{
    html_put(html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "img-src data:; base-uri 'none'; form-action 'none'; style-src ");
    put_hash(html, HTML_STYLE_SHA256);
    html_put(html, "; script-src ");
    put_hash(html, HTML_SCRIPT_SHA256);
    html_put(html, "\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                   "<meta name=\"color-scheme\" content=\"light dark\">\n"
                   "<meta name=\"generator\" content=\"qcow2frag " QCOW2FRAG_VERSION "\">\n"
                   "<link rel=\"icon\" href=\"data:,\">\n"
                   "<title>");
}

void html_frame_body(struct html *html)
{
    html_put(html, "</title>\n<style>");
    html_put(html, HTML_STYLE);
    html_put(html, "</style>\n</head>\n<body>\n"
                   "<a class=\"skip\" href=\"#verdict\">To the verdict</a>\n");
}

/* ---- the header ---- */

#define PATH_SHOWN_MAX 1100

void html_frame_header(struct html *html, const char *const *paths, size_t n, int64_t measured_at)
{
    const time_t when = (time_t)measured_at;
    struct tm tm;
    char text[64];

    html_put(html, "<header>\n<p class=\"path\">");
    for (size_t i = 0; i < n; i++) {
        html_put(html, i > 0 ? " \xe2\x86\x92 " : ""); /* an arrow */
        html_isolated(html, paths[i], strlen(paths[i]), PATH_SHOWN_MAX);
    }
    html_put(html, "</p>\n<p>");
    if (gmtime_r(&when, &tm) != NULL && strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm) > 0)
        html_format(html, "measured %s by ", text);
    html_put(html, "qcow2frag " QCOW2FRAG_VERSION "</p>\n</header>\n"
                   "<nav aria-label=\"Parts of this page\"><ul>\n");
}

void html_frame_link(struct html *html, const char *id, const char *text, bool is_there)
{
    if (is_there)
        html_format(html, "<li><a href=\"#%s\">%s</a></li>\n", id, text);
}

/* ---- parts ---- */

void html_frame_section(struct html *html, const char *id, const char *title, const char *sentence)
{
    html_format(html,
                "<section id=\"%s\" aria-labelledby=\"%s-title\">\n<h2 id=\"%s-title\">%s</h2>\n",
                id, id, id, title);
    if (sentence != NULL)
        html_format(html, "<p>%s</p>\n", sentence);
}

void html_frame_table(struct html *html, const char *caption, const char *class)
{
    html_format(
        html,
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"%s\">\n<table%s%s%s>\n"
        "<caption>%s</caption>\n",
        caption, class != NULL ? " class=\"" : "", class != NULL ? class : "",
        class != NULL ? "\"" : "", caption);
}

void html_frame_table_end(struct html *html)
{
    html_put(html, "</tbody>\n</table>\n</div>\n");
}

char *html_frame_document(const struct render_images *images, size_t most)
{
    struct printed printed;
    FILE *stream = printed_open(&printed);
    size_t len = 0;
    char *text;

    if (stream != NULL)
        render_json_in_html(stream, images);
    text = printed_take(&printed, &len);
    if (len <= most)
        return text;
    free(text);
    return NULL;
}

void html_frame_end(struct html *html)
{
    html_put(
        html,
        "<footer><p>Times come from a model of a common disk: they tell minutes from hours, no "
        "more. How the guest&#39;s own file system lies on its disk no figure says. What each "
        "word means exactly stands in definitions.md of qcow2frag, and in "
        "qcow2frag(1).</p></footer>\n<script>");
    html_put(html, HTML_SCRIPT);
    html_put(html, "</script>\n</body>\n</html>\n");
}
