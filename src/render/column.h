/* SPDX-License-Identifier: MIT */
/*
 * The one table of columns: --columns, --help, the table and the CSV output all read it. To add a
 * figure, add a line here.
 */
#ifndef RENDER_COLUMN_H
#define RENDER_COLUMN_H

#include "report.h"

#include <stdbool.h>
#include <stddef.h>

enum render_type {
    RENDER_TEXT,
    RENDER_COUNT,
    RENDER_BYTES,
    RENDER_MEAN_BYTES, /* a double */
    RENDER_RATIO,      /* a double; people see it as a percentage */
    RENDER_FACTOR,     /* a double of one or more */
    RENDER_SECONDS,    /* a double */
};

/* When a column is in the table. */
enum render_when {
    RENDER_BY_DEFAULT,
    RENDER_IF_ASKED,
    RENDER_WITH_SPACE, /* likewise, and known only if who owns the clusters was asked for */
};

/* One cell. Text is borrowed from the report. */
struct render_value {
    bool known;
    const char *text;
    size_t text_len;
    uint64_t integer; /* RENDER_COUNT, RENDER_BYTES */
    double real;      /* the others */
};

struct render_column {
    const char *name; /* as the user writes it, in upper case */
    enum render_type type;
    enum render_when when;
    const char *help;
    /* @table is NULL when the image could not be measured. */
    struct render_value (*value)(const struct report_image *image,
                                 const struct report_table *table);
};

/* Room for every column and for those that a user lists, some of them twice. */
#define RENDER_COLUMNS_MAX 80

extern const struct render_column render_columns[];
extern const size_t render_n_columns;

/* Upper and lower case are the same. NULL: there is no such column. */
const struct render_column *render_column_find(const char *name, size_t len);

#endif
