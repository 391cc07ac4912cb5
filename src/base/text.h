/* SPDX-License-Identifier: MIT */
/*
 * Hostile text: names from inside an image, or from a directory, on their way to a terminal or
 * into JSON. Lengths are in bytes; the input need not end in a NUL and may contain some.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What a text begins with: a character, or a byte that is none. */
struct text_sign {
    size_t len;    /* in bytes: 1 if it is not valid */
    uint32_t code; /* of a valid one */
    bool valid;    /* well-formed UTF-8 */
    bool control;  /* moves the cursor, changes colours, reorders or breaks the line */
};

/* @len is at least 1. For those who escape in their own way, or without memory of their own. */
struct text_sign text_first(const char *bytes, size_t len);

/*
 * For a terminal or a log line: control characters, the backslash and bytes that are not UTF-8
 * become \xNN; the rest stays. Returns a new string (free it), or NULL without memory.
 */
char *text_escape(const char *bytes, size_t len);

/* The same right to a stream, without memory. */
void text_print(FILE *stream, const char *bytes, size_t len);

/* And for one sign, which begins @bytes: returns how many bytes of @spelled it takes. */
#define TEXT_SPELLED_MAX 17 /* four bytes as \xNN, and the NUL of sprintf */
size_t text_spell(const char *bytes, const struct text_sign *sign, char spelled[TEXT_SPELLED_MAX]);

/*
 * For a message that holds texts of the user or names: one line, with control characters and bytes
 * that are not UTF-8 as \xNN. Backslashes stay, since parts of it may be escaped already.
 */
void text_print_line(FILE *stream, const char *text);

/*
 * Is all that text_escape would change an ASCII control character, or no UTF-8? That much a
 * program that prints tables makes visible by itself.
 */
bool text_is_plain(const char *bytes, size_t len);

/*
 * One word of a shell's command line that stands for just these bytes, and is safe to show: bare,
 * in single quotes, or, with bytes that text_escape would change, as $'...'. Returns a new string
 * (free it), or NULL without memory.
 */
char *text_shell_word(const char *text);

/* Shortens @text to at most @max + 3 bytes by "..." in its middle, between characters. */
void text_shorten(char *text, size_t max);

#endif
