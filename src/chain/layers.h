/* SPDX-License-Identifier: MIT */
/*
 * What is known of the layers of a backing chain before they are walked together: where the tables
 * of each are, by what rules they are read, how far each reaches, and which of its L2 tables are
 * not to be read. Shared by threads, changed by none during a walk.
 */
#ifndef CHAIN_LAYERS_H
#define CHAIN_LAYERS_H

#include "l2.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct format_image;
struct io;
struct tables_table;

/* L1 entries that name a table which cannot be one, though the entry alone looks sound. */
struct chain_skip {
    uint32_t first, end;
};

/* In all layers together; beyond that a chain is refused. Sound images have none. */
#define CHAIN_SKIPS_MAX (1u << 18)

/*
 * Tables named at several L1 indices are walked so often in all layers together, and then left out.
 * In a sound image each is named once; a hostile one can name one four million times, and a chain
 * can have a thousand of them.
 */
#define CHAIN_REPEATS_MAX 16

struct chain_layer {
    struct io *io; /* of the image file; borrowed */
    bool raw;
    uint16_t image_file, data_file; /* their numbers */
    uint64_t file_bytes;
    uint64_t virtual_bytes;
    /* Guest offset up to which the layer is looked at: where it ends, or one above it does. */
    uint64_t limit;
    /* A data read ends at multiples of this: a power of two. Slices of the layers above count, too,
     * as a request goes down through them. For other borders see requests.h. */
    uint64_t request_bytes;

    uint64_t read_bytes_max; /* see tables_l2_read_bytes_max */

    /* Not of raw layers. */
    struct tables_l2_rules rules;
    uint64_t l1_off;
    uint32_t l1_entries;
    uint64_t l1_span;    /* guest bytes that an L1 entry stands for, */
    uint64_t slice_span; /* and a slice of an L2 table */
    uint64_t l2_bytes;   /* of all its L2 tables, about */
    struct chain_skip *skips;
    size_t n_skips, cap_skips;
    uint32_t n_repeats; /* of the walks of CHAIN_REPEATS_MAX, those in this layer */
};

struct chain_layers {
    struct chain_layer *list; /* [0]: the image itself */
    size_t n_list, cap_list;
    uint64_t virtual_bytes; /* of the disk that the guest sees */
    uint64_t end;           /* of the last cluster of the image on it: the walk ends there */
    uint64_t part_bytes;    /* a walk may be cut at multiples of this */
    uint64_t window_bytes;  /* no cluster lies across multiples of this */
    uint64_t unit_bytes;    /* the smallest cluster or subcluster */
    uint64_t l2_bytes;      /* of the L2 tables of all layers, about */
    size_t n_skips;         /* of all layers, */
    uint32_t n_repeats;     /* and these */
};

/*
 * The image itself, to begin with; chain_layers_set_top must follow before a walk, which looks at
 * its tables. Borrows as chain_layers_add.
 */
int chain_layers_begin(struct chain_layers *layers, struct format_image *image,
                       struct tables_table *table, uint16_t image_file, uint16_t data_file,
                       struct err *err);

/*
 * Adds the next layer below: one table of an opened image. @image and @table are borrowed for the
 * call only, the io of the image for as long as the layers are used. What has to be left out here,
 * though a walk of the image alone does not, is told in the findings of @table. Where @table has
 * been walked and no L2 table overlaps anything, nothing is looked at again.
 */
int chain_layers_add(struct chain_layers *layers, struct format_image *image,
                     struct tables_table *table, uint16_t image_file, uint16_t data_file,
                     struct err *err);

/* Another table of the image itself takes the place of the one that was added first. */
int chain_layers_set_top(struct chain_layers *layers, struct format_image *image,
                         struct tables_table *table, struct err *err);

/* Adds a raw layer: the last one. @virtual_bytes: its length in whole sectors. */
int chain_layers_add_raw(struct chain_layers *layers, struct io *io, uint64_t file_bytes,
                         uint64_t virtual_bytes, uint16_t file, struct err *err);

void chain_layers_free(struct chain_layers *layers);

/* Is the table of this L1 entry not to be read? */
bool chain_layer_skips(const struct chain_layer *layer, uint32_t l1_index);

/*
 * The next stretch of a raw layer from @off on: *@end is where it ends, at most @limit. Data, or a
 * hole (or what is behind the end of the file)? Asks for holes only, reads nothing.
 */
bool chain_layer_raw_data(const struct chain_layer *layer, uint64_t off, uint64_t limit,
                          uint64_t *end);

/* Bytes of data in a raw layer, up to its end. */
uint64_t chain_layer_raw_bytes(const struct chain_layer *layer);

#endif
