// SPDX-License-Identifier: MIT
/*
 * Owns the way of an image that a server has. It is put in order where it is stored, or in a copy
 * of the whole file, so that nothing of it is lost.
 */
#include "recipe_remote.h"

#include "cook.h"
#include "size.h"
#include "uri.h"

#include <stdio.h>

/* qemu-img does not know all that may stand in a URI; nbdcopy, of libnbd, does. */
char *report_recipe_fetch(const struct report_image *image, const struct report_words *words)
{
    const char *program =
        io_uri_is_plain(image->path) ? "qemu-img convert -p -f raw -O raw" : "nbdcopy -p --";
    char *command;

    if (asprintf(&command, "test ! -e %s && (umask 077; %s %s %s)", words->copy, program,
                 words->old, words->copy) < 0)
        return NULL;
    return command;
}

static void fetch(struct report_cook *cook)
{
    char size[SIZE_TEXT_MAX];
    char *command = report_recipe_fetch(cook->image, &cook->words);

    size_format(size, cook->image->format.file_bytes);
    report_cook_step(cook, "Else fetch the file of the image as it is, all %s of it.", size);
    report_cook_take_command(cook, command);
}

void report_recipe_remote(struct report_cook *cook)
{
    report_cook_shut_down(cook);
    report_cook_step(cook,
                     "If qcow2frag is there where the image is stored, run it there, with the name "
                     "of the file: only there can a new one take its place.");
    fetch(cook);
    if (cook->image->verdict.action == REPORT_IMAGE && !report_recipe_converts(cook->image) &&
        !report_cook_flattens(cook)) {
        report_cook_step(cook, "Put that in order; it keeps everything.");
        report_cook_command(cook, "qcow2frag defrag%s %s", report_cook_device(cook),
                            cook->words.copy);
    } else {
        report_cook_step(cook, "Measure that: its page says how to go on.");
        report_cook_measure(cook, cook->words.copy);
    }
    report_cook_step(cook, "Boot the VM from it, see that all is there, and only then bring it to "
                           "the place of the old one.");
}
