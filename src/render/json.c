// SPDX-License-Identifier: MIT
/* Owns the spelling of JSON values. Commas and braces are json-c's. */
#include "json.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_real_text(char digits[JSON_REAL_TEXT_MAX], double value)
{
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, JSON_REAL_TEXT_MAX, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
}

struct json_object *json_real(double value)
{
    char digits[JSON_REAL_TEXT_MAX];

    json_real_text(digits, value);
    if (strpbrk(digits, ".e") == NULL) /* a double stays one: 1.0, not 1 */
        strcat(digits, ".0");
    return json_object_new_double_s(value, digits);
}

struct json_object *json_opt_real(struct opt_f64 value)
{
    return value.known ? json_real(value.value) : NULL;
}

struct json_object *json_count(uint64_t value)
{
    return json_object_new_uint64(value);
}

struct json_object *json_opt_count(struct opt_u64 value)
{
    return value.known ? json_count(value.value) : NULL;
}

struct json_object *json_text(const char *bytes, size_t len)
{
    char *utf8 = bytes != NULL ? text_to_utf8(bytes, len) : NULL;
    struct json_object *object = utf8 != NULL ? json_object_new_string(utf8) : NULL;

    free(utf8);
    return object;
}
