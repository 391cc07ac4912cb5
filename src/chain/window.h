/* SPDX-License-Identifier: MIT */
/*
 * A window of the guest disk, seen through all layers of a chain: who holds which range of it, the
 * topmost layer that has it, data or zeros.
 *
 * Damaged entries map nothing, but hide what is below them: the guest gets an error there, not the
 * data of another image.
 */
#ifndef CHAIN_WINDOW_H
#define CHAIN_WINDOW_H

#include "batch.h"
#include "counts.h"
#include "gaps.h"
#include "holes.h"
#include "layers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* What a range is: an enum piece_kind, or this: no range, but the read of a slice of an L2 table,
 * @begin is its host offset and @end that behind it. It comes before what it maps. Slices that lie
 * in a hole of the file map nothing; where there are very many of them it is the read of several
 * that follow one another, as if nobody read in between (see visit_tables.c). */
#define CHAIN_RANGE_L2 0x80u
/* Or this: no range, but a place where a lookup of the layer ends. With subclusters QEMU looks no
 * further than clusters follow on, also where it only finds that nothing of them is held. It comes
 * before what begins there; whether both sides are open to the layers below is not looked at. */
#define CHAIN_RANGE_CUT 0x81u

struct chain_range {
    uint64_t guest_off;
    uint64_t guest_bytes;
    uint64_t begin, end; /* host offsets; a part of a compressed cluster has all of its blob */
    uint32_t slack;      /* see batch.h */
    uint16_t layer;
    uint8_t kind;
};

struct chain_window {
    const struct chain_layers *layers;
    bool zeros; /* ranges of zeros are wanted as well; those of a raw layer always are */
    struct err *err;

    struct chain_gaps gaps;
    struct chain_range *ranges; /* the result, in guest order */
    size_t n_ranges, cap_ranges;
    struct piece_counts counts; /* of the visible entries: compressed, zero, corrupt */

    /* Below, for window.c and visit*.c alone. */
    struct chain_range *merged;
    size_t cap_merged;
    size_t *starts; /* [layers]: where the ranges of each begin */
    size_t n_starts;
    struct chain_window_layer *memory; /* [layers] */
    struct chain_window_layer *before; /* as it was when the window began */
    struct io_holes *holes;            /* [layers]: of their files */
    uint32_t n_empty, n_empty_before;  /* slices in holes that were told one by one */
    uint64_t begin, end;
    struct chain_window_l1 *l1; /* [layers] */
    unsigned char *l1_bytes;    /* of them: l1_entries for each */
    uint32_t l1_entries;
    unsigned char *l2; /* a buffer */
};

/* NULL without memory. */
struct chain_window *chain_window_new(const struct chain_layers *layers, bool zeros);
void chain_window_free(struct chain_window *window);

/* Forgets what was read last: another part of the disk begins. */
void chain_window_forget(struct chain_window *window);

/*
 * Composes [begin, end), which begins behind the windows before it. Returns 1; 0 if it comes to
 * more than @most ranges, and nothing has happened; or -errno.
 */
int chain_window_compose(struct chain_window *window, uint64_t begin, uint64_t end, size_t most,
                         struct err *err);

#endif
