/* SPDX-License-Identifier: MIT */
/*
 * Writes JSON as it goes: nothing is kept, and no memory is asked for, so a document that was begun
 * is also ended. Whoever writes opens, names and closes in the right order.
 *
 * A @key is for the members of objects: a plain word of ours. NULL: an element of an array, or the
 * outermost value.
 */
#ifndef RENDER_JSON_H
#define RENDER_JSON_H

#include "opt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_REAL_TEXT_MAX 32

struct json {
    FILE *stream;
    bool one_line;  /* no line breaks, no indentation */
    bool in_html;   /* inside a script element, which "<" could end: \u003c instead */
    unsigned depth; /* of what is open */
    bool filled;    /* what is open has a member or an element already */
};

void json_open_object(struct json *json, const char *key);
void json_close_object(struct json *json);
void json_open_array(struct json *json, const char *key);
void json_close_array(struct json *json);

void json_null(struct json *json, const char *key);
void json_bool(struct json *json, const char *key, bool value);
void json_opt_bool(struct json *json, const char *key, struct opt_bool value);
void json_integer(struct json *json, const char *key, int64_t value);
void json_count(struct json *json, const char *key, uint64_t value);
void json_opt_count(struct json *json, const char *key, struct opt_u64 value);
void json_real(struct json *json, const char *key, double value);
void json_opt_real(struct json *json, const char *key, struct opt_f64 value);

/*
 * Text of any kind: NULL becomes null, bytes that are not UTF-8, and NUL, become U+FFFD, and
 * characters that a terminal would obey are written as \uXXXX, which changes nothing of the value.
 */
void json_text(struct json *json, const char *key, const char *bytes, size_t len);
void json_string(struct json *json, const char *key, const char *string);

/* The shortest decimal that reads back as the same double; never in a locale's spelling. */
void json_real_text(char digits[JSON_REAL_TEXT_MAX], double value);

#endif
