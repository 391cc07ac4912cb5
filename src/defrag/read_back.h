/* SPDX-License-Identifier: MIT */
/* Proves that what is on the device is what was written. */
#ifndef DEFRAG_READ_BACK_H
#define DEFRAG_READ_BACK_H

#include "copy.h"

#include <stdbool.h>

struct defrag_plan;
struct err;
struct io;
struct store_new_file;

struct defrag_read_back {
    const struct store_new_file *file; /* all of it is on the device */
    const struct defrag_hashes *hashes;
    const struct defrag_watch *watch;
    /* What it was made of, to tell the byte: read only where a hash differs. */
    const struct defrag_plan *plan; /* sorted by where things were */
    struct io *source, *planned;
};

/*
 * Reads the file and compares the hash of each block. *@direct: past the page cache. The error
 * tells the first byte that differs in a block that does. -EINTR, without an error, if it was told
 * to stop.
 */
int defrag_read_back(const struct defrag_read_back *read_back, bool *direct, struct err *err);

#endif
