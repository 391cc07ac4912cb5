// SPDX-License-Identifier: MIT
/*
 * Owns the steps that save a damaged image. They go by what QEMU does: convert stops at the first
 * thing that it cannot read, but not with --salvage, and it opens no image whose snapshots have too
 * much extra data, or whose bitmaps make no sense. Nothing that exists is written over.
 */
#include "rescue.h"

#include "recipe_remote.h"
#include "text.h"
#include "words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rescue {
    const struct report_image *image;
    struct report_recipe *recipe;
    struct report_words words;
    char *file, *copy, *saved; /* as a program that copies files takes them */
    bool failed;
};

bool report_is_damaged(const struct report_image *image)
{
    return !image->changing && format_findings_have_error(&image->findings);
}

/* @command: NULL if a person does it. */
static void step(struct rescue *rescue, const char *text, const char *command, ...)
    __attribute__((format(printf, 3, 4)));

static void step(struct rescue *rescue, const char *text, const char *command, ...)
{
    struct report_recipe_step *step = &rescue->recipe->steps[rescue->recipe->n++];
    va_list args;

    step->text = strdup(text);
    rescue->failed = rescue->failed || step->text == NULL;
    if (command == NULL)
        return;
    va_start(args, command);
    if (vasprintf(&step->command, command, args) < 0)
        step->command = NULL;
    va_end(args);
    rescue->failed = rescue->failed || step->command == NULL;
}

/* ---- words ---- */

/* What begins with a dash would be an option, and what comes before a colon, a protocol. */
static char *word_of(struct rescue *rescue, const char *path, const char *suffix)
{
    bool bare = path[0] == '-' || (path[0] != '/' && strchr(path, ':') != NULL);
    char *whole = NULL, *word = NULL;

    if (asprintf(&whole, "%s%s%s", bare ? "./" : "", path, suffix) >= 0) {
        word = text_shell_word(whole);
        free(whole);
    }
    rescue->failed = rescue->failed || word == NULL;
    return word;
}

/* Beside the image; what is read from a device goes into a file of the present folder. */
static const char *place_of(const struct report_image *image)
{
    const char *slash = strrchr(image->path, '/');
    bool device = image->host.is_device || strncmp(image->path, "/dev/", 5) == 0;

    return device && slash != NULL ? slash + 1 : image->path;
}

/* ---- steps ---- */

static bool has(const struct rescue *rescue, enum format_finding_code code)
{
    return rescue->image->findings.per_code[code] > 0;
}

static void open_again(struct rescue *rescue)
{
    if (rescue->words.request[0] != '\0')
        step(rescue, rescue->words.request, NULL);
    if (has(rescue, FORMAT_FINDING_SNAPSHOT_EXTRA_LONG))
        step(rescue, "QEMU does not open the image before this has mended its snapshot table.",
             "qemu-img check -r all%s %s", rescue->words.key, rescue->words.source);
    /* The autoclear bits end with byte 95; bit 0 is that of the bitmaps, bit 1 is kept. */
    if (has(rescue, FORMAT_FINDING_BITMAP_TABLE))
        step(rescue,
             "QEMU may not open the image for its bitmaps; this takes their feature bit away.",
             "printf '\\%03o' | dd of=%s bs=1 seek=95 conv=notrunc status=none",
             rescue->image->format.data_file_raw ? 2u : 0u, rescue->file);
}

static void read_most(struct rescue *rescue)
{
    const struct report_format *format = &rescue->image->format;
    char text[384];

    snprintf(text, sizeof(text),
             "Read what can be read into a new image; convert without --salvage stops at the first "
             "damage. What cannot be read is zeros there%s.%s%s",
             format->backing_file.bytes != NULL ? ", or what the backing file has" : "",
             format->snapshot_count > 0 ? " With -l NAME the same reads a snapshot." : "",
             rescue->words.key[0] != '\0' ? " The new image is not encrypted." : "");
    step(rescue, text, "test ! -e %s && qemu-img convert --salvage -p%s -O qcow2 %s %s",
         rescue->saved, rescue->words.key, rescue->words.source, rescue->saved);
}

/* What is at hand here is a copy, and the rest is done with that. */
static void fetch(struct rescue *rescue)
{
    char *command = report_recipe_fetch(rescue->image, &rescue->words);

    if (command == NULL)
        rescue->failed = true;
    else
        step(rescue,
             "Shut the VM down, and fetch the file of the image as it is, before anything else: "
             "any repair may throw data away.",
             "%s", command);
    free(command);
    step(rescue, "Measure that: its page says how what can be read is saved.", "qcow2frag %s",
         rescue->words.copy);
}

int report_rescue(const struct report_image *image, struct report_recipe *recipe)
{
    struct rescue rescue = {.image = image, .recipe = recipe};

    memset(recipe, 0, sizeof(*recipe));
    if (!report_is_damaged(image))
        return 0;
    rescue.failed = report_words(image, false, false, &rescue.words) < 0;
    rescue.file = word_of(&rescue, image->path, "");
    rescue.copy = word_of(&rescue, place_of(image), ".damaged");
    rescue.saved = word_of(&rescue, place_of(image), ".salvaged");
    if (!rescue.failed && image->beside.is_remote) {
        fetch(&rescue);
    } else if (!rescue.failed) {
        step(&rescue,
             "Shut the VM down, and copy the file as it is before anything else: any repair may "
             "throw data away.",
             "test ! -e %s && cp -p --sparse=always %s %s", rescue.copy, rescue.file, rescue.copy);
        open_again(&rescue);
        read_most(&rescue);
        step(&rescue, "See what QEMU finds; this changes nothing.", "qemu-img check%s %s",
             rescue.words.key, rescue.words.source);
    }
    report_words_release(&rescue.words);
    free(rescue.file);
    free(rescue.copy);
    free(rescue.saved);
    return rescue.failed ? -ENOMEM : 0;
}
