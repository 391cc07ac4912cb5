/* SPDX-License-Identifier: MIT */
/*
 * An image with all that it needs from other files: its backing files, theirs, and external data
 * files. Names inside images are hostile: only regular files and block devices are opened, read
 * only and without waiting, formats are never guessed, and of a raw file no byte is read.
 *
 * This is where files get their numbers: 0 is the image, then its external data file if it has one,
 * then its backing file, that one's data file, and so on down. Batches, meters and lists mean
 * these.
 */
#ifndef FORMAT_CHAIN_H
#define FORMAT_CHAIN_H

#include "header.h"
#include "io.h"

#include <stddef.h>
#include <stdint.h>

struct err;

/* Longer chains are refused. QEMU opens such a chain in some seconds, and ever longer ones in ever
 * more: nobody has one. */
#define FORMAT_CHAIN_LAYERS_MAX 1000

enum format_layer_kind { FORMAT_LAYER_QCOW2, FORMAT_LAYER_RAW };

/* One image of a chain. Layer 0 is the image itself; a layer's number is its depth. */
struct format_layer {
    enum format_layer_kind kind;
    uint64_t file_bytes;         /* of the image file */
    uint64_t virtual_bytes;      /* raw: of the file, in whole sectors, as QEMU has it */
    struct format_header header; /* qcow2 only */
    uint32_t image_file;         /* the number of the image file, */
    uint32_t data_file;          /* and of the one that holds the guest's data: mostly the same */
};

struct format_file {
    char *path; /* as it was opened; never NULL */
    struct io *io;
    uint32_t layer;
};

struct format_chain {
    struct format_layer *layers;
    size_t n_layers, cap_layers;
    struct format_file *files; /* by their numbers */
    size_t n_files, cap_files;
};

/*
 * Opens all that the image under @io, called @path, is built on. Borrows @io until
 * format_chain_close, which closes all but that one. Ends: each file occurs once as an image, and
 * there are at most FORMAT_CHAIN_LAYERS_MAX. On failure there is nothing to release.
 */
int format_chain_open(struct io *io, const char *path, struct format_chain *chain, struct err *err);

void format_chain_close(struct format_chain *chain);

/*
 * No result is to replace the files that the image called @path names, whether they are opened or
 * not. They are not opened here.
 */
int format_chain_spare_named(const struct format_header *header, const char *path, struct err *err);

/*
 * Who uses the chain: held, if somebody has the image open or may be writing to any file; written
 * and in_flux, if that is so of any file.
 */
struct io_users format_chain_users(const struct format_chain *chain);

#endif
