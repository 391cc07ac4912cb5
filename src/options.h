/* SPDX-License-Identifier: MIT */
/* The command line, as what it asks for. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "column.h"
#include "limit.h"
#include "measure.h"
#include "options_specs.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

/* What to do before any command. */
enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

enum options_format {
    OPTIONS_TEXT,
    OPTIONS_JSON,
    OPTIONS_CSV,
    OPTIONS_PROMETHEUS,
    OPTIONS_NAGIOS,
};

enum options_progress { OPTIONS_PROGRESS_AUTO, OPTIONS_PROGRESS_NEVER, OPTIONS_PROGRESS_ALWAYS };

/* In the order of their words. */
enum options_color {
    OPTIONS_COLOR_AUTO,
    OPTIONS_COLOR_NEVER,
    OPTIONS_COLOR_ALWAYS,
    OPTIONS_COLOR_16,
    OPTIONS_COLOR_256,
    OPTIONS_COLOR_TRUE,
};

struct options {
    enum options_action action;
    enum options_command command;
    enum options_command help; /* what OPTIONS_HELP is about; OPTIONS_NO_COMMAND: everything */
    enum options_format format;
    enum options_progress progress;
    enum report_device device;
    int threads;              /* at least 1; 0: as many as there are processors */
    unsigned timeout_seconds; /* of who is asked: a remote image, or libvirt */
    bool bytes;
    bool noheadings;
    bool quiet;
    bool verbose;
    bool histogram;
    bool space;
    bool list;
    bool by_host, end_to_end, ascii;
    enum options_color color;
    unsigned width, height; /* of a picture; 0: not given */
    bool no_host;
    bool all_snapshots;
    bool chain;
    bool one_file_system;
    bool asked_by_name; /* "help", not --help */
    bool overwrite, dry_run, force, no_verify, trim, reserve, clear_unknown_autoclear;
    bool break_hard_links, skip_in_use, has_if_score, has_if_slowdown;
    double if_score, if_slowdown; /* a fraction, a factor */
    uint64_t max_seconds;         /* 0: without end */
    const char *keep_suffix;      /* NULL: the original goes */
    const char *report;           /* where the page of a rewrite goes; NULL: there is none */
    const char *check_command;    /* NULL: none */
    uint64_t memory_bytes;        /* 0: not given */
    uint64_t rate;                /* bytes a second; 0: no limit */
    const char *output;           /* borrowed from argv, as all texts here; NULL: standard output */
    const char **snapshots;
    size_t n_snapshots, cap_snapshots;
    const struct render_column *columns[RENDER_COLUMNS_MAX];
    size_t n_columns;
    const struct render_column *sort; /* NULL: not asked for */
    bool sort_reversed;
    bool has_range;
    struct tables_span range; /* of the guest disk */
    struct report_limit limits[REPORT_N_LIMITS];
    const char *files_from;  /* a list of names; NULL: none */
    bool libvirt;            /* the disks of its domains, */
    const char *libvirt_uri; /* asked there; NULL: where it looks by itself */
    int top;                 /* so many of the worst images are shown; 0: all */
    const char **paths;
    size_t n_paths, cap_paths;
};

/* Returns 0, or -EINVAL with a message. Release with options_free, also on failure. */
int options_parse(int argc, char **argv, struct options *options, struct err *err);
void options_free(struct options *options);

#endif
