/* SPDX-License-Identifier: MIT */
/*
 * Rewrites an image in order: into a new file, which has its name only when it is proven. The
 * source is only read. What is planned can be read, and so measured, before anything is written.
 */
#ifndef DEFRAG_DEFRAG_H
#define DEFRAG_DEFRAG_H

#include "attributes.h"
#include "copy.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct io;
struct store_original;

enum defrag_verified { DEFRAG_NOT_VERIFIED, DEFRAG_CACHED, DEFRAG_DIRECT };

struct defrag_options {
    bool trim;                    /* clusters that are all zeros become zero entries */
    bool reserve;                 /* each guest cluster gets a place of its own */
    bool leaks;                   /* there are clusters that nothing known refers to */
    bool clear_unknown_autoclear; /* feature bits that nobody here knows are cleared */
    struct defrag_watch watch;
};

struct defrag;

/*
 * Makes the plan. @source is borrowed until defrag_free; the image in it has been measured, and is
 * neither in use nor damaged, but perhaps marked as such. The error says why it cannot be
 * rewritten, and what can be done.
 */
int defrag_new(struct io *source, const struct defrag_options *options, struct defrag **defrag,
               struct err *err);
void defrag_free(struct defrag *defrag);

/* The planned image, to be measured; closed by whoever opens it, before defrag_free. */
int defrag_open_planned(const struct defrag *defrag, struct io **planned, struct err *err);

uint64_t defrag_file_bytes(const struct defrag *defrag);  /* of the new file */
uint64_t defrag_moved_bytes(const struct defrag *defrag); /* of data */

/* What the new file takes of the disk, about: holes of the source stay holes. */
uint64_t defrag_needed_bytes(struct defrag *defrag);

struct defrag_write_options {
    const struct store_original *original; /* what it replaces; NULL: it is a second file, */
    const char *path;                      /* of this name */
    bool overwrite;
    int like; /* see new_file.h */
    bool verify;
    bool room_unchecked;         /* go on until there is none left */
    uint64_t memory_bytes, rate; /* see copy.h */
    enum defrag_disk disk;
    struct defrag_watch watch;
    /* The last word before the file gets its name: it may be read as @path. NULL: nobody has it.
     * 0 or -errno. */
    int (*prove)(void *context, const char *path, struct err *err);
    void *context;
};

struct defrag_written {
    bool named; /* the file has its name, also if something failed after that */
    enum defrag_verified verified;
    uint64_t copied_bytes;
    char lost[STORE_ATTRIBUTES_TEXT_MAX]; /* see attributes.h */
};

/* Once for each plan. -EINTR, without an error, if it was told to stop. */
int defrag_write(struct defrag *defrag, const struct defrag_write_options *options,
                 struct defrag_written *written, struct err *err);

#endif
