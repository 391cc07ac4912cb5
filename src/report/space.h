/* SPDX-License-Identifier: MIT */
/* The figures of --space: who owns the clusters of the file. Definitions: doc/definitions.md. */
#ifndef REPORT_SPACE_H
#define REPORT_SPACE_H

#include <stddef.h>

struct err;
struct format_image;
struct report_image;

/*
 * Fills report->space and adds findings, about the whole file, whatever tables were @chosen (as in
 * choose.h) for the other figures: of these only the damage is told already. The clusters can lie
 * so far apart that nothing is known: then space stays NULL, and a finding says so.
 */
int report_space_measure(struct format_image *image, const size_t *chosen, size_t n_chosen,
                         struct report_image *report, struct err *err);

#endif
