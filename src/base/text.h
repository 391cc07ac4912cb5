/* SPDX-License-Identifier: MIT */
/*
 * Hostile text: names from inside an image, or from a directory, on their way to a terminal or
 * into JSON. Lengths are in bytes; the input need not end in a NUL and may contain some.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * For a terminal or a log line: control characters, the backslash and bytes that are not UTF-8
 * become \xNN; the rest stays. Returns a new string (free it), or NULL without memory.
 */
char *text_escape(const char *bytes, size_t len);

/*
 * For a message that holds texts of the user or names: one line, with control characters and bytes
 * that are not UTF-8 as \xNN. Backslashes stay, since parts of it may be escaped already.
 */
char *text_one_line(const char *text);

/*
 * Is all that text_escape would change an ASCII control character, or no UTF-8? That much a
 * program that prints tables makes visible by itself.
 */
bool text_is_plain(const char *bytes, size_t len);

/*
 * For JSON and CSV: each byte that is not part of valid UTF-8, and NUL, becomes U+FFFD.
 * Returns a new string (free it), or NULL without memory.
 */
char *text_to_utf8(const char *bytes, size_t len);

/*
 * One word of a shell's command line that stands for just these bytes, and is safe to show: bare,
 * in single quotes, or, with bytes that text_escape would change, as $'...'. Returns a new string
 * (free it), or NULL without memory.
 */
char *text_shell_word(const char *text);

/* Shortens @text to at most @max + 3 bytes by "..." in its middle, between characters. */
void text_shorten(char *text, size_t max);

#endif
