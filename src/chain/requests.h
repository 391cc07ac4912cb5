/* SPDX-License-Identifier: MIT */
/*
 * The data reads that QEMU makes along a chain, for requests of 1 MiB.
 *
 * An image looks up how far a request goes on as it begins. What it does not have becomes a request
 * of its own to the image below. So such a request begins where the one above it does, where a
 * slice of a table does, where a lookup has come to the limit of an encrypted image, and where it
 * was cut (see window.h). Give it all ranges of a part, in guest order.
 */
#ifndef CHAIN_REQUESTS_H
#define CHAIN_REQUESTS_H

#include "counts.h"
#include "layers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An encrypted image, and the stretch of the disk that it is looking for below. */
struct chain_lookup {
    uint16_t layer;
    uint64_t bytes_max;
    uint64_t begin, end; /* on the guest disk */
};

struct chain_requests {
    const struct chain_layers *layers;
    struct piece_counts *counts;
    struct chain_lookup *lookups; /* [n_lookups], from the top down */
    size_t n_lookups;
    uint64_t at;        /* all before it is known, */
    size_t owner;       /* and the byte before it is this layer's; layers->n_list: nobody's */
    uint64_t cut_off;   /* the last cut, */
    size_t cut_layer;   /* in the topmost layer that has one there */
    uint64_t host_end;  /* the read under way: where it has come to in its file, */
    uint64_t guest_end; /* and on the disk; UINT64_MAX: there is none */
    uint64_t data_end;  /* the same without holes behind its data */
    uint16_t file;
    uint64_t read_begin, unbroken_begin; /* on the disk; without any break */
};

/* 0 or -ENOMEM. Release with chain_requests_free, also then. */
int chain_requests_init(struct chain_requests *requests, const struct chain_layers *layers);
void chain_requests_free(struct chain_requests *requests);

/* A part begins at @guest_off. Its reads are added to @counts. */
void chain_requests_begin(struct chain_requests *requests, uint64_t guest_off,
                          struct piece_counts *counts);

/* A lookup of @layer ends at @off, if the bytes on either side of it are below. */
void chain_requests_cut(struct chain_requests *requests, uint64_t off, size_t layer);

enum chain_content {
    CHAIN_DATA,
    CHAIN_BLOB,
    CHAIN_BLOB_REST, /* of one whose begin came before */
    CHAIN_ZEROS,     /* not read; but of a raw image, which is read through them */
};

/*
 * @bytes that @layer has; data of its file from @host_off on. Returns how often a blob is read for
 * them.
 */
uint64_t chain_requests_take(struct chain_requests *requests, size_t layer,
                             enum chain_content content, uint64_t guest_off, uint64_t bytes,
                             uint64_t host_off);

#endif
