/* SPDX-License-Identifier: MIT */
/* From what the user typed to the tables of an image: the active one and snapshots. */
#ifndef REPORT_CHOOSE_H
#define REPORT_CHOOSE_H

#include <stddef.h>

struct err;
struct format_image;
struct report_choice;
struct tables_span;

/*
 * Sets *@chosen (free it, also on failure) to the tables, indices of snapshots or
 * TABLES_TABLE_ACTIVE (see tables/table.h), in the order of the choice: nothing chosen is the
 * active one. A text that fits no snapshot, or more than one, is an error that lists what there is.
 */
int report_choose(const struct format_image *image, const struct report_choice *choice,
                  size_t **chosen, size_t *n_chosen, struct err *err);

/*
 * A span of the guest disk (NULL: all) that begins behind the end of every table chosen is an
 * error. Of snapshots some may be smaller than others: only a range that none has is a mistake.
 */
int report_choose_span(const struct format_image *image, const struct tables_span *span,
                       const size_t *chosen, size_t n_chosen, struct err *err);

#endif
