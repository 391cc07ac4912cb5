/* SPDX-License-Identifier: MIT */
/* Writes what was gathered into the new file, and takes the hashes of its blocks. */
#ifndef DEFRAG_LAY_H
#define DEFRAG_LAY_H

#include "crew.h"

#include <stdatomic.h>
#include <stdint.h>

struct io;
struct store_new_file;

struct defrag_hash {
    uint64_t low, high; /* XXH3, 128 bits; both 0: the block is zeros */
};

struct defrag_lay {
    struct io *source, *planned;
    struct store_new_file *file;
    struct defrag_hash *hashes; /* of all blocks, zeros at first; NULL: none are wanted */
    _Atomic uint64_t written_bytes;
};

/*
 * A share of a window for a crew; @context is a struct defrag_lay. The window's parts are sorted by
 * at. A hole is left only where the bytes are zeros and the source has a hole, too.
 */
int defrag_lay(void *context, const struct defrag_window *window, uint64_t begin, uint64_t end,
               struct err *err);

struct defrag_hash defrag_hash_of(const void *block, size_t bytes);

#endif
