// SPDX-License-Identifier: MIT
// One line of a fixture: its words, quoted strings and numbers. Knows nothing of what they mean.

#include "mkqcow2.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// ---- tokens -------------------------------------------------------------------------------

bool line_ended(const struct line *line)
{
    return line->at >= line->n_tokens;
}

const char *line_word(struct line *line, const char *what)
{
    if (line_ended(line))
        die(line->image, line->number, "%s is missing", what);
    return line->tokens[line->at++].bytes;
}

bool line_skip(struct line *line, const char *word)
{
    if (line_ended(line) || strcmp(line->tokens[line->at].bytes, word) != 0)
        return false;
    line->at++;
    return true;
}

struct text line_text_copy(const char *bytes, size_t n_bytes)
{
    struct text text = {get(n_bytes + 1), n_bytes};

    memcpy(text.bytes, bytes, n_bytes);
    text.bytes[n_bytes] = 0;
    return text;
}

struct text line_text(struct line *line, const char *what)
{
    line_word(line, what);
    return line_text_copy(line->tokens[line->at - 1].bytes, line->tokens[line->at - 1].n_bytes);
}

uint64_t line_number(struct line *line, const char *what)
{
    return line_whole(line->image, line->number, line_word(line, what), NULL);
}

uint64_t line_number_in(struct line *line, const char *what, uint64_t low, uint64_t high)
{
    uint64_t value = line_number(line, what);

    if (value < low || value > high)
        die(line->image, line->number, "%s must be %llu to %llu", what, (unsigned long long)low,
            (unsigned long long)high);
    return value;
}

// The exponent of the number given.
unsigned line_power_of_two(struct line *line, const char *what, uint64_t low, uint64_t high)
{
    uint64_t value = line_number_in(line, what, low, high);

    if (value & (value - 1))
        die(line->image, line->number, "%s must be a power of two", what);
    return (unsigned)__builtin_ctzll(value);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// hex "de ad" or text "bytes": a payload.
struct text line_payload(struct line *line)
{
    const char *form = line_word(line, "hex or text");
    struct text text = line_text(line, "the payload");
    size_t n = 0;

    if (strcmp(form, "text") == 0)
        return text;
    if (strcmp(form, "hex") != 0)
        die(line->image, line->number, "expected hex or text, not '%s'", form);
    for (size_t i = 0; i < text.n_bytes; i++) {
        if (text.bytes[i] == ' ')
            continue;
        int high = hex_digit(text.bytes[i]), low = hex_digit(text.bytes[i + 1]);

        if (high < 0 || low < 0)
            die(line->image, line->number, "bad hex digits");
        text.bytes[n++] = (char)(high << 4 | low);
        i++;
    }
    text.n_bytes = n;
    return text;
}

static char unescape(struct line *line, char **from)
{
    char c = *++*from;

    if (c == 'n')
        return '\n';
    if (c == '\\' || c == '"')
        return c;
    if (c == 'x' && hex_digit((*from)[1]) >= 0 && hex_digit((*from)[2]) >= 0) {
        *from += 2;
        return (char)(hex_digit((*from)[-1]) << 4 | hex_digit((*from)[0]));
    }
    die(line->image, line->number, "bad escape in a string: only \\n \\\\ \\\" \\xHH");
}

// One token, in place: returns where to go on. Quotes are dropped and escapes undone.
static char *line_take_token(struct line *line, char *from)
{
    char *to = from, *begin = from;
    bool quoted = false;
    char next;

    for (; *from && (quoted || (!isspace((unsigned char)*from) && *from != '#')); from++) {
        if (*from == '"')
            quoted = !quoted;
        else if (quoted && *from == '\\')
            *to++ = unescape(line, &from);
        else
            *to++ = *from;
    }
    if (quoted)
        die(line->image, line->number, "a string without its closing quote");
    next = *from;
    *to = 0;
    line->tokens[line->n_tokens].bytes = begin;
    line->tokens[line->n_tokens++].n_bytes = (size_t)(to - begin);
    return next && next != '#' ? from + 1 : NULL;
}

void line_split(struct line *line, char *from)
{
    line->n_tokens = line->at = 0;
    while (from) {
        while (isspace((unsigned char)*from))
            from++;
        if (!*from || *from == '#')
            return;
        if (line->n_tokens == LINE_TOKENS)
            die(line->image, line->number, "more than %d words", LINE_TOKENS);
        from = line_take_token(line, from);
    }
}

// ---- numbers ------------------------------------------------------------------------------

static uint64_t shifted(struct image *image, int line, uint64_t value, unsigned bits)
{
    if (bits > 63 || (bits && value >> (64 - bits)))
        die(image, line, "the number does not fit in 64 bits");
    return value << bits;
}

uint64_t line_digits(struct image *image, int line, const char **at)
{
    static const char suffixes[] = "KMGTPE";
    bool hex = (*at)[0] == '0' && (*at)[1] == 'x';
    const char *begin = *at += hex ? 2 : 0, *suffix;
    uint64_t value = 0;

    for (int digit; (digit = hex_digit(**at)) >= 0 && (hex || digit < 10); ++*at)
        if (__builtin_mul_overflow(value, hex ? 16 : 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            die(image, line, "the number does not fit in 64 bits");
    if (*at == begin)
        die(image, line, "a number is expected at '%s'", begin);
    if (!hex && **at && (suffix = strchr(suffixes, **at)) != NULL) {
        ++*at;
        return shifted(image, line, value, 10 * (unsigned)(suffix - suffixes + 1));
    }
    if (!hex && **at == 'c') {
        ++*at;
        return shifted(image, line, value, image->cluster_bits);
    }
    return value;
}

static uint64_t line_term(struct image *image, int line, const char **at, line_symbol *symbol)
{
    uint64_t value;

    if (!isdigit((unsigned char)**at) && symbol && symbol(image, line, at, &value))
        return value;
    value = line_digits(image, line, at);
    if ((*at)[0] == '<' && (*at)[1] == '<') {
        *at += 2;
        value = shifted(image, line, value, (unsigned)line_digits(image, line, at));
    }
    return value;
}

uint64_t line_expression(struct image *image, int line, const char **at, line_symbol *symbol)
{
    uint64_t value = line_term(image, line, at, symbol);

    while (**at == '+' || **at == '-') {
        bool minus = *(*at)++ == '-';
        uint64_t term = line_term(image, line, at, symbol);

        value = minus ? value - term : value + term;
    }
    return value;
}

uint64_t line_whole(struct image *image, int line, const char *text, line_symbol *symbol)
{
    const char *at = text;
    uint64_t value = line_expression(image, line, &at, symbol);

    if (*at)
        die(image, line, "'%s' is not understood after the number in '%s'", at, text);
    return value;
}
