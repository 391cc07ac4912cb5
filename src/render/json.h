/* SPDX-License-Identifier: MIT */
/* Small helpers over json-c, for all that prints JSON. Each returns a new object (or null). */
#ifndef RENDER_JSON_H
#define RENDER_JSON_H

#include "opt.h"

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_REAL_TEXT_MAX 32

/* The shortest decimal that reads back as the same double; never in a locale's spelling. */
void json_real_text(char digits[JSON_REAL_TEXT_MAX], double value);
struct json_object *json_real(double value);
struct json_object *json_opt_real(struct opt_f64 value);
struct json_object *json_count(uint64_t value);
struct json_object *json_opt_count(struct opt_u64 value);

/* NULL becomes null; bytes that are not UTF-8 become U+FFFD. */
struct json_object *json_text(const char *bytes, size_t len);

#endif
