/* SPDX-License-Identifier: MIT */
/*
 * The passphrases that QEMU wants when it opens an image, which may stand on files that are
 * encrypted, too: each has a secret of its own, and the option that leads to its place in the
 * chain. Which files below are encrypted is known if the chain was walked. If not, what the image
 * says of its backing file has to do: the key of a LUKS container is asked for; a qcow2 image below
 * an encrypted one is given the same passphrase, which QEMU leaves alone if it needs none.
 *
 * Strings are new, or NULL without memory.
 */
#ifndef REPORT_KEYS_H
#define REPORT_KEYS_H

#include <stdbool.h>

struct report_image;

/* What a person puts in place of this; those of files below have a number behind it. */
#define REPORT_KEY_FILE "KEYFILE"

/* " --object secret,..." for each passphrase, or "". */
char *report_keys_objects(const struct report_image *image);

/* "encrypt.key-secret=key," and so on; @below: for the files below the image, or for itself. */
char *report_keys_options(const struct report_image *image, bool below);

/* The sentence that asks for the passphrases, or "". */
char *report_keys_request(const struct report_image *image);

#endif
