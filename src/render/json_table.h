/* SPDX-License-Identifier: MIT */
/* One table of a report, as each document with tables has it: see qcow2frag-json(5). */
#ifndef RENDER_JSON_TABLE_H
#define RENDER_JSON_TABLE_H

struct json;
struct report_table;

/* As an element of an array, with @key NULL, or as a member. */
void render_json_table(struct json *json, const char *key, const struct report_table *table);

#endif
