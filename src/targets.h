/* SPDX-License-Identifier: MIT */
/* The images that the user named, and those found in the folders that he named. */
#ifndef TARGETS_H
#define TARGETS_H

#include "domains.h"
#include "known.h"

#include <stdbool.h>
#include <stddef.h>

struct cmd_console;
struct err;
struct io;
struct io_folder;
struct options;
struct report_choice;
struct report_image;

struct targets {
    struct target *list; /* in the order of the command line, and of names */
    size_t n_list, cap_list;
    struct io_folder *folders; /* open until the end */
    size_t n_folders, cap_folders;
    size_t n_errors;        /* of those that were told, */
    char *first_error;      /* and the first of them; NULL: none, or no memory */
    bool has_folder;        /* one was named, also if it could not be searched */
    bool has_list;          /* likewise */
    struct domains domains; /* whose disks they are */
    bool each_once;         /* while they are collected, */
    struct known known;     /* and what is there so far */
};

/*
 * Fills @targets with what the options name, with what is in lists and folders, and with the disks
 * of domains, which go with @each_once only: a
 * file that has been named already, by whatever name, is left out. What cannot be searched is told,
 * and makes *@status worse, as do folders without an image. Returns 0 or -ENOMEM; release it in
 * both cases.
 */
int targets_collect(struct targets *targets, const struct options *options, bool each_once,
                    const struct cmd_console *console, int *status);
void targets_free(struct targets *targets);

const char *targets_path(const struct targets *targets, size_t i);

/* Was it found in a folder, not named by the user? */
bool targets_is_found(const struct targets *targets, size_t i);

/* Opens number @i to read it. */
int targets_open(const struct targets *targets, size_t i, struct io **io, struct err *err);

/* Opens number @i and measures it; its path stays borrowed by @image. */
void targets_measure(const struct targets *targets, size_t i, const struct report_choice *choice,
                     struct report_image *image);

#endif
