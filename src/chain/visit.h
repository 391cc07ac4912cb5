/* SPDX-License-Identifier: MIT */
/*
 * One layer of a chain as a window sees it: its tables are read where something is open above them,
 * and what it has becomes ranges of the window. For window.c, which goes from layer to layer.
 */
#ifndef CHAIN_VISIT_H
#define CHAIN_VISIT_H

#include "entry.h"
#include "layers.h"
#include "window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAIN_VISIT_L2_BYTES 65536u /* of chain_window.l2 */
#define CHAIN_VISIT_NOTHING UINT64_MAX
#define CHAIN_VISIT_FULL 1 /* too many ranges: neither 0 nor an error */

/* What is remembered of a layer from window to window. */
struct chain_window_layer {
    uint64_t slice;      /* host offset of the slice read last, or CHAIN_VISIT_NOTHING */
    uint64_t damaged;    /* L1 index of the damaged entry counted last, or CHAIN_VISIT_NOTHING */
    uint64_t file_bytes; /* the file may grow under us */
    /* With subclusters, the last cluster that was looked at: its end on the guest disk, if the part
     * before that is not held, or CHAIN_VISIT_NOTHING; and where its host cluster ends. */
    uint64_t tail, tail_host;
    uint64_t hole_begin, hole_end; /* of the file: where its L1 table was found empty */
};

/* The part of a layer's L1 table that was read last. */
struct chain_window_l1 {
    uint64_t first;
    uint32_t n;
};

struct chain_visit {
    struct chain_window *window;
    const struct chain_layer *layer;
    struct chain_window_layer *memory;
    struct format_entry_rules rules;
    uint16_t number;
    uint64_t end; /* of the window, or of the layer */
    size_t most;  /* ranges */
    bool asked_size;
};

/* All of these return 0, CHAIN_VISIT_FULL, or -errno with the error of the window set. */

/* What the layer has in the window. */
int chain_visit_qcow2(struct chain_visit *visit);
int chain_visit_raw(struct chain_visit *visit);

/* ---- parts of it ---- */

int chain_visit_add(struct chain_visit *visit, struct chain_range range);

/*
 * The layer has @range: what is open of it is the layer's from now on. @hides_only: there is
 * nothing in it. Sets *@visible if any of it was open.
 */
int chain_visit_fill(struct chain_visit *visit, const struct chain_range *range, bool hides_only,
                     bool *visible);

/* Reads of a table (@what: "an L1 table"); behind the end of the file are zeros. */
int chain_visit_read(struct chain_visit *visit, const char *what, uint64_t off, void *buf,
                     size_t len);

/* Is the file longer than it was? Asked once for each stretch of a table that is read. */
bool chain_visit_has_grown(struct chain_visit *visit);

/* The entries [first, end) of the L2 table at @l2_off. Sets *@any if one of them is not 0. */
int chain_visit_entries(struct chain_visit *visit, uint64_t l2_off, uint64_t guest_off,
                        uint32_t first, uint32_t end, bool *any);

/* An entry of an image with subclusters is met: see CHAIN_RANGE_CUT. */
int chain_visit_look_along(struct chain_visit *visit, const struct format_entry *entry,
                           uint64_t guest_off);

/* What follows the last cluster that was looked at is no cluster of the file, or not looked at. */
int chain_visit_end_tail(struct chain_visit *visit);

#endif
