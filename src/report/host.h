/* SPDX-License-Identifier: MIT */
/* What is under the file of an image, while its tables are walked. */
#ifndef REPORT_HOST_H
#define REPORT_HOST_H

#include "part.h"
#include "report.h"
#include "stage.h"

#include <stdbool.h>

struct err;
struct format_chain;
struct format_image;
struct host_map;
struct report_choice;
struct piece_counts;

struct report_host_maps {
    struct host_map *owned;
    const struct host_map *map; /* NULL: there is none */
    struct host_map **chain;    /* of the files of a chain, by their numbers */
    size_t n_chain;
    /* The file holds all its data in one piece, from its first byte on: the way over the device is
     * the way through the file, and takes the same time. */
    bool in_one_piece;
    bool has_stage;
    struct piece_stage stage; /* for the maps, unless it would change nothing */
};

/*
 * Looks under the file of @image and fills @host, also with the reason if there is no map. Returns
 * 0 or -ENOMEM. Close in both cases.
 */
int report_host_open(struct format_image *image, const struct report_choice *choice,
                     struct report_host *host, struct report_host_maps *maps, struct err *err);
void report_host_close(struct report_host_maps *maps);

/*
 * From now on, the way over the device is that along @chain: known if each of its files has a map.
 * Each file counts as a region of its own, also if several lie on one device. 0 or -ENOMEM.
 */
int report_host_open_chain(const struct format_chain *chain, const struct report_choice *choice,
                           struct report_host_maps *maps, struct err *err);

/* The meter of the way over the device, borrowed from the set; NULL: it is not known. */
const struct meter *report_host_meter(const struct report_host_maps *maps,
                                      const struct meter_set *set);

/* The figures of that meter. @counts are those of the table. Returns 0 or -ENOMEM. */
int report_host_figures(const struct report_host_maps *maps, const struct meter *meter,
                        const struct piece_counts *counts, struct report_end_to_end *end_to_end);

#endif
