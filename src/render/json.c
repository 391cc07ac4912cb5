// SPDX-License-Identifier: MIT
/* Owns the spelling of JSON: commas, braces, numbers, escapes. Knows no key. */
#include "json.h"

#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INDENT 2

static void break_line(struct json *json)
{
    if (!json->one_line)
        fprintf(json->stream, "\n%*s", (int)(INDENT * json->depth), "");
}

/* What stands before a value. */
static void begin(struct json *json, const char *key)
{
    if (json->filled)
        putc(',', json->stream);
    if (json->depth > 0)
        break_line(json);
    if (key != NULL)
        fprintf(json->stream, "\"%s\":", key);
    json->filled = true;
}

static void open_with(struct json *json, const char *key, char brace)
{
    begin(json, key);
    putc(brace, json->stream);
    json->depth++;
    json->filled = false;
}

static void close_with(struct json *json, char brace)
{
    json->depth--;
    if (json->filled)
        break_line(json);
    putc(brace, json->stream);
    json->filled = true;
}

void json_open_object(struct json *json, const char *key)
{
    open_with(json, key, '{');
}

void json_close_object(struct json *json)
{
    close_with(json, '}');
}

void json_open_array(struct json *json, const char *key)
{
    open_with(json, key, '[');
}

void json_close_array(struct json *json)
{
    close_with(json, ']');
}

void json_null(struct json *json, const char *key)
{
    begin(json, key);
    fputs("null", json->stream);
}

void json_bool(struct json *json, const char *key, bool value)
{
    begin(json, key);
    fputs(value ? "true" : "false", json->stream);
}

void json_opt_bool(struct json *json, const char *key, struct opt_bool value)
{
    if (value.known)
        json_bool(json, key, value.value);
    else
        json_null(json, key);
}

void json_integer(struct json *json, const char *key, int64_t value)
{
    begin(json, key);
    fprintf(json->stream, "%" PRIi64, value);
}

void json_count(struct json *json, const char *key, uint64_t value)
{
    begin(json, key);
    fprintf(json->stream, "%" PRIu64, value);
}

void json_opt_count(struct json *json, const char *key, struct opt_u64 value)
{
    if (value.known)
        json_count(json, key, value.value);
    else
        json_null(json, key);
}

void json_real_text(char digits[JSON_REAL_TEXT_MAX], double value)
{
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, JSON_REAL_TEXT_MAX, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
}

void json_real(struct json *json, const char *key, double value)
{
    char digits[JSON_REAL_TEXT_MAX];

    json_real_text(digits, value);
    begin(json, key);
    fputs(digits, json->stream);
    if (strpbrk(digits, ".e") == NULL) /* a double stays one: 1.0, not 1 */
        fputs(".0", json->stream);
}

void json_opt_real(struct json *json, const char *key, struct opt_f64 value)
{
    if (value.known)
        json_real(json, key, value.value);
    else
        json_null(json, key);
}

/* All characters that text_first calls a control lie below U+10000: one \u is enough. */
static void put_control(FILE *stream, uint32_t code)
{
    static const char codes[] = "\b\f\n\r\t", letters[] = "bfnrt";
    const char *found = code < 0x20 ? strchr(codes, (int)code) : NULL;

    if (found != NULL)
        fprintf(stream, "\\%c", letters[found - codes]);
    else
        fprintf(stream, "\\u%04" PRIx32, code);
}

void json_text(struct json *json, const char *key, const char *bytes, size_t len)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

    if (bytes == NULL) {
        json_null(json, key);
        return;
    }
    begin(json, key);
    putc('"', json->stream);
    for (size_t i = 0; i < len;) {
        struct text_sign sign = text_first(bytes + i, len - i);

        if (!sign.valid || sign.code == 0)
            fputs(replacement, json->stream);
        else if (sign.control || (json->in_html && sign.code == '<'))
            put_control(json->stream, sign.code);
        else if (sign.code == '"' || sign.code == '\\')
            fprintf(json->stream, "\\%c", (char)sign.code);
        else
            fwrite(bytes + i, 1, sign.len, json->stream);
        i += sign.len;
    }
    putc('"', json->stream);
}

void json_string(struct json *json, const char *key, const char *string)
{
    json_text(json, key, string, string != NULL ? strlen(string) : 0);
}
