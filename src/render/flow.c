// SPDX-License-Identifier: MIT
/*
 * Owns where lines break. A word that is longer than the line stays whole, and so do a number and
 * its unit.
 */
#include "flow.h"

#include "duration.h"
#include "size.h"
#include "vec.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct flow {
    FILE *to;
    size_t width;
    char *line; /* what has come of a line that has not ended */
    size_t n_line, cap_line;
    bool failed; /* without memory a part of the text is lost */
};

/* Characters, not bytes: UTF-8 has one byte in each that continues none. */
static size_t columns_of(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

static bool is_unit(const char *word, size_t len)
{
    while (len > 0 && strchr(",;:.)", word[len - 1]) != NULL)
        len--;
    return (len == 1 && word[0] == '%') || size_is_unit(word, len) || duration_is_unit(word, len);
}

/* The length of what must stay together from @text on: a word, or a number with its unit. */
static size_t unbroken(const char *text, const char *end)
{
    const char *word = text, *next;

    while (word < end && *word != ' ')
        word++;
    if (word == text || word + 1 >= end || !isdigit((unsigned char)word[-1]) || word[1] == ' ')
        return (size_t)(word - text);
    for (next = word + 1; next < end && *next != ' ';)
        next++;
    return is_unit(word + 1, (size_t)(next - word - 1)) ? (size_t)(next - text)
                                                        : (size_t)(word - text);
}

/* @text begins in the column @column, and so do its further lines, where that leaves them room. */
static void print_broken(FILE *to, const char *text, const char *end, size_t column, size_t width)
{
    const size_t indent = column <= width * 2 / 3 ? column : 4;

    while (text < end) {
        size_t blanks = strspn(text, " "), len, wide;

        if (blanks > (size_t)(end - text)) /* a caller's line ends in a newline: it does not */
            blanks = (size_t)(end - text);
        len = unbroken(text + blanks, end);
        wide = columns_of(text + blanks, len);
        if (column + blanks + wide > width && len > 0 && column > indent) {
            fprintf(to, "\n%*s", (int)indent, "");
            column = indent;
        } else {
            fprintf(to, "%*s", (int)blanks, "");
            column += blanks;
        }
        fwrite(text + blanks, 1, len, to);
        column += wide;
        text += blanks + len;
    }
    putc('\n', to);
}

/* Prints the line, which ends in a newline. Its only mark, if any, is the first. */
static void print_line(const struct flow *flow)
{
    const char *end = flow->line + flow->n_line - 1;
    size_t before = 0, width = flow->width;

    while (flow->line + before < end && flow->line[before] != RENDER_FIGURE[0] &&
           flow->line[before] != RENDER_PROSE[0])
        before++;
    fwrite(flow->line, 1, before, flow->to);
    if (flow->line + before == end) {
        putc('\n', flow->to);
        return;
    }
    if (flow->line[before] == RENDER_PROSE[0] && width > RENDER_PROSE_MAX)
        width = RENDER_PROSE_MAX;
    print_broken(flow->to, flow->line + before + 1, end, columns_of(flow->line, before), width);
}

static ssize_t take(void *context, const char *bytes, size_t len)
{
    struct flow *flow = context;

    for (size_t i = 0; i < len; i++) {
        if (vec_reserve(flow, line) < 0) {
            flow->failed = true;
            return 0; /* to stdio a failure, which fclose does not tell by itself */
        }
        flow->line[flow->n_line++] = bytes[i];
        if (bytes[i] == '\n') {
            print_line(flow);
            flow->n_line = 0;
        }
    }
    return (ssize_t)len;
}

static int finish(void *context)
{
    struct flow *flow = context;
    bool failed = flow->failed;

    fwrite(flow->line, 1, flow->n_line, flow->to);
    free(flow->line);
    free(flow);
    return failed ? -1 : 0;
}

FILE *render_flow_open(FILE *to, unsigned width)
{
    struct flow *flow = calloc(1, sizeof(*flow));
    FILE *stream = NULL;

    if (flow == NULL)
        return NULL;
    flow->to = to;
    flow->width = width == 0 ? SIZE_MAX : width < RENDER_WIDTH_MIN ? RENDER_WIDTH_MIN : width;
    stream = fopencookie(flow, "w", (cookie_io_functions_t){.write = take, .close = finish});
    if (stream == NULL)
        free(flow);
    return stream;
}
