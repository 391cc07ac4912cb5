/* SPDX-License-Identifier: MIT */
/*
 * Proves a new image before it gets its name: what is on the device is what was written, and what
 * was written is the source in another order.
 */
#ifndef DEFRAG_VERIFY_H
#define DEFRAG_VERIFY_H

#include "copy.h"

#include <stdbool.h>

struct defrag_plan;
struct err;
struct format_image;
struct io;
struct store_new_file;

/*
 * Reads the file back and compares the hash of each block. *@direct: past the page cache. -EINTR,
 * without an error, if it was told to stop. The error tells the first byte that differs, as far as
 * it can be found: by reading @planned and the source anew.
 */
int defrag_verify_bytes(const struct store_new_file *file, uint64_t file_bytes,
                        const struct defrag_hashes *hashes, const struct defrag_watch *watch,
                        bool *direct, struct err *err);

/*
 * Walks the active table and that of each snapshot in both images: each guest cluster has the same
 * kind, and lies where @plan (sorted by where things were) says. And the refcounts of the new one
 * are right to the last cluster.
 */
int defrag_verify_mapping(const struct defrag_plan *plan, struct format_image *source,
                          struct io *written, struct err *err);

#endif
