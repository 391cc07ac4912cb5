/* SPDX-License-Identifier: MIT */
/*
 * The words of a shell's command line that stand for an image and for a copy of it, each safe to be
 * pasted whatever the names are: QEMU takes them for files, options and the shell for nothing else.
 */
#ifndef REPORT_WORDS_H
#define REPORT_WORDS_H

#include "report.h"

#include <stdbool.h>

/* What a person puts in place of these. */
#define REPORT_NEW_VOLUME "NEW-VOLUME" /* and see keys.h */

struct report_words {
    char *old;      /* the image by its name */
    char *measured; /* the same, to measure it again */
    char *target;   /* what is to be replaced: itself, or what the symbolic link leads to */
    char *copy;     /* the copy, as commands call it */
    char *placed;   /* the same where it lies: not by a link */
    bool linked;    /* copy is a link to placed, which has to be made */
    /* As arguments of qemu-img: behind the options of "key", which may be none. */
    char *source, *result;
    const char *onto_kind; /* the option that says how convert -n is told of a copy, */
    char *onto;            /* and how */
    char *drive;           /* the image as -drive of QEMU wants it */
    char *objects;         /* "" or options that give the passphrases, with a space in front */
    char *key;             /* likewise; what follows is no name then, but options */
    char *request;         /* "" or the sentence that asks for the passphrases */
    char *options;         /* for -o, to make the copy in the format of the image */
    const char *in_order;  /* "" or options of convert that keep a copy in one piece, with a space */
    char *backing;         /* "" or " -B NAME -F FORMAT" */
    char *create_backing;  /* likewise, with -b, as create wants it */
    bool locked;           /* the copy is to have a backing file that wants a passphrase, too */
};

/*
 * @keep_backing: the copy is to have the backing file of the image; else none. @compressed: it is
 * to be compressed. 0 or -ENOMEM. Release also on failure.
 */
int report_words(const struct report_image *image, bool keep_backing, bool compressed,
                 struct report_words *words);
void report_words_release(struct report_words *words);

#endif
