// SPDX-License-Identifier: MIT
/*
 * Owns the recipes. They go by what convert and the file systems' own tools do: convert copies the
 * active state only, so what it leaves behind is said before the command that does it. Nothing is
 * ever replaced before the copy has been compared and booted.
 */
#include "recipe.h"

#include "size.h"
#include "text.h"
#include "words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_TEXT_MAX (SIZE_TEXT_MAX + 8)
#define BITMAPS_NAMED 3
#define BITMAP_NAME_BYTES 40

/* A recipe under construction; the first lack of memory is remembered. */
struct cook {
    const struct report_image *image;
    const struct report_table *table; /* the active one */
    struct report_recipe *recipe;
    struct report_words words;
    int ret;
};

static char *format_text(struct cook *cook, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static char *format_text(struct cook *cook, const char *format, va_list args)
{
    char *text;

    if (vasprintf(&text, format, args) >= 0)
        return text;
    cook->ret = -ENOMEM;
    return NULL;
}

static void step(struct cook *cook, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void command(struct cook *cook, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void step(struct cook *cook, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    cook->recipe->steps[cook->recipe->n++].text = format_text(cook, format, args);
    va_end(args);
}

/* Of the step before. */
static void command(struct cook *cook, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    cook->recipe->steps[cook->recipe->n - 1].command = format_text(cook, format, args);
    va_end(args);
}

/* ---- what kind of copy ---- */

static bool is_encrypted(const struct report_image *image)
{
    return image->format.encryption != FORMAT_CRYPT_NONE;
}

/* QEMU does not encrypt what it compresses. */
bool report_recipe_compresses(const struct report_format *format, const struct report_table *table)
{
    return format->encryption == FORMAT_CRYPT_NONE &&
           table->walk.compressed_clusters > table->mapped_clusters / 2;
}

/* Figures of a chain are of all its files, and only a copy of all of them mends what they show. */
bool report_recipe_flattens(const struct report_table *table)
{
    return table->chain_depth > 1;
}

static bool is_compressed(const struct cook *cook)
{
    return report_recipe_compresses(&cook->image->format, cook->table);
}

static bool is_flattened(const struct cook *cook)
{
    return report_recipe_flattens(cook->table);
}

static bool is_volume(const struct cook *cook)
{
    return cook->image->beside.is_device;
}

/* ---- what the copy will not have ---- */

static void warn_of_snapshots(struct cook *cook)
{
    uint64_t n = cook->image->format.snapshot_count;

    if (n > 0)
        step(cook,
             "The copy will not have the %" PRIu64 " internal %s of this image, nor saved VM "
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
static void warn_of_bitmaps(struct cook *cook)
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
        step(cook,
             "The program that used the bitmap%s %s ended before it saved %s: what %s cannot be "
             "trusted, and the copy will not have %s. The next backup has to be a full one.",
             one ? "" : "s", names, one ? "it" : "them", one ? "it says" : "they say",
             one ? "it" : "them");
    free(names);
}

static void warn_of_losses(struct cook *cook)
{
    const struct report_walk *walk = &cook->table->walk;

    warn_of_snapshots(cook);
    warn_of_bitmaps(cook);
    if (walk->compressed_clusters > 0 && !is_compressed(cook))
        step(cook,
             "%" PRIu64 " of its clusters are compressed; in the copy none will be, and it may be "
             "larger.",
             walk->compressed_clusters);
    if (walk->zero_allocated_clusters > 0)
        step(cook, "Space that is reserved for zeros (preallocation) will not be reserved in the "
                   "copy.");
    if (is_encrypted(cook->image))
        step(cook, "The image is encrypted: put its passphrase, without a newline, into a "
                   "file " REPORT_KEY_FILE " that only you can read. The copy gets LUKS "
                   "encryption.");
}

/* ---- rewriting the image ---- */

/* What convert is to take along besides the data. */
static const char *bitmap_options(const struct cook *cook)
{
    const struct report_format *format = &cook->image->format;

    if (format->bitmap_count == 0)
        return "";
    return format->bitmaps_in_use == 0 ? " --bitmaps" : " --bitmaps --skip-broken-bitmaps";
}

/* Until the copy has been given the rights of the original, nobody else may read it. */
static void convert_to_file(struct cook *cook)
{
    const struct report_words *words = &cook->words;

    command(cook, "(umask 077; qemu-img convert -p%s%s%s%s -O qcow2 -o %s %s %s)",
            is_compressed(cook) ? " -c" : "", bitmap_options(cook), words->backing, words->key,
            words->options, words->source, words->copy);
}

/* The new image is empty: only so convert need not write the zeros between the data. */
static void convert_to_volume(struct cook *cook)
{
    const struct report_words *words = &cook->words;
    bool encrypted = is_encrypted(cook->image);

    command(cook,
            "qemu-img create -q%s -f qcow2%s -o %s %s %" PRIu64
            " && qemu-img convert -p -n%s%s%s%s %s %s %s",
            encrypted ? REPORT_KEY_OBJECT : "", words->create_backing, words->options, words->copy,
            cook->image->format.virtual_bytes, is_compressed(cook) ? " -c" : "",
            bitmap_options(cook), words->backing[0] != '\0' ? words->backing : " --target-is-zero",
            words->key, encrypted ? "--target-image-opts" : "-O qcow2", words->source,
            words->result);
}

/* What the copy takes beside the original. Of a part of the disk it is not known. */
static void room(const struct cook *cook, char text[ROOM_TEXT_MAX])
{
    const struct report_walk *walk = &cook->table->walk;
    bool expanded = walk->compressed_clusters > 0 && !is_compressed(cook);
    char size[SIZE_TEXT_MAX];

    size_format(size, is_flattened(cook) || expanded ? walk->mapped_bytes
                                                     : cook->image->verdict.copy_bytes.value);
    if (cook->table->range.known)
        snprintf(text, ROOM_TEXT_MAX, "room for all data");
    else
        snprintf(text, ROOM_TEXT_MAX, "about %s", size);
}

static void write_file(struct cook *cook)
{
    char size[ROOM_TEXT_MAX];

    room(cook, size);
    if (cook->words.linked) {
        step(cook, "The image is named by a link from another folder, and its backing file is "
                   "looked for there: make such a link for the copy, too.");
        command(cook, "ln -s %s %s", cook->words.placed, cook->words.copy);
    }
    if (is_flattened(cook))
        step(cook,
             "Write a copy of the whole chain in guest order; it needs %s beside the original, and "
             "no backing file any more.",
             size);
    else
        step(cook, "Write a copy in guest order; it needs %s beside the original.", size);
    convert_to_file(cook);
}

static void write_volume(struct cook *cook)
{
    const struct report_words *words = &cook->words;

    step(cook, "See how much a copy may take: the required size, and besides what it says of "
               "bitmaps.");
    command(cook, "qemu-img measure%s -O qcow2 -o %s %s", words->key, words->options,
            words->source);
    step(cook,
         "Make a new volume of at least that size (of LVM: with lvcreate), and put its name in the "
         "place of " REPORT_NEW_VOLUME " below.");
    step(cook, "Write a copy%s in guest order there%s.",
         is_flattened(cook) ? " of the whole chain" : "",
         is_flattened(cook) ? "; it needs no backing file any more" : "");
    convert_to_volume(cook);
}

static void compare(struct cook *cook)
{
    const struct report_words *words = &cook->words;

    step(cook, "Compare what a guest reads from both.");
    command(cook, "qemu-img compare -p%s %s %s", words->key, words->source, words->result);
}

static void measure_again(struct cook *cook, const char *image)
{
    command(cook, "qcow2frag%s %s", cook->table->chain_depth > 1 ? " --chain" : "", image);
}

/* A rename within a folder is whole or not at all; before it nothing has changed. */
static void replace_file(struct cook *cook)
{
    const struct report_words *words = &cook->words;

    step(cook, "Give the copy the owner and the rights of the original.");
    command(cook, "chown --reference=%s %s && chmod --reference=%s %s", words->old, words->copy,
            words->old, words->copy);
    step(cook, "Boot the VM from the copy, see that all is there, and shut it down again.");
    step(cook, "Only then put the copy in the place of the original.");
    if (words->linked)
        command(cook, "mv %s %s && rm %s", words->placed, words->target, words->copy);
    else
        command(cook, "mv %s %s", words->copy, words->target);
    step(cook, "Measure again: the file system may have put the new file elsewhere.");
    measure_again(cook, words->measured);
}

static void replace_volume(struct cook *cook)
{
    step(cook, "Boot the VM from the copy, see that all is there, and shut it down again.");
    step(cook,
         "Only then give the VM the new volume for good, and remove the old one when you no longer "
         "need it.");
    step(cook, "Measure again.");
    measure_again(cook, cook->words.copy);
}

static void rewrite_image(struct cook *cook)
{
    const struct opt_bool *in_use = &cook->image->in_use;

    step(cook, "Shut the VM down: nothing may have the image open%s.",
         in_use->known && in_use->value ? ", and something has it open now" : "");
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

/* ---- the host's file system ---- */

/* btrfs puts a file together in parts; the others need room for all of it before they begin. */
static bool lacks_room(const struct report_host *host)
{
    const struct host_room *room = &host->room;

    return room->free_bytes.known && !host->encoded &&
           (host->filesystem == NULL || strcmp(host->filesystem, "btrfs") != 0) &&
           room->free_bytes.value < room->stored_bytes.value;
}

static void make_room(struct cook *cook)
{
    const struct host_room *room = &cook->image->host.room;
    char stored[SIZE_TEXT_MAX], left[SIZE_TEXT_MAX];

    size_format(stored, room->stored_bytes.value);
    size_format(left, room->free_bytes.value);
    step(cook,
         "Make room in the file system: to put the file together it needs %s free in one piece, "
         "and has %s. As long as it has no more, nothing can be done there.",
         stored, left);
    step(cook, "Then measure again.");
    measure_again(cook, cook->words.measured);
}

/*
 * The tools of the file systems leave links alone, or follow none. A copy that found no room, or is
 * not the same, does not stay; and what is not on the device yet has no place there to be measured.
 */
static void copy_file(struct cook *cook, const char *why)
{
    const struct report_words *words = &cook->words;

    step(cook,
         "With the VM shut down, copy the file within its file system, where enough space is free "
         "in one piece%s.",
         why);
    command(cook,
            "cp -p --sparse=always --reflink=never %s %s && sync %s && cmp %s %s && mv %s %s "
            "|| ! rm -f %s",
            words->target, words->placed, words->placed, words->target, words->placed,
            words->placed, words->target, words->placed);
}

static void defragment_btrfs(struct cook *cook)
{
    if (cook->image->host.encoded) {
        copy_file(cook, "; btrfs does not defragment what it has compressed");
        return;
    }
    step(cook, "Let btrfs put the file together. What it shares with snapshots of the file system "
               "or with reflink copies is copied, and takes its space once more.");
    /* The tool does not wait until the device has it; before, the file seems as it was. */
    command(cook, "btrfs filesystem defragment -t 32M %s && sync %s", cook->words.target,
            cook->words.target);
}

static void defragment_file(struct cook *cook)
{
    const char *filesystem =
        cook->image->host.filesystem != NULL ? cook->image->host.filesystem : "";
    const char *file = cook->words.target;

    if (strcmp(filesystem, "ext4") == 0) {
        step(cook, "Let ext4 put the file together; it may be in use meanwhile.");
        command(cook, "e4defrag -v %s", file);
    } else if (strcmp(filesystem, "xfs") == 0) {
        step(cook, "With the VM shut down, let XFS put the file together; it needs as much free "
                   "space in one piece as the file has.");
        command(cook, "xfs_fsr -v %s", file);
    } else if (strcmp(filesystem, "btrfs") == 0) {
        defragment_btrfs(cook);
    } else {
        copy_file(cook, "");
    }
    step(cook, "Measure again. If it is no better, no free piece was long enough: make room, or "
               "move the file to another file system. To do the same once more is of no use.");
    measure_again(cook, cook->words.measured);
}

/* ---- the others ---- */

static void delete_snapshots(struct cook *cook)
{
    const struct report_words *words = &cook->words;

    if (is_encrypted(cook->image))
        step(cook, "The image is encrypted: put its passphrase, without a newline, into a "
                   "file " REPORT_KEY_FILE " that only you can read.");
    step(cook, "See which of the snapshots are still needed.");
    command(cook, "qemu-img snapshot%s -l %s", words->key, words->source);
    step(cook, "With the VM shut down, delete the others, one after the other; that cannot be "
               "undone.");
    command(cook, "qemu-img snapshot%s -d SNAPSHOT %s", words->key, words->source);
    step(cook, "Deleting them brings no order back by itself: measure again, and rewrite the image "
               "if it still hurts.");
    measure_again(cook, words->measured);
}

static void enlarge_cache(struct cook *cook)
{
    step(cook,
         "Start QEMU with a cache that holds all L2 tables of this disk. In libvirt this is "
         "<metadata_cache><max_size unit='bytes'>%" PRIu64
         "</max_size></metadata_cache> in the <driver> of the disk.",
         cook->image->format.l2_cache_bytes);
    command(cook, "qemu-system-x86_64%s -drive %s,l2-cache-size=%" PRIu64,
            is_encrypted(cook->image) ? REPORT_KEY_OBJECT : "", cook->words.drive,
            cook->image->format.l2_cache_bytes);
}

static void fill(struct cook *cook)
{
    switch (cook->image->verdict.action) {
    case REPORT_NONE:
        break;
    case REPORT_IMAGE:
    case REPORT_BOTH: /* the copy is a new file, and the file system lays it out anew */
        rewrite_image(cook);
        break;
    case REPORT_HOST:
        if (lacks_room(&cook->image->host))
            make_room(cook);
        else
            defragment_file(cook);
        break;
    case REPORT_SNAPSHOTS:
        delete_snapshots(cook);
        break;
    case REPORT_L2_CACHE:
        enlarge_cache(cook);
        break;
    case REPORT_UNKNOWN: /* damage has steps of its own, see rescue.c */
        break;
    }
}

int report_recipe(const struct report_image *image, struct report_recipe *recipe)
{
    struct cook cook = {.image = image, .table = report_active_table(image), .recipe = recipe};

    memset(recipe, 0, sizeof(*recipe));
    if (!image->verdict.known || cook.table == NULL)
        return 0;
    cook.ret = report_words(image, !is_flattened(&cook), is_compressed(&cook), &cook.words);
    if (cook.ret == 0)
        fill(&cook);
    report_words_release(&cook.words);
    return cook.ret;
}

void report_recipe_release(struct report_recipe *recipe)
{
    for (size_t i = 0; i < recipe->n; i++) {
        free(recipe->steps[i].text);
        free(recipe->steps[i].command);
    }
    memset(recipe, 0, sizeof(*recipe));
}
