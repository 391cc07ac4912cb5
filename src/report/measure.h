/* SPDX-License-Identifier: MIT */
/* Measures one image: from a path to a finished report. */
#ifndef REPORT_MEASURE_H
#define REPORT_MEASURE_H

#include "report.h"
#include "walk.h"

#include <stdbool.h>
#include <stddef.h>

/* Which disk to reckon with. */
enum report_device {
    REPORT_DEVICE_AUTO, /* the one that the file lies on, as far as the system tells */
    REPORT_DEVICE_HDD,
    REPORT_DEVICE_SSD,
    REPORT_DEVICE_NVME,
};

struct report_choice {
    const char *const *snapshots; /* texts: an id, a name, "id:ID" or "name:NAME" */
    size_t n_snapshots;
    bool chain; /* along the backing chain; opens the files that the image names */
    enum report_device device;
    bool all_snapshots;                    /* the active state, then every snapshot */
    bool no_host;                          /* do not look under the file */
    const struct host_map *host_map;       /* what is there, borrowed; NULL: the kernel is asked */
    struct host_facts_memory *host_memory; /* of other images, borrowed; NULL: there is none */
    bool space;                            /* also who owns the clusters of the file */
    const struct report_picture_choice *picture; /* also pictures of the first table; NULL: none */
    struct walk_options walk;
};

struct err;
struct host_facts_memory;
struct host_map;
struct report_picture_choice;
struct io;

/*
 * Always fills @image (release it with report_image_free): when the image cannot be measured,
 * error says why, in one line, and the figures are unknown. Opens @path (a file, or a URI) read
 * only, and without --chain nothing else.
 */
void report_measure(const char *path, const struct report_choice *choice,
                    struct report_image *image);

/* The same for an image that is already open. Takes @io (closes it); @path is only its name. */
void report_measure_io(struct io *io, const char *path, const struct report_choice *choice,
                       struct report_image *image);

/* A report that only says why the image could not be opened. */
void report_not_opened(const char *path, const struct err *err, struct report_image *image);

#endif
