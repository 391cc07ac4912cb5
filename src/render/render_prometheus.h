/* SPDX-License-Identifier: MIT */
/*
 * The text format of Prometheus, for node_exporter's textfile collector. The names of metrics and
 * labels are a contract like the keys of the JSON: alert rules and dashboards are built on them.
 */
#ifndef RENDER_RENDER_PROMETHEUS_H
#define RENDER_RENDER_PROMETHEUS_H

#include "render.h"

#include <stdint.h>
#include <stdio.h>

/* What there is to say of a run as a whole. */
struct render_run {
    const struct render_images *all; /* that were measured: more than are shown, perhaps */
    uint64_t search_errors;          /* names, folders and files that could not be looked at */
};

/* One block for each metric, with all its samples. What is not known has no sample. */
int render_prometheus(FILE *stream, const struct render_images *images,
                      const struct render_run *run);

#endif
