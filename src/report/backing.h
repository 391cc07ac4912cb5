/* SPDX-License-Identifier: MIT */
/*
 * All images of a backing chain, opened, judged one by one, and ready to be walked together. The
 * files of the chain stay open, by their numbers (format/chain.h), for whoever wants to ask the
 * host about them.
 */
#ifndef REPORT_BACKING_H
#define REPORT_BACKING_H

#include "chain.h"
#include "layers.h"
#include "walk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_findings;
struct format_image;
struct meter;
struct report_table;
struct tables_table;

struct report_backing {
    struct format_chain chain;
    struct chain_layers layers;
    struct report_held *held; /* [layers of the chain] */
    size_t n_held;
};

/* Opens what the image under @io, called @path, is built on; see format_chain_open. */
int report_backing_open(struct io *io, const char *path, struct report_backing *backing,
                        struct err *err);
void report_backing_close(struct report_backing *backing);

/*
 * Looks at each image below @top by itself, through its active table. What is found in them is
 * added to @findings, with a place like "backing[1] l2[3][4]".
 */
int report_backing_look(struct report_backing *backing, struct format_image *top,
                        const struct walk_options *options, struct format_findings *findings,
                        struct err *err);

/*
 * From now on, the layers are those of @table of @top. After report_backing_look. What has to be
 * left out along the chain alone is added to the findings of @table.
 */
int report_backing_set_top(struct report_backing *backing, struct format_image *top,
                           struct tables_table *table, struct err *err);

/*
 * Fills in the layers of a table from the meter of its walk along the chain. @alone_bytes: the
 * mapped bytes of the table alone. What is lost in layers below the top goes to the first table.
 */
int report_backing_fill(struct report_backing *backing, const struct meter *meter,
                        uint64_t alone_bytes, struct report_table *filled, struct err *err);

/* Fills in the layers of a table that is a chain by itself: the image has no backing file. */
int report_backing_alone(const struct report_backing *backing, struct report_table *filled,
                         struct err *err);

/* Has an image below the top changed since it was looked at? */
int report_backing_has_changed(const struct report_backing *backing, bool *changed,
                               struct err *err);

#endif
