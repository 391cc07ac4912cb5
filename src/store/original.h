/* SPDX-License-Identifier: MIT */
/*
 * A file that is to be replaced by another one: found, locked, and let go when nobody can be misled
 * by it any more. Its bytes are never written to.
 */
#ifndef STORE_ORIGINAL_H
#define STORE_ORIGINAL_H

#include "lock.h"

#include <stdbool.h>

struct err;
struct io;

struct store_original {
    char *path, *name; /* through no link; @name is its last part */
    char *kept;        /* the name that it will have; NULL: none */
    int folder;        /* an open one */
    struct io *io;     /* to read it. Its descriptor holds the lock, and copies of that do. */
    bool breaks_links; /* it may have other names */
    bool unlocked;     /* it could not be locked, and goes on without */
};

struct store_original_options {
    const char *keep_suffix; /* it stays, under its name with that behind; NULL: it goes */
    bool break_hard_links;   /* though its other names will go on leading to the old file */
    bool without_locks;      /* though nobody can be shut out where there are none */
};

/*
 * A regular file, under the name that @path leads to. Nobody else has it open as an image from here
 * until _close. Fails if it could not be replaced: so far as that can be known before it is tried.
 * Removes what a program that was killed has left in its folder.
 * On failure there is nothing to release.
 */
int store_original_open(const char *path, const struct store_original_options *options,
                        struct store_original *original, struct err *err);

/*
 * Does its name still lead to it, has it no other one, and nobody opened it to write? -ESTALE,
 * -EMLINK, -EBUSY.
 */
int store_original_check(const struct store_original *original, struct err *err);

/* The message of -ESTALE. */
int store_original_tell_gone(struct err *err);

/* What has become of those who had opened the old file. */
enum store_original_end {
    STORE_ORIGINAL_ALONE,  /* nobody has it, but for those who only read */
    STORE_ORIGINAL_OPEN,   /* somebody still has it, and might write to it */
    STORE_ORIGINAL_UNSEEN, /* that cannot be found out here */
};

#define STORE_ORIGINAL_SECONDS 10       /* in which whoever has opened it asks for its locks */
#define STORE_ORIGINAL_UNSEEN_SECONDS 2 /* the same of those who may be there or not */

/*
 * After it was replaced: a program that had opened it before, and has asked for no lock yet, would
 * write to a file that nobody sees any more, or read what will not change any more. So the locks
 * stay as long as somebody has it open who might: to write, or a QEMU, which opens to write
 * whenever it likes; but not for programs that read and take no locks, as one that makes backups.
 * OPEN: @text, of STORE_HOLDER_TEXT_MAX, says who.
 */
enum store_original_end store_original_wait(const struct store_original *original, char *text);

void store_original_close(struct store_original *original);

#endif
