/* SPDX-License-Identifier: MIT */
/*
 * Writes the new file from front to back. The source is read a window of the new file at a time,
 * in the order in which the data lie on its disk.
 */
#ifndef DEFRAG_COPY_H
#define DEFRAG_COPY_H

#include "lay.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct defrag_plan;
struct err;
struct io;
struct store_new_file;

#define DEFRAG_MEMORY_MIN (UINT64_C(8) << 20)

/* One for each block of the new file, the last one shorter. Free with free(). */
struct defrag_hashes {
    struct defrag_hash *list;
    size_t n_list;
};

/* What is watched while it goes on, for all that takes long. */
struct defrag_watch {
    /* Asked often; true: stop, as soon as may be. May be NULL. */
    bool (*stop)(void *context);
    /* @done of @all bytes; what: "copied", "verified". May be NULL. */
    void (*progress)(void *context, const char *what, uint64_t done, uint64_t all);
    void *context;
};

/*
 * The disk under the source. On one that spins all memory is one window, which is read to its end
 * before it is written. Else there are several: one is read while others are written.
 */
enum defrag_disk {
    DEFRAG_DISK_FAST,
    DEFRAG_DISK_SPINS,
    DEFRAG_DISK_UNKNOWN /* taken as fast until reads turn out to be slow */
};

struct defrag_copy_options {
    uint64_t memory_bytes; /* of all windows: a multiple of a block */
    enum defrag_disk disk;
    uint64_t rate; /* bytes a second at most; 0: no limit */
    bool hash;
    struct defrag_watch watch;
};

struct defrag_copied {
    uint64_t read_bytes, written_bytes;
    struct defrag_hashes hashes; /* with hash; the caller's to free, also on failure */
};

/*
 * @plan is sorted by where things go, afterwards too; @planned has its metadata, which are in the
 * file already. -EINTR, without an error, if it was told to stop.
 */
int defrag_copy(struct defrag_plan *plan, struct io *source, struct io *planned,
                struct store_new_file *file, const struct defrag_copy_options *options,
                struct defrag_copied *copied, struct err *err);

#endif
