/* SPDX-License-Identifier: MIT */
/* The list of all runs of one table: what `map --list` prints, one at a time, in guest order. */
#ifndef REPORT_LIST_H
#define REPORT_LIST_H

#include "batch.h"
#include "finding.h"
#include "opt.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct host_map;
struct io;
struct tables_span;

/*
 * A maximal stretch of one kind that lies in one piece on the guest disk, in the file, and on the
 * device as far as that is known. Each compressed cluster is a run of its own, in how many pieces
 * it may lie on the device. Bytes.
 */
struct report_run {
    uint64_t guest_off;
    uint64_t guest_bytes;
    enum piece_kind kind;
    unsigned depth;   /* 0: the image itself */
    const char *file; /* that holds the data; borrowed for the call */
    struct opt_u64 host_off;
    struct opt_u64 host_bytes;
    struct opt_u64 physical_off; /* of the first byte; see qcow2frag(1) */
};

/* How far a list is, and how long it will be. */
struct report_list_progress {
    bool looking;    /* still at the images of a chain, one by one: done is of that */
    double done;     /* part of the guest disk that is listed, 0 .. 1 */
    uint64_t n_runs; /* listed so far, */
    uint64_t whole;  /* and in the end: about, if the rest is like that; */
    bool at_most;    /* or so many have room on the disk, as too little of it is done to tell */
};

struct report_list_choice {
    const char *snapshot;            /* NULL: the active state */
    bool no_host;                    /* do not look under the file: no physical offset is known */
    const struct host_map *host_map; /* what is there, borrowed; NULL: the kernel is asked */
    bool chain; /* along the backing chain; opens the files that the image names */
    const struct tables_span *span; /* the part of the guest disk to list; NULL: all of it */
    /* A negative return value stops the list and is returned. */
    int (*take)(void *context, const struct report_run *run);
    /* Called very often; runs may be held back meanwhile. NULL: nobody asks. */
    void (*progress)(void *context, const struct report_list_progress *progress);
    void *context;
};

/* What there is to say besides the runs. */
struct report_listed {
    struct format_findings findings; /* free them, also on failure */
    bool being_written; /* by whoever has the image in use: the list may be a moment old */
    bool changing;      /* meanwhile: the list mixes states of the image */
};

/*
 * Opens @path read only and calls take for each run. An image that changes meanwhile is listed anew
 * as long as nothing was handed over, so runs come late: when the first of them is, either the
 * image was quiet, or there was no more to be done about it, or the list is very long.
 */
int report_list(const char *path, const struct report_list_choice *choice,
                struct report_listed *listed, struct err *err);

/* The same for an image that is already open. Takes @io (closes it); @path is only its name. */
int report_list_io(struct io *io, const char *path, const struct report_list_choice *choice,
                   struct report_listed *listed, struct err *err);

const char *report_kind_name(enum piece_kind kind);

#endif
