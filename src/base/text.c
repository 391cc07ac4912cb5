// SPDX-License-Identifier: MIT
/* Owns the decision which bytes are safe to show. Never trusts a length inside the text. */
#include "text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/*
 * The length of the well-formed UTF-8 sequence at @p (Unicode 15, table 3-7: no overlong forms, no
 * surrogates, nothing above U+10FFFF), or 0. @code receives the character.
 */
static size_t utf8_sequence(const unsigned char *p, size_t len, uint32_t *code)
{
    size_t need = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (need == 0 || p[0] > 0xf4 || need > len)
        return 0;
    for (size_t i = 1; i < need; i++)
        if (!continuation(p[i]))
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;

    *code = need == 1 ? p[0] : p[0] & (0xffu >> (need + 1));
    for (size_t i = 1; i < need; i++)
        *code = *code << 6 | (p[i] & 0x3fu);
    return need;
}

/*
 * Characters that move the cursor, change colours or reorder the line: C0, DEL and C1 controls,
 * the bidirectional overrides and isolates, the line and paragraph separators.
 */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c ||
           (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

struct text_sign text_first(const char *bytes, size_t len)
{
    struct text_sign sign = {.len = 1};
    size_t n = utf8_sequence((const unsigned char *)bytes, len, &sign.code);

    if (n > 0) {
        sign.len = n;
        sign.valid = true;
        sign.control = is_control(sign.code);
    }
    return sign;
}

static size_t spell(const char *bytes, const struct text_sign *sign, bool escape_backslash,
                    char spelled[TEXT_SPELLED_MAX])
{
    bool plain = sign->valid && !sign->control && (sign->code != '\\' || !escape_backslash);
    char *out = spelled;

    if (plain)
        out = mempcpy(out, bytes, sign->len);
    for (size_t i = 0; !plain && i < sign->len; i++)
        out += sprintf(out, "\\x%02x", (unsigned char)bytes[i]);
    return (size_t)(out - spelled);
}

size_t text_spell(const char *bytes, const struct text_sign *sign, char spelled[TEXT_SPELLED_MAX])
{
    return spell(bytes, sign, true, spelled);
}

char *text_escape(const char *bytes, size_t len)
{
    char *text = malloc(4 * len + 1); /* at worst \xNN for every byte */
    char *out = text;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < len;) {
        struct text_sign sign = text_first(bytes + i, len - i);
        char spelled[TEXT_SPELLED_MAX];

        out = mempcpy(out, spelled, text_spell(bytes + i, &sign, spelled));
        i += sign.len;
    }
    *out = '\0';
    return text;
}

void text_print(FILE *stream, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        struct text_sign sign = text_first(bytes + i, len - i);
        char spelled[TEXT_SPELLED_MAX];

        fwrite(spelled, 1, text_spell(bytes + i, &sign, spelled), stream);
        i += sign.len;
    }
}

void text_print_line(FILE *stream, const char *text)
{
    for (size_t i = 0, len = strlen(text); i < len;) {
        struct text_sign sign = text_first(text + i, len - i);
        char spelled[TEXT_SPELLED_MAX];

        fwrite(spelled, 1, spell(text + i, &sign, false, spelled), stream);
        i += sign.len;
    }
}

bool text_is_plain(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        struct text_sign sign = text_first(bytes + i, len - i);

        if (sign.control && (sign.code == 0 || sign.code >= 0x80))
            return false;
        i += sign.len;
    }
    return true;
}

static bool is_bare(const char *text)
{
    size_t safe = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "_@%+=:,./-");

    return safe > 0 && text[safe] == '\0';
}

/* @text with each quote (and, in $'...', nothing else: it is escaped) as the shell wants it. */
static char *quote(const char *open, const char *text, const char *for_quote)
{
    char *word = malloc(strlen(open) + strlen(for_quote) * strlen(text) + 2);
    char *out = word;

    if (word == NULL)
        return NULL;
    out = stpcpy(out, open);
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            out = stpcpy(out, for_quote);
        else
            *out++ = *text;
    }
    strcpy(out, "'");
    return word;
}

char *text_shell_word(const char *text)
{
    char *escaped, *word;

    if (is_bare(text))
        return strdup(text);
    escaped = text_escape(text, strlen(text));
    if (escaped == NULL)
        return NULL;
    /* \xNN is what $'...' of a shell understands, too. */
    word = strcmp(escaped, text) == 0 ? quote("'", text, "'\\''") : quote("$'", escaped, "\\'");
    free(escaped);
    return word;
}

void text_shorten(char *text, size_t max)
{
    size_t len = strlen(text), head = max / 2, tail = len - max / 2;

    if (len <= max + 3) /* it would not become shorter */
        return;
    while (head > 0 && continuation((unsigned char)text[head]))
        head--;
    while (tail < len && continuation((unsigned char)text[tail]))
        tail++;
    memmove(text + head, "...", 3);
    memmove(text + head + 3, text + tail, len - tail + 1);
}
