// SPDX-License-Identifier: MIT
/*
 * Owns the recipes. They go by what convert and the file systems' own tools do: convert copies the
 * active state only, so what it leaves behind is said before the command that does it. Nothing is
 * ever replaced before the copy has been compared and booted.
 */
#include "recipe.h"

#include "size.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_REFCOUNT_BITS 16
#define ROOM_TEXT_MAX (SIZE_TEXT_MAX + 8)

/* A recipe under construction; the first lack of memory is remembered. */
struct cook {
    const struct report_image *image;
    const struct report_table *table; /* the active one */
    struct report_recipe *recipe;
    char *old, *new; /* words for the shell: the image, and the copy beside it */
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

/* ---- words ---- */

/* A path that begins with a dash would be taken for an option. */
static char *word_of_path(struct cook *cook, const char *path, const char *suffix)
{
    char *whole = NULL, *word = NULL;

    if (asprintf(&whole, "%s%s%s", path[0] == '-' ? "./" : "", path, suffix) >= 0)
        word = text_shell_word(whole);
    else
        whole = NULL;
    free(whole);
    if (word == NULL)
        cook->ret = -ENOMEM;
    return word;
}

static char *word_of_name(struct cook *cook, const struct format_name *name)
{
    char *word = text_shell_word(name->bytes);

    if (word == NULL)
        cook->ret = -ENOMEM;
    return word;
}

/* ---- rewriting the image ---- */

static bool is_encrypted(const struct report_image *image)
{
    return image->format.encryption != FORMAT_CRYPT_NONE;
}

bool report_recipe_compresses(const struct report_table *table)
{
    return table->walk.compressed_clusters > table->mapped_clusters / 2;
}

/* Where most breaks are changes of file, only a copy without backing files is in order. */
bool report_recipe_flattens(const struct report_table *table)
{
    return table->chain_depth > 1 && table->walk.file_switches > table->walk.breaks / 2;
}

static bool is_compressed(const struct cook *cook)
{
    return report_recipe_compresses(cook->table);
}

static bool is_flattened(const struct cook *cook)
{
    return report_recipe_flattens(cook->table);
}

/* The options of -o that keep the format of the image. */
static void creation_options(const struct cook *cook, char options[256])
{
    const struct report_format *format = &cook->image->format;
    int n = snprintf(options, 256, "compat=%s,cluster_size=%" PRIu64,
                     format->version == 2 ? "0.10" : "1.1", format->cluster_bytes);

    if (format->refcount_bits != DEFAULT_REFCOUNT_BITS)
        n += snprintf(options + n, 256 - (size_t)n, ",refcount_bits=%u", format->refcount_bits);
    if (format->lazy_refcounts)
        n += snprintf(options + n, 256 - (size_t)n, ",lazy_refcounts=on");
    if (format->extended_l2)
        n += snprintf(options + n, 256 - (size_t)n, ",extended_l2=on");
    if (is_compressed(cook) && format->compression == FORMAT_ZSTD)
        n += snprintf(options + n, 256 - (size_t)n, ",compression_type=zstd");
    if (is_encrypted(cook->image))
        snprintf(options + n, 256 - (size_t)n, ",encrypt.format=luks,encrypt.key-secret=key");
}

/* "qemu-img convert ..." for a plain image, with its backing file if it has one. */
static void convert_command(struct cook *cook)
{
    const struct report_format *format = &cook->image->format;
    char options[256], *backing = NULL, *backing_format = NULL;

    creation_options(cook, options);
    if (is_encrypted(cook->image)) {
        command(cook,
                "qemu-img convert -p --object secret,id=key,file=KEYFILE --image-opts "
                "driver=qcow2,encrypt.key-secret=key,file.filename=%s -O qcow2 -o %s %s",
                cook->old, options, cook->new);
        return;
    }
    if (format->backing_file.bytes != NULL && !is_flattened(cook))
        backing = word_of_name(cook, &format->backing_file);
    if (backing != NULL && format->backing_format.bytes != NULL)
        backing_format = word_of_name(cook, &format->backing_format);
    command(cook, "qemu-img convert -p%s%s -O qcow2%s%s%s%s -o %s %s %s",
            is_compressed(cook) ? " -c" : "", format->bitmap_count > 0 ? " --bitmaps" : "",
            backing != NULL ? " -B " : "", backing != NULL ? backing : "",
            backing_format != NULL ? " -F " : "", backing_format != NULL ? backing_format : "",
            options, cook->old, cook->new);
    free(backing);
    free(backing_format);
}

static void warn_of_snapshots(struct cook *cook)
{
    uint64_t n = cook->image->format.snapshot_count;

    if (n > 0)
        step(cook,
             "The copy will not have the %" PRIu64 " internal %s of this image, nor saved VM "
             "states: keep the original if you need them.",
             n, size_noun(n, "snapshot", "snapshots"));
}

static void warn_of_losses(struct cook *cook)
{
    const struct report_walk *walk = &cook->table->walk;

    warn_of_snapshots(cook);
    if (walk->compressed_clusters > 0 && !is_compressed(cook))
        step(cook,
             "%" PRIu64 " of its clusters are compressed; in the copy none will be, and it may be "
             "larger.",
             walk->compressed_clusters);
    if (walk->zero_allocated_clusters > 0)
        step(cook, "Space that is reserved for zeros (preallocation) will not be reserved in the "
                   "copy.");
    if (is_encrypted(cook->image))
        step(cook, "The image is encrypted: put its passphrase, without a newline, into a file "
                   "KEYFILE that only you can read. The copy gets LUKS encryption.");
}

static void compare_command(struct cook *cook)
{
    if (!is_encrypted(cook->image))
        command(cook, "qemu-img compare -p %s %s", cook->old, cook->new);
    else
        command(cook,
                "qemu-img compare -p --object secret,id=key,file=KEYFILE --image-opts "
                "driver=qcow2,encrypt.key-secret=key,file.filename=%s "
                "driver=qcow2,encrypt.key-secret=key,file.filename=%s",
                cook->old, cook->new);
}

/* What the copy takes beside the original. Of a part of the disk it is not known. */
static void room(const struct cook *cook, bool flattened, char text[ROOM_TEXT_MAX])
{
    char size[SIZE_TEXT_MAX];

    size_format(size,
                flattened ? cook->table->walk.mapped_bytes : cook->image->verdict.copy_bytes.value);
    if (cook->table->range.known)
        snprintf(text, ROOM_TEXT_MAX, "room for all data");
    else
        snprintf(text, ROOM_TEXT_MAX, "about %s", size);
}

static void rewrite_image(struct cook *cook)
{
    bool flattened = is_flattened(cook);
    char size[ROOM_TEXT_MAX];

    room(cook, flattened, size);
    step(cook, "Shut the VM down: nothing may have the image open%s.",
         cook->image->in_use.known && cook->image->in_use.value ? ", and something has it open now"
                                                                : "");
    warn_of_losses(cook);
    if (flattened)
        step(cook,
             "Write a copy of the whole chain in guest order; it needs %s beside the "
             "original, and no backing file any more.",
             size);
    else
        step(cook, "Write a copy in guest order; it needs %s beside the original.", size);
    convert_command(cook);
    step(cook, "Compare what a guest reads from both.");
    compare_command(cook);
    step(cook, "Boot the VM from the copy, and see that all is there.");
    step(cook, "Only then put the copy in the place of the original.");
    command(cook, "chmod --reference=%s %s && chown --reference=%s %s && mv %s %s", cook->old,
            cook->new, cook->old, cook->new, cook->new, cook->old);
    step(cook, "Measure again: the file system may have put the new file elsewhere.");
    command(cook, "qcow2frag %s", cook->old);
}

/* ---- the host's file system ---- */

static void defragment_file(struct cook *cook)
{
    const char *filesystem =
        cook->image->host.filesystem != NULL ? cook->image->host.filesystem : "";

    if (strcmp(filesystem, "ext4") == 0) {
        step(cook, "Let ext4 put the file together; it may be in use meanwhile.");
        command(cook, "e4defrag -v %s", cook->old);
    } else if (strcmp(filesystem, "xfs") == 0) {
        step(cook, "With the VM shut down, let XFS put the file together; it needs as much free "
                   "space in one piece as the file has.");
        command(cook, "xfs_fsr -v %s", cook->old);
    } else if (strcmp(filesystem, "btrfs") == 0) {
        step(cook, "Let btrfs put the file together. What it shares with snapshots of the file "
                   "system or with reflink copies is copied, and takes its space once more.");
        command(cook, "btrfs filesystem defragment -t 32M %s", cook->old);
    } else {
        step(cook, "With the VM shut down, copy the file within its file system, where enough "
                   "space is free in one piece.");
        command(cook, "cp -p --sparse=always --reflink=never %s %s && cmp %s %s && mv %s %s",
                cook->old, cook->new, cook->old, cook->new, cook->new, cook->old);
    }
    step(cook, "Measure again.");
    command(cook, "qcow2frag %s", cook->old);
}

/* ---- the others ---- */

static void delete_snapshots(struct cook *cook)
{
    step(cook, "See which of the snapshots are still needed.");
    command(cook, "qemu-img snapshot -l %s", cook->old);
    step(cook, "With the VM shut down, delete the others, one after the other; that cannot be "
               "undone.");
    command(cook, "qemu-img snapshot -d SNAPSHOT %s", cook->old);
    step(cook, "Deleting them brings no order back by itself: measure again, and rewrite the image "
               "if it still hurts.");
    command(cook, "qcow2frag %s", cook->old);
}

static void enlarge_cache(struct cook *cook)
{
    step(cook,
         "Start QEMU with a cache that holds all L2 tables of this disk. In libvirt this is "
         "<metadata_cache><max_size unit='bytes'>%" PRIu64
         "</max_size></metadata_cache> in the <driver> of the disk.",
         cook->image->format.l2_cache_bytes);
    command(cook, "qemu-system-x86_64 ... -drive file=%s,format=qcow2,l2-cache-size=%" PRIu64,
            cook->old, cook->image->format.l2_cache_bytes);
}

static void repair(struct cook *cook)
{
    step(cook, "With the VM shut down, look at the damage.");
    command(cook, "qemu-img check %s", cook->old);
    step(cook, "Make a copy of the file before you repair it: a repair may throw data away.");
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
        defragment_file(cook);
        break;
    case REPORT_SNAPSHOTS:
        delete_snapshots(cook);
        break;
    case REPORT_L2_CACHE:
        enlarge_cache(cook);
        break;
    case REPORT_UNKNOWN:
        repair(cook);
        break;
    }
}

int report_recipe(const struct report_image *image, struct report_recipe *recipe)
{
    struct cook cook = {.image = image, .table = report_active_table(image), .recipe = recipe};

    memset(recipe, 0, sizeof(*recipe));
    if (!image->verdict.known || cook.table == NULL)
        return 0;
    cook.old = word_of_path(&cook, image->path, "");
    cook.new = word_of_path(&cook, image->path, ".new");
    if (cook.ret == 0)
        fill(&cook);
    free(cook.old);
    free(cook.new);
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
