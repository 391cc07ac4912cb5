/* SPDX-License-Identifier: MIT */
/* A recipe under construction: what its parts know of the image, and how they add steps. */
#ifndef REPORT_COOK_H
#define REPORT_COOK_H

#include "recipe.h"
#include "words.h"

#include <stdbool.h>

/* The first lack of memory is remembered, and what is added after it may be NULL. */
struct report_cook {
    const struct report_image *image;
    const struct report_table *table; /* the active one */
    struct report_recipe *recipe;
    struct report_words words;
    int ret; /* 0 or -ENOMEM */
};

void report_cook_step(struct report_cook *cook, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Of the step before. */
void report_cook_command(struct report_cook *cook, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same with one that is made already; takes it. NULL: there was no memory. */
void report_cook_take_command(struct report_cook *cook, char *command);

/* The first step of whatever changes the image. */
void report_cook_shut_down(struct report_cook *cook);

/*
 * The step before any command that opens the image with QEMU, if there are passphrases to be given;
 * @more follows as a sentence.
 */
void report_cook_ask_keys(struct report_cook *cook, const char *more);

/* " --device PROFILE" if the user gave one, else "". */
const char *report_cook_device(const struct report_cook *cook);

/* The command that measures @image as it was measured. */
void report_cook_measure(struct report_cook *cook, const char *image);

bool report_cook_is_encrypted(const struct report_cook *cook);

/* What a copy of the image will be. */
bool report_cook_compresses(const struct report_cook *cook);
bool report_cook_flattens(const struct report_cook *cook);

#endif
