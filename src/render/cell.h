/* SPDX-License-Identifier: MIT */
/* One cell of a table or of CSV as text. */
#ifndef RENDER_CELL_H
#define RENDER_CELL_H

#include "column.h"
#include "render.h"
#include "text.h"

#define RENDER_DIGITS_MAX 32 /* of any number, and its NUL */

/* For people: 12.4 %, 1.1 MiB, names escaped. A new string (free it); NULL: no memory. */
char *render_cell_for_people(const struct render_column *column, struct render_value value,
                             bool bytes);

/* The same for libsmartcols, which escapes control characters itself, and what looks like one. */
char *render_cell_for_table(const struct render_column *column, struct render_value value,
                            bool bytes);

/* For programs, and of all but text: a plain number; an unknown value is empty. */
void render_cell_for_programs(const struct render_column *column, struct render_value value,
                              char digits[RENDER_DIGITS_MAX]);

/*
 * How @sign, with which @bytes begins, is spelled in a name for programs: line breaks and tabs stay,
 * the rest is as in the table, so that no two names are the same. Returns the length.
 */
size_t render_cell_spell(const char *bytes, size_t len, const struct text_sign *sign,
                         char spelled[TEXT_SPELLED_MAX]);

/* The columns chosen, or those shown by default (@all: every one). @list has room for all. */
size_t render_chosen_columns(const struct render_options *options, bool all,
                             const struct render_column **list);

#endif
