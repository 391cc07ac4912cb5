/* SPDX-License-Identifier: MIT */
/* The recipe that writes the image anew, in guest order, and puts the copy in its place. */
#ifndef REPORT_RECIPE_COPY_H
#define REPORT_RECIPE_COPY_H

struct report_cook;

void report_recipe_copy(struct report_cook *cook);

/* The same once the VM is shut down, and the passphrases have been asked for. */
void report_recipe_copy_now(struct report_cook *cook);

/* What becomes of the encryption: the end of the request for the passphrases, or "". */
const char *report_recipe_copy_encryption(const struct report_cook *cook);

#endif
