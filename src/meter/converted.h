/* SPDX-License-Identifier: MIT */
/*
 * What `qemu-img convert` would make of the pieces of a walk, and how long reading that takes: each
 * piece goes to the place that it would have in the copy (see layout.h).
 *
 * Whether blobs are to stay blobs is known only at the end of a walk, so there are both layouts,
 * from the first blob on. Like a meter it can be cut and merged, but only at the borders of L2
 * tables.
 */
#ifndef METER_CONVERTED_H
#define METER_CONVERTED_H

#include "layout.h"

#include <stdbool.h>
#include <stdint.h>

struct piece_batch;

struct meter_converted {
    struct meter_layout_shape shape;
    struct meter_layout whole;   /* blobs become clusters */
    struct meter_layout *packed; /* blobs stay blobs, clusters clusters. NULL: there are no blobs */

    /* Data reads that are fewer if blobs become clusters: it is those that go on over the border to
     * or from what is a blob now. */
    uint64_t joined_reads;
    uint64_t read_end; /* guest offset at which the piece before ends, or METER_LAYOUT_NONE */
    bool read_blob;    /* it is a blob */

    int error; /* -ENOMEM, once it has happened */
};

/* NULL without memory. */
struct meter_converted *meter_converted_new(const struct meter_layout_shape *shape);

/* NULL is allowed. */
void meter_converted_free(struct meter_converted *converted);

/* Forgets all pieces. The shape may be changed then. */
void meter_converted_clear(struct meter_converted *converted);

/* The pieces of @batch follow. Those of zero clusters are passed over. */
void meter_converted_take(struct meter_converted *converted, const struct piece_batch *batch);

/* The L2 table ends here. */
void meter_converted_settle(struct meter_converted *converted);

/*
 * As meter_join and meter_add_inner. @right must be settled; it begins with another table than that
 * which @left ends with. Where it lies on the guest disk makes no difference.
 */
void meter_converted_join(struct meter_converted *left, const struct meter_converted *right);
void meter_converted_add_inner(struct meter_converted *left, const struct meter_converted *right,
                               uint64_t times);

/* The layout that convert writes, with -c or without. */
const struct meter_layout *meter_converted_layout(const struct meter_converted *converted,
                                                  bool packed);

/* -ENOMEM if memory ran out at any time, else 0. */
int meter_converted_error(const struct meter_converted *converted);

#endif
