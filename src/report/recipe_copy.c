// SPDX-License-Identifier: MIT
/*
 * Owns the way of a copy. It goes by what convert does: that copies the active state only, so what
 * it leaves behind is said before the command that does it. Nothing is ever replaced before the
 * copy has been compared and booted.
 */
#include "recipe_copy.h"

#include "cook.h"
#include "cost.h"
#include "duration.h"
#include "size.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOP_TEXT_MAX 160
#define ROOM_TEXT_MAX (SIZE_TEXT_MAX + 8)
#define BITMAPS_NAMED 3
#define BITMAP_NAME_BYTES 40

static bool is_volume(const struct report_cook *cook)
{
    return cook->image->beside.is_device;
}

/* ---- what the copy will not have ---- */

static void warn_of_snapshots(struct report_cook *cook)
{
    uint64_t n = cook->image->format.snapshot_count;

    if (cook->image->verdict.action == REPORT_SNAPSHOTS) /* some have just been deleted */
        report_cook_step(cook, "The copy will not have the internal snapshots that are left, nor "
                               "saved VM states: keep the original if you need them.");
    else if (n > 0)
        report_cook_step(cook,
                         "The copy will not have the %" PRIu64
                         " internal %s of this image, nor saved VM "
                         "states: keep the original if you need them.",
                         n, size_noun(n, "snapshot", "snapshots"));
}

/* "a", "b", "c" and 3 more. A new string, or NULL without memory. */
static char *name_bitmaps(const struct report_format *format)
{
    char *names = strdup("");
    size_t n = 0;

    for (; names != NULL && n < format->n_in_use_names && n < BITMAPS_NAMED; n++) {
        const struct format_name *name = &format->in_use_names[n];
        char *escaped = text_escape(name->bytes, name->len), *longer = NULL;

        if (escaped != NULL) {
            text_shorten(escaped, BITMAP_NAME_BYTES);
            if (asprintf(&longer, "%s%s\"%s\"", names, n > 0 ? ", " : "", escaped) < 0)
                longer = NULL;
        }
        free(escaped);
        free(names);
        names = longer;
    }
    if (names != NULL && format->bitmaps_in_use > n) {
        char *longer;

        if (asprintf(&longer, "%s and %" PRIu64 " more", names, format->bitmaps_in_use - n) < 0)
            longer = NULL;
        free(names);
        names = longer;
    }
    return names;
}

/* A program that has the image open now will put its bitmaps in order when it ends. */
static void warn_of_bitmaps(struct report_cook *cook)
{
    const struct report_format *format = &cook->image->format;
    const struct opt_bool *in_use = &cook->image->in_use;
    bool one = format->bitmaps_in_use == 1;
    char *names;

    if (format->bitmaps_in_use == 0 || (in_use->known && in_use->value))
        return;
    names = name_bitmaps(format);
    if (names == NULL)
        cook->ret = -ENOMEM;
    else
        report_cook_step(
            cook,
            "The program that used the bitmap%s %s ended before it saved %s: what %s cannot be "
            "trusted, and the copy will not have %s. The next backup has to be a full one.",
            one ? "" : "s", names, one ? "it" : "them", one ? "it says" : "they say",
            one ? "it" : "them");
    free(names);
}

static void warn_of_losses(struct report_cook *cook)
{
    const struct report_walk *walk = &cook->table->walk;

    warn_of_snapshots(cook);
    warn_of_bitmaps(cook);
    if (walk->compressed_clusters > 0 && !report_cook_compresses(cook))
        report_cook_step(cook,
                         "%" PRIu64
                         " of its clusters are compressed; in the copy none will be, and it may be "
                         "larger.",
                         walk->compressed_clusters);
    if (walk->zero_allocated_clusters > 0)
        report_cook_step(
            cook, "Space that is reserved for zeros (preallocation) will not be reserved in the "
                  "copy.");
}

/* ---- writing it ---- */

/* What convert is to take along besides the data. */
static const char *bitmap_options(const struct report_cook *cook)
{
    const struct report_format *format = &cook->image->format;

    if (format->bitmap_count == 0)
        return "";
    return format->bitmaps_in_use == 0 ? " --bitmaps" : " --bitmaps --skip-broken-bitmaps";
}

/* The new image is empty: only so convert need not write the zeros between the data. */
static void convert_onto_new(struct report_cook *cook, const char *before, const char *after)
{
    const struct report_words *words = &cook->words;

    report_cook_command(cook,
                        "%sqemu-img create -q%s -f qcow2%s -o %s %s %" PRIu64
                        " && qemu-img convert -p -n%s%s%s%s%s %s %s %s%s",
                        before, words->objects, words->create_backing, words->options, words->copy,
                        cook->image->format.virtual_bytes,
                        report_cook_compresses(cook) ? " -c" : "", words->in_order,
                        bitmap_options(cook),
                        words->backing[0] != '\0' ? words->backing : " --target-is-zero",
                        words->key, words->onto_kind, words->source, words->onto, after);
}

/*
 * Until the copy has been given the rights of the original, nobody else may read it. convert opens
 * the backing file of what it makes, but cannot be given its passphrase.
 */
static void convert_to_file(struct report_cook *cook)
{
    const struct report_words *words = &cook->words;

    if (words->locked)
        convert_onto_new(cook, "(umask 077; ", ")");
    else
        report_cook_command(cook, "(umask 077; qemu-img convert -p%s%s%s%s%s -O qcow2 -o %s %s %s)",
                            report_cook_compresses(cook) ? " -c" : "", words->in_order,
                            bitmap_options(cook), words->backing, words->key, words->options,
                            words->source, words->copy);
}

/* What the copy takes beside the original. Of a part of the disk it is not known. */
static void room(const struct report_cook *cook, char text[ROOM_TEXT_MAX])
{
    const struct report_walk *walk = &cook->table->walk;
    bool expanded = walk->compressed_clusters > 0 && !report_cook_compresses(cook);
    char size[SIZE_TEXT_MAX];

    size_format(size, report_cook_flattens(cook) || expanded
                          ? walk->mapped_bytes
                          : cook->image->verdict.copy_bytes.value);
    if (cook->table->range.known)
        snprintf(text, ROOM_TEXT_MAX, "room for all data");
    else
        snprintf(text, ROOM_TEXT_MAX, "about %s", size);
}

static void write_file(struct report_cook *cook)
{
    const char *how = cook->words.in_order[0] == '\0'
                          ? ""
                          : " It goes straight to the device, one request after the other: from "
                            "its cache the file system could lay it out in pieces.";
    char size[ROOM_TEXT_MAX];

    room(cook, size);
    if (cook->words.linked) {
        report_cook_step(
            cook, "The image is named by a link from another folder, and its backing file is "
                  "looked for there: make such a link for the copy, too.");
        report_cook_command(cook, "ln -s %s %s", cook->words.placed, cook->words.copy);
    }
    if (report_cook_flattens(cook))
        report_cook_step(
            cook,
            "Write a copy of the whole chain in guest order; it needs %s beside the original, and "
            "no backing file any more.%s",
            size, how);
    else
        report_cook_step(cook, "Write a copy in guest order; it needs %s beside the original.%s",
                         size, how);
    convert_to_file(cook);
}

static void write_volume(struct report_cook *cook)
{
    const struct report_words *words = &cook->words;

    report_cook_step(cook,
                     "See how much a copy may take: the required size, and besides what it says of "
                     "bitmaps.");
    report_cook_command(cook, "qemu-img measure%s -O qcow2 -o %s %s", words->key, words->options,
                        words->source);
    report_cook_step(
        cook,
        "Make a new volume of at least that size (of LVM: with lvcreate), and put its name in the "
        "place of " REPORT_NEW_VOLUME " below.");
    report_cook_step(cook, "Write a copy%s in guest order there%s.",
                     report_cook_flattens(cook) ? " of the whole chain" : "",
                     report_cook_flattens(cook) ? "; it needs no backing file any more" : "");
    convert_onto_new(cook, "", "");
}

static void compare(struct report_cook *cook)
{
    const struct report_words *words = &cook->words;

    report_cook_step(cook, "Compare what a guest reads from both.");
    report_cook_command(cook, "qemu-img compare -p%s %s %s", words->key, words->source,
                        words->result);
}

/* ---- putting it in the place of the original ---- */

/* A rename within a folder is whole or not at all; before it nothing has changed. */
static void replace_file(struct report_cook *cook)
{
    const struct report_words *words = &cook->words;

    report_cook_step(cook, "Give the copy the owner and the rights of the original.");
    report_cook_command(cook, "chown --reference=%s %s && chmod --reference=%s %s", words->old,
                        words->copy, words->old, words->copy);
    report_cook_step(cook,
                     "Boot the VM from the copy, see that all is there, and shut it down again.");
    report_cook_step(cook, "Only then put the copy in the place of the original.");
    if (words->linked)
        report_cook_command(cook, "mv %s %s && rm %s", words->placed, words->target, words->copy);
    else
        report_cook_command(cook, "mv %s %s", words->copy, words->target);
    report_cook_step(cook, "Measure again: the file system may have put the new file elsewhere.");
    report_cook_measure(cook, words->measured);
}

static void replace_volume(struct report_cook *cook)
{
    report_cook_step(cook,
                     "Boot the VM from the copy, see that all is there, and shut it down again.");
    report_cook_step(
        cook,
        "Only then give the VM the new volume for good, and remove the old one when you no longer "
        "need it.");
    report_cook_step(cook, "Measure again.");
    report_cook_measure(cook, cook->words.copy);
}

/* ": ...", what that would bring, or nothing. */
static void tell_top_in_order(const struct report_cook *cook, char text[TOP_TEXT_MAX])
{
    struct opt_f64 seconds = report_cost_top_in_order(cook->table);
    char least[DURATION_TEXT_MAX];

    text[0] = '\0';
    if (!seconds.known || report_recipe_converts(cook->image))
        return;
    duration_format(least, seconds.value);
    snprintf(text, TOP_TEXT_MAX,
             ": with this image alone in order, reading %s would still take %s at least",
             cook->table->range.known ? "this part of the disk" : "the whole disk", least);
}

/* Why it is not this program that puts the image in order. */
static void explain(struct report_cook *cook)
{
    char top[TOP_TEXT_MAX];

    tell_top_in_order(cook, top);
    if (report_cook_flattens(cook))
        report_cook_step(
            cook,
            "To put all images of the chain into one takes qemu-img convert; qcow2frag defrag puts "
            "one image in order, and leaves the chain as it is%s.",
            top);
    else if (is_volume(cook))
        report_cook_step(cook,
                         "The image lies on a block device, which qcow2frag defrag does not write "
                         "to: qemu-img convert makes a copy on another one.");
    else
        report_cook_step(cook,
                         "What LUKS has encrypted cannot be moved by qcow2frag defrag, since the "
                         "key depends on the place: qemu-img convert encrypts it anew.");
}

const char *report_recipe_copy_encryption(const struct report_cook *cook)
{
    return report_cook_is_encrypted(cook) ? " The copy gets LUKS encryption."
           : report_cook_flattens(cook)
               ? " As the image itself is not encrypted, the copy is not: it will hold in plain "
                 "text what it has from there."
               : "";
}

void report_recipe_copy(struct report_cook *cook)
{
    report_cook_shut_down(cook);
    report_cook_ask_keys(cook, report_recipe_copy_encryption(cook));
    report_recipe_copy_now(cook);
}

void report_recipe_copy_now(struct report_cook *cook)
{
    explain(cook);
    warn_of_losses(cook);
    if (is_volume(cook))
        write_volume(cook);
    else
        write_file(cook);
    compare(cook);
    if (is_volume(cook))
        replace_volume(cook);
    else
        replace_file(cook);
}
